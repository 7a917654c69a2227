"""The embedded index: one owner, one identity, nothing acknowledged is lost."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ingestion.access import AccessScope
from ingestion.errors import IndexInUseError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexIdentity
from ingestion.index.edge import EdgeIndex
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of
from tests.ingestion.index.test_contract import key, random_chunks

IDENTITY = IndexIdentity(embedding_model="hashing", dimension=EMBEDDER.dimension)
SCOPE = AccessScope(frozenset({"c"}))
ROOT = Path(__file__).parents[3]


def opened(folder: Path, identity: IndexIdentity = IDENTITY) -> EdgeIndex:
    return EdgeIndex(folder, identity=identity, dense_weight=0.7)


def test_points_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.upsert([chunk_of(key(1), "annual leave")])
    first.close()
    second = opened(tmp_path)
    assert second.search(asking("annual leave"), scope=SCOPE, limit=1)[0].chunk_id == key(1)
    second.close()


def test_second_owner_is_told_who_owns_the_index(tmp_path: Path) -> None:
    owner = opened(tmp_path)
    with pytest.raises(IndexInUseError, match=str(os.getpid())):
        opened(tmp_path)
    owner.close()
    opened(tmp_path).close()


def test_failed_opening_gives_the_folder_back(tmp_path: Path) -> None:
    opened(tmp_path).close()
    other = IndexIdentity(embedding_model="another", dimension=EMBEDDER.dimension)
    for _ in range(2):
        with pytest.raises(IndexMismatchError, match="hashing"):
            opened(tmp_path, other)
    opened(tmp_path).close()


@pytest.mark.parametrize(
    "other",
    [
        IndexIdentity(embedding_model="another", dimension=256),
        IndexIdentity(embedding_model="hashing", dimension=3),
        IndexIdentity(embedding_model="hashing", dimension=256, schema_version=2),
    ],
)
def test_another_identity_is_refused(tmp_path: Path, other: IndexIdentity) -> None:
    opened(tmp_path).close()
    with pytest.raises(IndexMismatchError):
        opened(tmp_path, other)


def test_unreadable_identity_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(IndexMismatchError):
        opened(tmp_path)


def test_broken_files_are_unavailable(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(IndexUnavailableError):
        opened(tmp_path)


def test_half_made_shard_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "shard.new" / "segments").mkdir(parents=True)
    (tmp_path / "identity.json").write_text(json.dumps(vars(IDENTITY)))
    index = opened(tmp_path)
    assert index.count() == 0
    index.close()


def test_closed_index_is_unavailable_and_closes_again(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.close()
    index.close()
    with pytest.raises(IndexUnavailableError):
        index.count()


def test_ids_must_be_uuids(tmp_path: Path) -> None:
    index = opened(tmp_path)
    with pytest.raises(IndexUnavailableError):
        index.upsert([chunk_of("not a uuid", "x")])
    index.close()


def test_deleted_points_leave_the_files(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.upsert(random_chunks(500, collections="c"))
    for number in range(4):
        index.delete_document(f"document-{number}")
    index.close()
    again = opened(tmp_path)
    assert again.count() == 100
    again.close()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from tests.ingestion.index.test_contract import random_chunks
        from tests.ingestion.index.test_edge import opened
        index = opened(Path({str(tmp_path)!r}))
        chunks = random_chunks(300)
        index.upsert(chunks)
        index.delete_document("document-4")
        index.upsert(chunks[:5])
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert killed.returncode == -9
    index = opened(tmp_path)
    assert index.count() == 241
    assert index.count(document_id="document-4") == 1
    index.close()
