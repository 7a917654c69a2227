"""With nothing that may be read, no engine is asked: an empty filter would match everything."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import ChunkIndex, Conditions, IndexIdentity
from ingestion.index.edge import EdgeIndex
from ingestion.index.qdrant import Connection, QdrantIndex
from tests.ingestion.index.conftest import EMBEDDER, asking

IDENTITY = IndexIdentity(embedding_model="hashing", dimension=EMBEDDER.dimension)

Make = Callable[[], ChunkIndex]


class Untouchable:
    """An engine that must not be asked for anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked: {name}")


def edge() -> EdgeIndex:
    return EdgeIndex(cast(Any, Untouchable()), identity=IDENTITY, release=lambda: None)


def qdrant() -> QdrantIndex:
    return QdrantIndex(cast(Connection, Untouchable()), name="n", identity=IDENTITY)


def scopes_without_collections(source: random.Random) -> AccessScope:
    """Empty in many ways: from the start, or narrowed until nothing is left."""
    names = frozenset(source.choices("abcdef", k=source.randint(0, 4)))
    return source.choice([AccessScope(frozenset()), AccessScope(names).narrowed_to(frozenset("xyz"))])


@pytest.mark.parametrize("make", [edge, qdrant])
def test_empty_scope_never_reaches_the_engine(make: Make) -> None:
    index = make()
    source = random.Random(7)
    for _ in range(200):
        query = asking("".join(source.choices("leave of absence *?\x00", k=source.randint(0, 30))))
        conditions = Conditions(document_ids=frozenset(source.choices("abc", k=source.randint(0, 2))))
        scope = scopes_without_collections(source)
        assert index.search(query, scope=scope, limit=source.randint(-1, 50), conditions=conditions) == []


@pytest.mark.parametrize("make", [edge, qdrant])
def test_the_engine_is_asked_otherwise(make: Make) -> None:
    """The test above can fail."""
    with pytest.raises(AssertionError, match="was asked"), _unwrapped():
        make().search(asking("leave"), scope=AccessScope(frozenset({"c"})), limit=5)


@contextmanager
def _unwrapped() -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        # The embedded index takes any exception of the engine for its own.
        raise (exc.__cause__ or exc) from None
