"""The index on a server: named for its identity, and clear about a server that is down."""

import pytest
from qdrant_client import QdrantClient, models

from ingestion.access import AccessScope
from ingestion.errors import IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexIdentity
from ingestion.index.qdrant import QdrantIndex, collection_name
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of
from tests.ingestion.index.test_contract import key
from tests.provision.qdrant import QdrantServer

SCOPE = AccessScope(frozenset({"c"}))


def opened(server: QdrantServer, identity: IndexIdentity) -> QdrantIndex:
    return QdrantIndex(identity=identity, dense_weight=0.7, url=server.url, api_key=server.api_key)


@pytest.mark.parametrize(
    ("model", "dimension", "expected"),
    [
        ("all-MiniLM-L6-v2", 384, "chunks_all-minilm-l6-v2_384_v1"),
        ("BAAI/bge m3", 1024, "chunks_baai-bge-m3_1024_v1"),
    ],
)
def test_collection_is_named_for_its_identity(model: str, dimension: int, expected: str) -> None:
    assert collection_name(IndexIdentity(embedding_model=model, dimension=dimension)) == expected


def test_two_processes_share_an_index(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    one, other = opened(qdrant_server, identity), opened(qdrant_server, identity)
    one.upsert([chunk_of(key(1), "annual leave")])
    assert other.search(asking("annual leave"), scope=SCOPE, limit=1)[0].chunk_id == key(1)
    one.close()
    other.close()


def test_identities_never_mix(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    one = opened(qdrant_server, identity)
    one.upsert([chunk_of(key(1), "annual leave")])
    other = opened(qdrant_server, IndexIdentity(f"{identity.embedding_model}-other", identity.dimension))
    assert other.count() == 0
    one.close()
    other.close()


def test_collection_that_somebody_else_built_is_refused(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    client = QdrantClient(":memory:")
    client.create_collection(
        collection_name(identity),
        vectors_config={"dense": models.VectorParams(size=3, distance=models.Distance.COSINE)},
        metadata={"embedding_model": "another"},
    )
    index = QdrantIndex(identity=identity, dense_weight=0.7)
    index._client = client
    with pytest.raises(IndexMismatchError):
        index.count()
    index.close()


def test_payload_fields_of_filters_are_indexed(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    index = opened(qdrant_server, identity)
    index.count()
    schema = index._client.get_collection(collection_name(identity)).payload_schema
    assert {name: field.data_type for name, field in schema.items()} == {
        "collection_id": models.PayloadSchemaType.KEYWORD,
        "document_id": models.PayloadSchemaType.KEYWORD,
    }
    index.close()


def test_wrong_key_is_unavailable(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    index = QdrantIndex(identity=identity, dense_weight=0.7, url=qdrant_server.url, api_key="wrong")
    with pytest.raises(IndexUnavailableError):
        index.count()
    index.close()


def test_no_server_is_unavailable_on_use_and_not_before(identity: IndexIdentity) -> None:
    index = QdrantIndex(identity=identity, dense_weight=0.7, url="http://127.0.0.1:9", api_key="k")
    for use in (
        index.count,
        lambda: index.upsert([chunk_of(key(1), "x")]),
        lambda: index.search(asking("x"), scope=SCOPE, limit=1),
        lambda: index.delete_document("d"),
    ):
        with pytest.raises(IndexUnavailableError):
            use()
    index.close()


def test_vectors_of_another_dimension_are_unavailable(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    assert EMBEDDER.dimension != 3
    index = opened(qdrant_server, IndexIdentity(identity.embedding_model, 3))
    with pytest.raises(IndexUnavailableError):
        index.upsert([chunk_of(key(1), "x")])
    index.close()
