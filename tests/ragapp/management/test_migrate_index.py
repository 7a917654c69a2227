"""`manage.py migrate_index`: from the embedded index to a real Qdrant server."""

from collections.abc import Iterator
from contextlib import closing
from unittest.mock import patch

import pytest
from django.core.management.base import CommandError

from ingestion import engine
from ingestion.index.qdrant_catalog import QdrantCatalog
from ingestion.projection import differences, project
from tests.ingestion.integrity import catalogs
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, texts
from tests.provision.qdrant import QdrantServer
from tests.ragapp.management.conftest import Run

KEY = "TARGET_KEY"


@pytest.fixture
def target(qdrant_server: QdrantServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantServer]:
    monkeypatch.setenv(KEY, qdrant_server.api_key)
    with catalogs.on_server(qdrant_server):
        yield qdrant_server


def migrated(run: Run, target: QdrantServer) -> str:
    return run("migrate_index", "--to-url", target.url, "--api-key-env", KEY)


def test_everything_is_on_the_server_and_nothing_is_embedded_again(run: Run, target: QdrantServer) -> None:
    home = collection()
    document(home, *texts(30))
    project(engine.index(), EMBEDDER)
    with patch.object(EMBEDDER, "embed_documents", side_effect=AssertionError("embedded")):
        said = migrated(run, target)
    assert f"RAGAPP_QDRANT_URL={target.url}" in said
    assert "RAGAPP_QDRANT_API_KEY" in said
    assert target.api_key not in said
    with closing(QdrantCatalog(url=target.url, api_key=target.api_key)) as catalog:
        with closing(catalog.open(catalog.live(IDENTITY) or "")) as index:
            assert (index.count(), differences(index).count) == (30, 0)
        first = set(catalog.generations())
        document(home, *texts(4, about="travel"), name="b.txt")
        migrated(run, target)
        assert set(catalog.generations()) == first
        with closing(catalog.open(catalog.live(IDENTITY) or "")) as index:
            assert index.count() == 34


def test_a_server_that_is_down_is_said(run: Run) -> None:
    with pytest.raises(CommandError, match="index is not available"):
        run("migrate_index", "--to-url", "http://127.0.0.1:1")


def test_a_key_that_is_not_there_is_said(run: Run) -> None:
    with pytest.raises(CommandError, match="no NOT_THERE"):
        run("migrate_index", "--to-url", "http://127.0.0.1:1", "--api-key-env", "NOT_THERE")
