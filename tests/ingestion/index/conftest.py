"""A catalog of every kind, empty of this test's identity, for each test; and one generation of it."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from ingestion.embedding.hashing import HashingEmbedder
from ingestion.index.base import Attributes, ChunkIndex, IndexCatalog, IndexedChunk, IndexIdentity, IndexQuery
from ingestion.index.edge_catalog import EdgeCatalog
from ingestion.index.qdrant_catalog import QdrantCatalog

EMBEDDER = HashingEmbedder()
OpenCatalog = Callable[[], IndexCatalog]

_numbers = itertools.count()


@pytest.fixture
def identity() -> IndexIdentity:
    """Another one each time: tests share the server."""
    name = f"hashing-{secrets.token_hex(4)}-{next(_numbers)}"
    return IndexIdentity(embedding_model=name, dimension=EMBEDDER.dimension)


@pytest.fixture(params=["edge", "memory", "server"])
def open_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> OpenCatalog:
    """Opens a catalog of one kind; a second time it opens the same one, where the kind keeps it."""
    if request.param == "edge":
        return lambda: EdgeCatalog(tmp_path / "index")
    if request.param == "memory":
        return lambda: QdrantCatalog()
    server = request.getfixturevalue("qdrant_server")
    return lambda: QdrantCatalog(url=server.url, api_key=server.api_key)


@pytest.fixture
def catalog(open_catalog: OpenCatalog) -> Iterator[IndexCatalog]:
    opened = open_catalog()
    yield opened
    opened.close()


@pytest.fixture
def index(catalog: IndexCatalog, identity: IndexIdentity) -> Iterator[ChunkIndex]:
    opened = catalog.open(catalog.create(identity))
    yield opened
    opened.close()


def chunk_of(
    chunk_id: str,
    text: str,
    *,
    document: str = "d",
    collection: str = "c",
    version: int = 1,
    media_type: str = "text/plain",
    language: str = "en",
    dated: datetime | None = None,
) -> IndexedChunk:
    """A chunk as the pipeline makes it."""
    attributes = Attributes(
        document_id=document,
        version=version,
        collection_id=collection,
        label=1,
        media_type=media_type,
        language=language,
        dated=dated,
    )
    return IndexedChunk(chunk_id=chunk_id, text=text, vector=EMBEDDER.embed_query(text), attributes=attributes)


def asking(text: str) -> IndexQuery:
    """A question as the answerer asks it."""
    return IndexQuery(text=text, vector=EMBEDDER.embed_query(text))
