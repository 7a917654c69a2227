"""The embedded index: one owner, nothing acknowledged is lost, and never an empty index in place of a lost one."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestion.access import AccessScope
from ingestion.errors import IndexInUseError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexIdentity
from ingestion.index.edge_catalog import EdgeCatalog
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of
from tests.ingestion.index.test_contract import key, random_chunks

IDENTITY = IndexIdentity(embedding_model="hashing", dimension=EMBEDDER.dimension)
ALIAS = "chunks_hashing_256_v3"
SCOPE = AccessScope(frozenset({"c"}))
ROOT = Path(__file__).parents[3]


@contextmanager
def opened(folder: Path) -> Iterator[EdgeCatalog]:
    catalog = EdgeCatalog(folder)
    try:
        yield catalog
    finally:
        catalog.close()


def live_generation(folder: Path, *, chunks: int = 30) -> str:
    """A folder as a process leaves it: one live generation with points."""
    with opened(folder) as catalog:
        name = catalog.create(IDENTITY)
        index = catalog.open(name)
        index.upsert(random_chunks(chunks, collections="c"))
        catalog.switch(name)
    return name


def test_points_and_what_is_live_outlive_the_process(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    with opened(tmp_path) as catalog:
        assert catalog.live(IDENTITY) == name
        index = catalog.open(name)
        assert index.count() == 30
        assert index.search(asking("leave"), scope=SCOPE, limit=1)


def test_a_half_built_generation_is_there_after_a_restart_and_can_be_finished_or_dropped(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    with opened(tmp_path) as catalog:
        half = catalog.create(IDENTITY)
        catalog.open(half).upsert(random_chunks(7))
    with opened(tmp_path) as catalog:
        assert catalog.live(IDENTITY) == name
        assert set(catalog.generations()) == {name, half}
        index = catalog.open(half)
        assert index.count() == 7
        index.upsert(random_chunks(30))
        assert index.count() == 30
        catalog.drop(half)
    assert not (tmp_path / half).exists()
    with opened(tmp_path) as catalog:
        assert set(catalog.generations()) == {name}


def test_a_pointer_to_nothing_is_unavailable_and_no_empty_index(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    shutil.rmtree(tmp_path / name)
    with opened(tmp_path) as catalog:
        assert catalog.live(IDENTITY) == name
        with pytest.raises(IndexUnavailableError, match=name):
            catalog.open(name)
        again = catalog.create(IDENTITY)
        assert again != name
        catalog.switch(again)
        assert catalog.live(IDENTITY) == again


@pytest.mark.parametrize("lost", ["shard", "shard/segments", "shard/edge_config.json"])
def test_lost_files_are_unavailable_and_no_empty_index(tmp_path: Path, lost: str) -> None:
    name = live_generation(tmp_path)
    path = tmp_path / name / lost
    if path.is_dir():
        shutil.rmtree(path)
        path.mkdir()
    else:
        path.unlink()
    with opened(tmp_path) as catalog, pytest.raises(IndexUnavailableError):
        catalog.open(name)


def test_broken_files_are_unavailable(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    (tmp_path / name / "shard" / "edge_config.json").write_text("{")
    with opened(tmp_path) as catalog, pytest.raises(IndexUnavailableError):
        catalog.open(name)


@pytest.mark.parametrize("pointer", [b"", b"somewhere else", b"\xff\xfe", b"chunks_other_256_v3_g1", b"../../etc"])
def test_an_unreadable_pointer_is_unavailable(tmp_path: Path, pointer: bytes) -> None:
    live_generation(tmp_path)
    (tmp_path / f"{ALIAS}.live").write_bytes(pointer)
    with opened(tmp_path) as catalog, pytest.raises(IndexUnavailableError):
        catalog.live(IDENTITY)


@pytest.mark.parametrize(
    "record",
    [
        "{",
        "[]",
        json.dumps({"embedding_model": "another", "dimension": 256, "schema_version": 3}),
        json.dumps({"embedding_model": "hashing", "dimension": 3, "schema_version": 3}),
        json.dumps({"embedding_model": "hashing", "dimension": 256}),
    ],
)
def test_another_identity_than_the_name_says_is_refused(tmp_path: Path, record: str) -> None:
    name = live_generation(tmp_path)
    (tmp_path / name / "identity.json").write_text(record)
    with opened(tmp_path) as catalog, pytest.raises(IndexMismatchError):
        catalog.open(name)


def test_the_one_index_of_the_earlier_layout_is_not_live_and_is_dropped_as_legacy(tmp_path: Path) -> None:
    (tmp_path / "shard" / "segments").mkdir(parents=True)
    earlier = {"embedding_model": "hashing", "dimension": 256, "schema_version": 1}
    (tmp_path / "identity.json").write_text(json.dumps(earlier))
    with opened(tmp_path) as catalog:
        assert catalog.live(IDENTITY) is None
        assert catalog.generations() == {"legacy": IndexIdentity("hashing", 256, 1)}
        with pytest.raises(IndexMismatchError):
            catalog.open("legacy")
        with pytest.raises(IndexMismatchError):
            catalog.switch("legacy")
        name = catalog.create(IDENTITY)
        catalog.switch(name)
        catalog.drop("legacy")
        assert catalog.generations() == {name: IDENTITY}
    assert {path.name for path in tmp_path.iterdir()} == {"owner.lock", name, f"{ALIAS}.live"}


def test_what_a_killed_process_left_half_made_or_half_removed_is_swept_away(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    (tmp_path / f"{ALIAS}_g2.new" / "shard").mkdir(parents=True)
    (tmp_path / f"{ALIAS}_g3.gone" / "shard").mkdir(parents=True)
    (tmp_path / f"{ALIAS}.live.new").write_text(f"{ALIAS}_g")
    with opened(tmp_path) as catalog:
        assert catalog.generations() == {name: IDENTITY}
        assert catalog.live(IDENTITY) == name
    assert {path.name for path in tmp_path.iterdir()} == {"owner.lock", name, f"{ALIAS}.live"}


def test_second_owner_is_told_who_owns_the_index(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(IndexInUseError, match=str(os.getpid())):
        EdgeCatalog(tmp_path)
    EdgeCatalog(tmp_path).close()


def test_a_generation_opened_twice_is_closed_by_the_last(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    with opened(tmp_path) as catalog:
        one, other = catalog.open(name), catalog.open(name)
        one.upsert([chunk_of(key(1_000), "annual leave")])
        assert other.count() == 31
        one.close()
        one.close()
        with pytest.raises(IndexUnavailableError):
            one.count()
        assert other.count() == 31
        other.close()
        assert catalog.open(name).count() == 31


def test_a_closed_catalog_is_unavailable_and_closes_again(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    with opened(tmp_path) as catalog:
        index = catalog.open(name)
        catalog.close()
        with pytest.raises(IndexUnavailableError):
            index.count()
        index.close()
        for use in (lambda: catalog.open(name), lambda: catalog.create(IDENTITY), lambda: catalog.switch(name)):
            with pytest.raises(IndexUnavailableError):
                use()


def test_dropping_under_searches_breaks_nothing_else(tmp_path: Path) -> None:
    name = live_generation(tmp_path)
    with opened(tmp_path) as catalog:
        other = catalog.create(IDENTITY)
        index = catalog.open(other)
        index.upsert(random_chunks(500, collections="c"))
        told = threading.Event()

        def search() -> None:
            try:
                while True:
                    assert index.search(asking("leave"), scope=SCOPE, limit=5)
            except IndexUnavailableError:
                told.set()

        threads = [threading.Thread(target=search) for _ in range(3)]
        for each in threads:
            each.start()
        catalog.drop(other)
        for each in threads:
            each.join(30)
        assert told.is_set()
        assert not any(each.is_alive() for each in threads)
        assert catalog.open(name).count() == 30


def test_deleted_points_leave_the_files(tmp_path: Path) -> None:
    name = live_generation(tmp_path, chunks=500)
    with opened(tmp_path) as catalog:
        index = catalog.open(name)
        for number in range(4):
            index.delete_document(f"document-{number}")
    with opened(tmp_path) as catalog:
        assert catalog.open(name).count() == 100


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import os, signal
        from dataclasses import replace
        from pathlib import Path
        from ingestion.index.edge_catalog import EdgeCatalog
        from tests.ingestion.index.test_contract import random_chunks
        from tests.ingestion.index.test_edge import IDENTITY
        catalog = EdgeCatalog(Path({str(tmp_path)!r}))
        name = catalog.create(IDENTITY)
        catalog.switch(name)
        index = catalog.open(name)
        chunks = random_chunks(300)
        index.upsert(chunks)
        index.delete_document("document-4")
        index.upsert(chunks[:5])
        index.delete_points([chunks[0].chunk_id])
        index.set_attributes(replace(chunks[1].attributes, label=3))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert killed.returncode == -9
    with opened(tmp_path) as catalog:
        name = catalog.live(IDENTITY)
        assert name is not None
        index = catalog.open(name)
        assert index.count() == 240
        assert index.count(document_id="document-4") == 1
        labels = {each.attributes.label for each in index.points() if each.attributes.document_id == "document-1"}
        assert labels == {3}
