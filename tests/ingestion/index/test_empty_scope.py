"""With nothing that may be read, no engine is asked: an empty filter would match everything."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import IndexIdentity
from ingestion.index.edge import EdgeIndex
from ingestion.index.qdrant import QdrantIndex
from tests.ingestion.index.conftest import EMBEDDER, asking

IDENTITY = IndexIdentity(embedding_model="hashing", dimension=EMBEDDER.dimension)


Make = Callable[[Path], EdgeIndex | QdrantIndex]


class Untouchable:
    """An engine that must not be asked for anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked: {name}")


def edge(folder: Path) -> EdgeIndex:
    index = EdgeIndex(folder, identity=IDENTITY, dense_weight=0.7)
    index._shard.close()
    index._shard = Untouchable()  # type: ignore[assignment]
    return index


def qdrant(folder: Path) -> QdrantIndex:
    index = QdrantIndex(identity=IDENTITY, dense_weight=0.7)
    index._client.close()
    index._client = Untouchable()  # type: ignore[assignment]
    return index


@contextmanager
def closing_owner(index: EdgeIndex | QdrantIndex) -> Iterator[EdgeIndex | QdrantIndex]:
    """The engine itself is closed already."""
    try:
        yield index
    finally:
        if isinstance(index, EdgeIndex):
            index._owner.close()


def scopes_without_collections(source: random.Random) -> AccessScope:
    """Empty in many ways: from the start, or narrowed until nothing is left."""
    names = frozenset(source.choices("abcdef", k=source.randint(0, 4)))
    return source.choice([AccessScope(frozenset()), AccessScope(names).narrowed_to(frozenset("xyz"))])


@pytest.mark.parametrize("make", [edge, qdrant])
def test_empty_scope_never_reaches_the_engine(tmp_path: Path, make: Make) -> None:
    with closing_owner(make(tmp_path)) as index:
        _ask_a_lot(index)


def _ask_a_lot(index: EdgeIndex | QdrantIndex) -> None:
    source = random.Random(7)  # noqa: S311 - the same cases at every run
    for _ in range(200):
        query = asking("".join(source.choices("leave of absence *?\x00", k=source.randint(0, 30))))
        assert index.search(query, scope=scopes_without_collections(source), limit=source.randint(-1, 50)) == []


@pytest.mark.parametrize("make", [edge, qdrant])
def test_the_engine_is_asked_otherwise(tmp_path: Path, make: Make) -> None:
    """The test above can fail."""
    with closing_owner(make(tmp_path)) as index, pytest.raises(AssertionError, match="was asked"):
        _unwrapped(index)


def _unwrapped(index: EdgeIndex | QdrantIndex) -> None:
    try:
        index.search(asking("leave"), scope=AccessScope(frozenset({"c"})), limit=5)
    except Exception as exc:
        # The embedded index takes any exception of the engine for its own.
        raise (exc.__cause__ or exc) from None
