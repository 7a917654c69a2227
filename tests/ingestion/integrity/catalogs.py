"""A catalog of every kind, without a generation of the corpus' model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ingestion.index.base import IndexCatalog
from ingestion.index.edge_catalog import EdgeCatalog
from ingestion.index.payload import alias_of
from ingestion.index.qdrant_catalog import QdrantCatalog
from tests.ingestion.integrity.corpus import IDENTITY
from tests.provision.qdrant import QdrantServer


@contextmanager
def edge(folder: Path) -> Iterator[IndexCatalog]:
    """The embedded index in a folder."""
    catalog = EdgeCatalog(folder)
    try:
        yield catalog
    finally:
        catalog.close()


@contextmanager
def on_server(server: QdrantServer) -> Iterator[IndexCatalog]:
    """A server that other tests use as well: what earlier ones left of this model goes first."""
    _cleared(server)
    catalog = QdrantCatalog(url=server.url, api_key=server.api_key)
    try:
        yield catalog
    finally:
        catalog.close()
        _cleared(server)


def _cleared(server: QdrantServer) -> None:
    with httpx.Client(base_url=server.url, headers={"api-key": server.api_key}, trust_env=False) as client:
        for each in client.get("/collections").json()["result"]["collections"]:
            if each["name"].startswith((alias_of(IDENTITY), "chunks_other_8_")):
                client.delete(f"/collections/{each['name']}").raise_for_status()
