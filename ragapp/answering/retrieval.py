"""Search in the asker's scope: embed, ask the index, rank, re-check in SQL, judge relevance."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder, PairScorer, TokenScorer, Vector
from ingestion.index.base import DENSE_WEIGHT, NO_CONDITIONS, ChunkIndex, Conditions, Hit, IndexQuery
from ingestion.index.literal import identifiers_of, names_any
from ragapp.answering import ranking
from ragapp.answering.base import Passage, Retrieval

# A follow-up of four words leans on the question before it as much as on itself; the shorter, the more. Measured on
# mtrag_open (docs/quality.md).
_EARLIER_WORDS = 4
_MOST_EARLIER = 2.0
# An answer that runs on is looked for behind so many of the best passages.
_LOOKED_BEHIND = 2


class PassageStore(Protocol):
    """Passages from SQL, the truth about what exists and who may read it."""

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those of the chunks that exist and are in the scope, by id."""
        ...

    def following(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """What comes next in the same document, by the id that it follows; no entry where nothing does."""
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
    not speak to the question. `dense_weight` is the cosine's share of the first stage's score. `pair_scorer` is a
    cross-encoder, or None.
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
        pair_scorer: Callable[[], PairScorer | None] = lambda: None,
    ) -> None:
        self._embedder = embedder
        self._index = index
        self._store = store
        self._relevance_threshold = relevance_threshold
        self._dense_weight = dense_weight
        self._second_stage = second_stage
        self._pair_scorer = pair_scorer

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
            vector=query_vector(question, earlier=earlier, embedder=self._embedder()),
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
        if self._second_stage:
            passages = self._read_again(question, passages, earlier=earlier)
        passages = passages[:limit]
        watch.lap("rank")
        best = [passage.chunk_id for passage in passages[:_LOOKED_BEHIND]]
        following = self._store.following(best, scope=scope) if best else {}
        watch.lap("neighbours")
        identifiers = identifiers_of(question)
        return Retrieval(
            passages=tuple(passages),
            relevant=any(self._speaks_to(passage, identifiers=identifiers) for passage in passages),
            following=following,
            timings=watch.laps,
        )

    def _read_again(self, question: str, passages: list[Passage], *, earlier: str) -> list[Passage]:
        """By the cross-encoder where there is one, else by the embedder where it can: a server's cannot.

        A follow-up that could not be made to stand alone says too little by its own words.
        """
        if earlier:
            return passages
        pairs = self._pair_scorer()
        if pairs is not None:
            return ranking.read_in_pairs(question, passages, scorer=pairs)
        embedder = self._embedder()
        if isinstance(embedder, TokenScorer):
            return ranking.read_again(question, passages, scorer=embedder)
        return passages

    def _speaks_to(self, passage: Passage, *, identifiers: frozenset[int]) -> bool:
        """A bare identifier means nothing to an embedder: the passage that names it is relevant all the same."""
        return passage.dense >= self._relevance_threshold or names_any(identifiers, passage.text)

    def _checked(self, hits: Sequence[Hit], *, scope: AccessScope) -> list[Passage]:
        known = self._store.load([hit.chunk_id for hit in hits], scope=scope)
        return [
            replace(known[hit.chunk_id], score=hit.score, dense=hit.dense or 0.0, sparse=hit.sparse)
            for hit in hits
            if hit.chunk_id in known
        ]


def query_vector(question: str, *, earlier: str, embedder: Embedder) -> Vector:
    """The question's, bent towards what it follows up: 'and for part-timers?' alone says too little."""
    if not earlier:
        return embedder.embed_query(question)
    alone, together = embedder.embed_documents([question, f"{earlier} {question}"])
    share = min(_EARLIER_WORDS / max(len(question.split()), 1), _MOST_EARLIER)
    bent = [a + share * b for a, b in zip(alone, together, strict=True)]
    length = math.hypot(*bent)
    return tuple(value / length for value in bent) if length else alone
