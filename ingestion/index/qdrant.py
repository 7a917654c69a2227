"""The index on a Qdrant server or cluster; without a URL, in memory, for tests.

One Qdrant collection holds all chunks of one identity, which is in its name and its metadata; the scope is a
filter on every search. Connects on first use: the application starts, and says so, while Qdrant is down.
"""

import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict

from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from ingestion.access import AccessScope
from ingestion.errors import IndexMismatchError, IndexUnavailableError
from ingestion.index.base import Hit, IndexedChunk, IndexIdentity, IndexQuery
from ingestion.index.fusion import Arm, Found, Question, hybrid_search
from ingestion.index.sparse import Bm25Encoder

# 256 points of 1,024 dimensions as JSON stay well below the server's limit of 32 MB for a request.
_BATCH = 256
_TIMEOUT_S = 30
_CONFLICT = 409


def collection_name(identity: IndexIdentity) -> str:
    """For instance chunks_all-minilm-l6-v2_384_v1."""
    model = re.sub(r"[^a-z0-9.-]+", "-", identity.embedding_model.lower()).strip("-")
    return f"chunks_{model}_{identity.dimension}_v{identity.schema_version}"


class QdrantIndex:
    """ChunkIndex over qdrant-client. Raises IndexUnavailableError and IndexMismatchError on use."""

    def __init__(self, *, identity: IndexIdentity, dense_weight: float, url: str = "", api_key: str = "") -> None:
        self.identity = identity
        self._dense_weight = dense_weight
        self._bm25 = Bm25Encoder()
        self._name = collection_name(identity)
        self._in_memory = not url
        self._client = _client(url, api_key=api_key)
        self._creating = threading.Lock()
        # The client's in-memory engine is for one thread at a time.
        self._turn: AbstractContextManager[object] = nullcontext() if url else threading.Lock()
        self._ready = False

    def upsert(self, chunks: Sequence[IndexedChunk]) -> None:
        """Write the chunks; on return they are applied, not only acknowledged."""
        with self._in_use():
            for start in range(0, len(chunks), _BATCH):
                points = [self._point(each) for each in chunks[start : start + _BATCH]]
                self._client.upsert(self._name, points=points, wait=True)

    def search(self, query: IndexQuery, *, scope: AccessScope, limit: int) -> list[Hit]:
        """The best chunks within `scope`, best first; [] for an empty scope, without asking the server."""
        if scope.is_empty or limit <= 0:
            return []
        terms = self._bm25.query(query.text)
        vectors: dict[Arm, list[float] | models.SparseVector | None] = {
            Arm.DENSE: list(query.vector) if any(query.vector) else None,
            Arm.SPARSE: models.SparseVector(**asdict(terms)) if terms.indices else None,
        }
        within = _matches_any("collection_id", sorted(scope.collection_ids))

        def ask(questions: Sequence[Question]) -> list[list[Found]]:
            return self._ask(questions, vectors=vectors, within=within)

        with self._in_use():
            return hybrid_search(ask, limit=limit, dense_weight=self._dense_weight)

    def delete_document(self, document_id: str) -> None:
        """Remove every point of the document."""
        with self._in_use():
            selector = models.FilterSelector(filter=_of_document(document_id))
            self._client.delete(self._name, points_selector=selector, wait=True)

    def count(self, *, document_id: str | None = None) -> int:
        """Exact number of points."""
        only = _of_document(document_id) if document_id is not None else None
        with self._in_use():
            return self._client.count(self._name, count_filter=only, exact=True).count

    def close(self) -> None:
        """Close the connections."""
        with _translated():
            self._client.close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with _translated(), self._turn:
            self._ensure_collection()
            yield

    def _ask(
        self,
        questions: Sequence[Question],
        *,
        vectors: dict[Arm, list[float] | models.SparseVector | None],
        within: models.FieldCondition,
    ) -> list[list[Found]]:
        asked = [each for each in questions if vectors[each.arm] is not None]
        if not asked:
            return [[] for _ in questions]
        requests = [_request(each, vector=vectors[each.arm], within=within) for each in asked]
        answers = iter(self._client.query_batch_points(self._name, requests=requests))
        return [_found(next(answers)) if vectors[each.arm] is not None else [] for each in questions]

    def _point(self, chunk: IndexedChunk) -> models.PointStruct:
        terms = self._bm25.document(chunk.text)
        return models.PointStruct(
            id=chunk.chunk_id,
            vector={
                Arm.DENSE.value: list(chunk.vector),
                Arm.SPARSE.value: models.SparseVector(**asdict(terms)),
            },
            payload={"collection_id": chunk.collection_id, "document_id": chunk.document_id},
        )

    def _ensure_collection(self) -> None:
        if self._ready:
            return
        with self._creating:
            if not self._client.collection_exists(self._name):
                self._create()
            self._check()
            self._ready = True

    def _create(self) -> None:
        try:
            self._client.create_collection(
                self._name,
                vectors_config={
                    Arm.DENSE.value: models.VectorParams(size=self.identity.dimension, distance=models.Distance.COSINE)
                },
                sparse_vectors_config={Arm.SPARSE.value: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata=asdict(self.identity),
            )
        except UnexpectedResponse as exc:
            # Another process was first.
            if exc.status_code != _CONFLICT:
                raise
        if self._in_memory:
            return
        tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        self._client.create_payload_index(self._name, field_name="collection_id", field_schema=tenant, wait=True)
        keyword = models.PayloadSchemaType.KEYWORD
        self._client.create_payload_index(self._name, field_name="document_id", field_schema=keyword, wait=True)

    def _check(self) -> None:
        config = self._client.get_collection(self._name).config
        if config.metadata != asdict(self.identity):
            raise IndexMismatchError(f"collection {self._name} was built with {config.metadata}")


def _client(url: str, *, api_key: str) -> QdrantClient:
    if not url:
        return QdrantClient(":memory:")
    with warnings.catch_warnings():
        # Inside the perimeter plain HTTP with a key is an operator's choice, made in the URL.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(
            url=url, api_key=api_key or None, timeout=_TIMEOUT_S, check_compatibility=False, trust_env=False
        )


def _request(
    question: Question, *, vector: list[float] | models.SparseVector | None, within: models.FieldCondition
) -> models.QueryRequest:
    must: list[models.Condition] = [within]
    if question.ids is not None:
        must.append(models.HasIdCondition(has_id=list(question.ids)))
    return models.QueryRequest(
        query=vector,
        using=question.arm.value,
        filter=models.Filter(must=must),
        limit=question.limit,
        with_payload=["document_id"],
    )


def _found(answer: models.QueryResponse) -> list[Found]:
    return [Found(str(point.id), str((point.payload or {})["document_id"]), point.score) for point in answer.points]


def _matches_any(key: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=values))


def _of_document(document_id: str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="document_id", match=models.MatchValue(value=document_id))])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (
        ApiException,
        ResponseHandlingException,
        ValidationError,
        ValueError,
        OSError,
        RuntimeError,
    ) as exc:
        raise IndexUnavailableError(f"{type(exc).__name__}: {exc}") from exc
