"""Search in the asker's scope: embed, ask the index, re-check in SQL, judge relevance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder
from ingestion.index.base import NO_CONDITIONS, ChunkIndex, Conditions, Hit, IndexQuery
from ragapp.answering.base import Passage, Retrieval


class PassageStore(Protocol):
    """Passages from SQL, the truth about what exists and who may read it."""

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those of the chunks that exist and are in the scope, by id."""
        ...


class HybridRetriever:
    """Dense and BM25 search, fused. `relevance_threshold` is a cosine: below it the documents do not speak to it."""

    def __init__(
        self,
        *,
        embedder: Callable[[], Embedder],
        index: Callable[[], ChunkIndex],
        store: PassageStore,
        relevance_threshold: float,
    ) -> None:
        self._embedder = embedder
        self._index = index
        self._store = store
        self._relevance_threshold = relevance_threshold

    def retrieve(
        self, question: str, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS
    ) -> Retrieval:
        """The best passages, best first. Raises EmbedderUnavailableError or IndexUnavailableError."""
        if scope.is_empty:
            return Retrieval(passages=(), relevant=False)
        vector = self._embedder().embed_query(question)
        query = IndexQuery(text=question, vector=vector)
        # Three times as many as wanted: the re-check drops what was deleted a moment ago, and both versions of a
        # document are there while one takes the other's place.
        hits = self._index().search(query, scope=scope, limit=3 * limit, conditions=conditions)
        passages = self._checked(hits, scope=scope)[:limit]
        return Retrieval(
            passages=passages,
            relevant=any(passage.dense >= self._relevance_threshold for passage in passages),
        )

    def _checked(self, hits: Sequence[Hit], *, scope: AccessScope) -> tuple[Passage, ...]:
        known = self._store.load([hit.chunk_id for hit in hits], scope=scope)
        return tuple(
            replace(known[hit.chunk_id], score=hit.score, dense=hit.dense or 0.0)
            for hit in hits
            if hit.chunk_id in known
        )
