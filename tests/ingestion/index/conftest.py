"""An index of every kind, empty, for each test."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.embedding.hashing import HashingEmbedder
from ingestion.index.base import ChunkIndex, IndexedChunk, IndexIdentity, IndexQuery
from ingestion.index.edge import EdgeIndex
from ingestion.index.qdrant import QdrantIndex

WEIGHT = 0.7
EMBEDDER = HashingEmbedder()
Open = Callable[[IndexIdentity], ChunkIndex]

_numbers = itertools.count()


@pytest.fixture
def identity() -> IndexIdentity:
    """Another one each time: tests share the server."""
    return IndexIdentity(embedding_model=f"hashing-{next(_numbers)}", dimension=EMBEDDER.dimension)


@pytest.fixture(params=["edge", "memory", "server"])
def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens an index of one kind; twice with the same identity opens the same index, where the kind keeps one."""
    if request.param == "edge":
        return lambda identity: EdgeIndex(tmp_path / "index", identity=identity, dense_weight=WEIGHT)
    if request.param == "memory":
        return lambda identity: QdrantIndex(identity=identity, dense_weight=WEIGHT)
    server = request.getfixturevalue("qdrant_server")
    return lambda identity: QdrantIndex(identity=identity, dense_weight=WEIGHT, url=server.url, api_key=server.api_key)


@pytest.fixture
def index(open_index: Open, identity: IndexIdentity) -> Iterator[ChunkIndex]:
    opened = open_index(identity)
    yield opened
    opened.close()


def chunk_of(chunk_id: str, text: str, *, document: str = "d", collection: str = "c") -> IndexedChunk:
    """A chunk as the pipeline makes it."""
    return IndexedChunk(
        chunk_id=chunk_id,
        document_id=document,
        collection_id=collection,
        text=text,
        vector=EMBEDDER.embed_query(text),
    )


def asking(text: str) -> IndexQuery:
    """A question as the answerer asks it."""
    return IndexQuery(text=text, vector=EMBEDDER.embed_query(text))
