"""Deleted means gone: bytes are searched for in every file, over the real engines."""

import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from ingestion.builds import build_run
from ingestion.erasure import erasures_settle
from ingestion.index.base import IndexCatalog, IndexIdentity
from ingestion.models import BuildState, Collection, Document, Erasure, IndexBuild
from ingestion.projection import keep_vectors
from tests.ingestion.integrity import catalogs
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, files_dir, texts
from tests.ingestion.integrity.memory_index import MemoryCatalog
from tests.live import ROOT
from tests.provision.qdrant import QdrantServer

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary" + uuid4().hex
SIGNS = random.Random(7)
# Of length 1 in binary too, so that an engine that normalises vectors keeps these very bytes.
VECTOR = tuple(SIGNS.choice((-0.125, 0.125)) for _ in range(64))
NEEDLES = (CANARY.encode(), CANARY.encode("utf-16-le"), struct.pack("<64f", *VECTOR))


@dataclass
class Kept:
    """A catalog and the folder in which its engine keeps everything."""

    catalog: IndexCatalog
    folder: Path


@pytest.fixture(params=["edge", "server"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "edge":
        with catalogs.edge(tmp_path / "index") as catalog:
            yield Kept(catalog, tmp_path / "index")
    else:
        server: QdrantServer = request.getfixturevalue("qdrant_server")
        with catalogs.on_server(server) as catalog:
            name = catalog.create(IDENTITY)
            (found,) = Path(tempfile.gettempdir()).glob(f"ragapp-qdrant-*/storage/collections/{name}")
            catalog.drop(name)
            yield Kept(catalog, found.parents[1])


def built(catalog: IndexCatalog) -> IndexBuild:
    waiting = IndexBuild.objects.filter(state=BuildState.REQUESTED).first()
    build = waiting or IndexBuild.objects.create(embedding_model=EMBEDDER.name)
    return build_run(build.pk, catalog=catalog, embedder=EMBEDDER, noticed_s=0.0)


def with_canary(home: Collection) -> Document:
    made = document(home, *(f"{text} {CANARY}" for text in texts(3)), name="secret.txt")
    keep_vectors({chunk.pk: VECTOR for chunk in made.chunks.all()}, model=EMBEDDER.name)
    return made


def purge(of: Document, catalog: IndexCatalog) -> Erasure:
    with closing(catalog.open(catalog.live(IDENTITY) or "")) as index:
        index.delete_document(str(of.pk))
    for version in of.versions.all():
        (files_dir() / version.file).unlink()
    key = of.pk
    of.delete()
    return Erasure.objects.create(document_id=key, purged_at=timezone.now())


def holding(folder: Path) -> list[str]:
    """The files below a folder that hold one of the needles."""
    # Unlike rglob, walk bears a server that removes folders meanwhile.
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return [str(path.relative_to(folder)) for path in sorted(files) if _holds(path)]


def database_holding() -> list[str]:
    path = Path(connection.settings_dict["NAME"])
    return [each.name for each in (path, path.with_name(f"{path.name}-wal")) if _holds(each)]


def _holds(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return False
    return any(needle in content for needle in NEEDLES)


def settle(catalog: IndexCatalog) -> int:
    return erasures_settle(catalog=catalog, identity=IDENTITY)


def test_after_settling_no_file_holds_a_byte_of_a_deleted_document(kept: Kept) -> None:
    home = collection()
    with transaction.atomic():
        for number in range(60):
            document(home, *texts(5, about=f"matter{number}"), name=f"{number}.txt")
            if number == 30:
                secret = with_canary(home)
    built(kept.catalog)
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (bool(holding(kept.folder)), bool(database_holding()), bool(holding(files_dir()))) == (True, True, True)
    receipt = purge(secret, kept.catalog)
    assert holding(kept.folder), "or this test could not tell"

    assert settle(kept.catalog) == 0
    assert IndexBuild.objects.filter(state=BuildState.REQUESTED).count() == 1
    built(kept.catalog)
    assert settle(kept.catalog) == 1
    receipt.refresh_from_db()
    assert receipt.gone_at is not None
    # A server removes the files of a dropped collection after it has answered.
    deadline = time.monotonic() + 10
    while holding(kept.folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (holding(kept.folder), database_holding(), holding(files_dir())) == ([], [], [])
    assert settle(kept.catalog) == 0


@pytest.fixture
def memory() -> MemoryCatalog:
    return MemoryCatalog()


def test_one_rebuild_an_hour_serves_all_that_wait(memory: MemoryCatalog) -> None:
    home = collection()
    documents = [document(home, *texts(2), name=f"{number}.txt") for number in range(4)]
    built(memory)
    for each in documents[:3]:
        purge(each, memory)
        settle(memory)
    assert IndexBuild.objects.count() == 1, "the last one was built within the hour"
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    for _ in range(3):
        settle(memory)
    assert IndexBuild.objects.filter(state=BuildState.REQUESTED).count() == 1
    built(memory)
    assert settle(memory) == 3


def test_what_was_purged_while_it_was_built_waits_for_the_next(memory: MemoryCatalog) -> None:
    home = collection()
    early, late = document(home, *texts(2), name="a.txt"), document(home, *texts(2), name="b.txt")
    built(memory)
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    purge(early, memory)
    settle(memory)
    second = purge(late, memory)
    built(memory)
    assert settle(memory) == 1
    second.refresh_from_db()
    assert second.gone_at is None


def test_older_generations_go_with_it_and_with_them_the_way_back(memory: MemoryCatalog) -> None:
    home = collection()
    made = document(home, *texts(2))
    first = built(memory)
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    purge(made, memory)
    settle(memory)
    build = built(memory)
    assert len(memory.generations()) == 2
    assert settle(memory) == 1
    assert set(memory.generations()) == {build.generation}
    first.refresh_from_db()
    assert first.generation == ""


def test_a_generation_of_another_model_goes_too(memory: MemoryCatalog) -> None:
    home = collection()
    made = document(home, *texts(2))
    memory.switch(memory.create(IndexIdentity("other", 8)))
    built(memory)
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    purge(made, memory)
    settle(memory)
    built(memory)
    assert settle(memory) == 1
    assert memory.live(IndexIdentity("other", 8)) is None


def test_nothing_is_built_where_nothing_waits(memory: MemoryCatalog) -> None:
    document(collection(), *texts(2))
    built(memory)
    Erasure.objects.create(document_id=uuid4())
    assert settle(memory) == 0
    assert IndexBuild.objects.count() == 1


def test_another_connection_that_reads_only_delays_it(memory: MemoryCatalog) -> None:
    made = document(collection(), *texts(2))
    built(memory)
    IndexBuild.objects.update(created_at=timezone.now() - timedelta(hours=2))
    purge(made, memory)
    settle(memory)
    built(memory)
    with _reader():
        document(collection("Other"), *texts(2), name="b.txt")
        assert settle(memory) == 0
    assert settle(memory) == 1


@contextmanager
def _reader() -> Iterator[None]:
    """A transaction of another process that has begun to read."""
    import sqlite3

    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM ingestion_document").fetchone()
        yield
        other.execute("ROLLBACK")


POSTGRESQL = """
import django
django.setup()
from django.db import connection, transaction
from ingestion.erasure import _database_cleaned, _holders
from tests.ingestion.integrity.corpus import collection, document
import sys, subprocess, uuid
from django.core.management import call_command
call_command("migrate", verbosity=0)
home = collection()
for number in range(50):
    document(home, f"matter {number}", name=f"{number}.txt")
secret = document(home, sys.argv[1], name="secret.txt")
with connection.cursor() as cursor:
    cursor.execute("ALTER SYSTEM SET wal_recycle = off")
    cursor.execute("SELECT pg_reload_conf()")
    cursor.execute("CHECKPOINT")
    cursor.execute("SHOW data_directory")
    folder = cursor.fetchone()[0]
def held():
    found = subprocess.run(["grep", "-rlaF", sys.argv[1], folder], capture_output=True, text=True).stdout.split()
    return [each for each in found]
secret.delete()
with connection.cursor() as cursor:
    cursor.execute("VACUUM")
WANTED = {"chat_citation", "ingestion_chunkembedding", "chat_message", "chat_feedback", "evaluation_evaluationcase"}
print(len(held()), {each._meta.db_table for each in _holders()} >= WANTED)
assert _database_cleaned()
assert _database_cleaned()
print(held())
"""


def test_postgresql_tables_and_log_are_rid_of_it(postgres_url: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAGAPP_")}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "ragapp.settings",
        "RAGAPP_DATA_DIR": str(tmp_path),
        "RAGAPP_DATABASE_URL": postgres_url,
    }
    done = subprocess.run(
        [sys.executable, "-c", POSTGRESQL, CANARY], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.splitlines()
    held, complete = before.split()
    assert (held != "0", complete) == (True, "True"), "or this test could not tell"
    assert after == "[]"
