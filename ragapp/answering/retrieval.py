"""Search in the asker's scope: embed, ask the index, rank, re-check in SQL, judge relevance."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder, TokenScorer, Vector
from ingestion.index.base import DENSE_WEIGHT, NO_CONDITIONS, ChunkIndex, Conditions, Hit, IndexQuery
from ragapp.answering import ranking
from ragapp.answering.base import Passage, Retrieval

# A follow-up of four words leans on the question before it as much as on itself; the shorter, the more. Measured on
# mtrag_open (docs/quality.md).
_EARLIER_WORDS = 4
_MOST_EARLIER = 2.0


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
        self.laps[stage] = now - self._at
        self._at = now


class HybridRetriever:
    """Dense and BM25 search, fused, and a second stage. `relevance_threshold` is a cosine: below it the documents do
    not speak to the question. `dense_weight` is the cosine's share of the first stage's score.
    """

    def __init__(
        self,
        *,
        embedder: Callable[[], Embedder],
        index: Callable[[], ChunkIndex],
        store: PassageStore,
        relevance_threshold: float,
        dense_weight: float = DENSE_WEIGHT,
        second_stage: bool = True,
    ) -> None:
        self._embedder = embedder
        self._index = index
        self._store = store
        self._relevance_threshold = relevance_threshold
        self._dense_weight = dense_weight
        self._second_stage = second_stage

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        """The best passages, best first. Raises EmbedderUnavailableError or IndexUnavailableError."""
        if scope.is_empty:
            return Retrieval(passages=(), relevant=False)
        watch = Stopwatch()
        query = IndexQuery(
            text=question,
            vector=self._vector(question, earlier=earlier),
            earlier=earlier,
            dense_weight=self._dense_weight,
        )
        watch.lap("embed")
        # More than wanted: the second stage chooses, the re-check drops what was deleted a moment ago, and both
        # versions of a document are there while one takes the other's place.
        wanted = max(ranking.CANDIDATES, 3 * limit)
        hits = self._index().search(query, scope=scope, limit=wanted, conditions=conditions)
        watch.lap("search")
        passages = self._checked(ranking.supported(hits) if self._second_stage else hits, scope=scope)
        watch.lap("check")
        embedder = self._embedder()
        # Not every embedder can: a server gives vectors of whole texts alone. A follow-up's own words say too little.
        if self._second_stage and not earlier and isinstance(embedder, TokenScorer):
            passages = ranking.read_again(question, passages, scorer=embedder)
        passages = passages[:limit]
        watch.lap("rank")
        return Retrieval(
            passages=tuple(passages),
            relevant=any(passage.dense >= self._relevance_threshold for passage in passages),
            timings=watch.laps,
        )

    def _vector(self, question: str, *, earlier: str) -> Vector:
        """The question's, bent towards what it follows up: 'and for part-timers?' alone says too little."""
        if not earlier:
            return self._embedder().embed_query(question)
        alone, together = self._embedder().embed_documents([question, f"{earlier} {question}"])
        share = min(_EARLIER_WORDS / max(len(question.split()), 1), _MOST_EARLIER)
        bent = [a + share * b for a, b in zip(alone, together, strict=True)]
        length = math.hypot(*bent)
        return tuple(value / length for value in bent) if length else alone

    def _checked(self, hits: Sequence[Hit], *, scope: AccessScope) -> list[Passage]:
        known = self._store.load([hit.chunk_id for hit in hits], scope=scope)
        return [
            replace(known[hit.chunk_id], score=hit.score, dense=hit.dense or 0.0, sparse=hit.sparse)
            for hit in hits
            if hit.chunk_id in known
        ]
