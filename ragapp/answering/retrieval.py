"""Search in the asker's scope: embed, ask the index, re-check in SQL, judge relevance."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder
from ingestion.index.base import DENSE_WEIGHT, NO_CONDITIONS, ChunkIndex, Conditions, Hit, IndexQuery
from ragapp.answering.base import Passage, Retrieval


class PassageStore(Protocol):
    """Passages from SQL, the truth about what exists and who may read it."""

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those of the chunks that exist and are in the scope, by id."""
        ...


class Stopwatch:
    """Seconds by stage; a lap ends the stage that began with the one before."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The stage that ends now."""
        now = time.perf_counter()
        self.laps[stage] = self.laps.get(stage, 0.0) + now - self._at
        self._at = now


class HybridRetriever:
    """Dense and BM25 search, fused. `relevance_threshold` is a cosine: below it the documents do not speak to it.

    `dense_weight` is the cosine's share of a passage's score.
    """

    def __init__(
        self,
        *,
        embedder: Callable[[], Embedder],
        index: Callable[[], ChunkIndex],
        store: PassageStore,
        relevance_threshold: float,
        dense_weight: float = DENSE_WEIGHT,
    ) -> None:
        self._embedder = embedder
        self._index = index
        self._store = store
        self._relevance_threshold = relevance_threshold
        self._dense_weight = dense_weight

    def retrieve(
        self, question: str, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS
    ) -> Retrieval:
        """The best passages, best first. Raises EmbedderUnavailableError or IndexUnavailableError."""
        if scope.is_empty:
            return Retrieval(passages=(), relevant=False)
        watch = Stopwatch()
        vector = self._embedder().embed_query(question)
        query = IndexQuery(text=question, vector=vector, dense_weight=self._dense_weight)
        watch.lap("embed")
        # Three times as many as wanted: the re-check drops what was deleted a moment ago, and both versions of a
        # document are there while one takes the other's place.
        hits = self._index().search(query, scope=scope, limit=3 * limit, conditions=conditions)
        watch.lap("search")
        passages = self._checked(hits, scope=scope)[:limit]
        watch.lap("check")
        return Retrieval(
            passages=passages,
            relevant=any(passage.dense >= self._relevance_threshold for passage in passages),
            timings=watch.laps,
        )

    def _checked(self, hits: Sequence[Hit], *, scope: AccessScope) -> tuple[Passage, ...]:
        known = self._store.load([hit.chunk_id for hit in hits], scope=scope)
        return tuple(
            replace(known[hit.chunk_id], score=hit.score, dense=hit.dense or 0.0)
            for hit in hits
            if hit.chunk_id in known
        )
