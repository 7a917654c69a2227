"""Hybrid search over any engine: both arms' candidates, both scores for each of them, one convex combination.

    score = weight · max(cosine, 0) + (1 - weight) · bm25 / highest bm25 of this search

A convex combination beats rank fusion and needs little tuning: Bruch, Gai, Ingber, 'An Analysis of Fusion
Functions for Hybrid Retrieval', TOIS 2023. Knows no engine: it asks through `Ask`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ingestion.index.base import Hit

# Each arm gives at least so many; more of them are cheap, and a chunk that neither names is lost.
_LEAST_CANDIDATES = 40
_CANDIDATES_A_HIT = 4


class Arm(Enum):
    """The two searches; the value is the name of the vector."""

    DENSE = "dense"
    SPARSE = "bm25"


@dataclass(frozen=True)
class Question:
    """One search of one arm, among `ids` where given."""

    arm: Arm
    limit: int
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Found:
    """What an engine found: the arm's own score."""

    chunk_id: str
    document_id: str
    score: float


Ask = Callable[[Sequence[Question]], list[list[Found]]]


def hybrid_search(ask: Ask, *, limit: int, dense_weight: float) -> list[Hit]:
    """The best `limit` hits, best first; `ask` answers a batch of questions within the asker's scope.

    Two rounds: what only one arm found is scored by the other, never taken for zero.
    """
    candidates = max(_LEAST_CANDIDATES, limit * _CANDIDATES_A_HIT)
    dense, sparse = ask([Question(arm, limit=candidates) for arm in Arm])
    cosines, terms = _scores(dense), _scores(sparse)
    missing = [
        Question(arm, limit=len(ids), ids=ids)
        for arm, ids in (
            (Arm.DENSE, tuple(sorted(terms.keys() - cosines.keys()))),
            (Arm.SPARSE, tuple(sorted(cosines.keys() - terms.keys()))),
        )
        if ids
    ]
    for question, found in zip(missing, ask(missing) if missing else [], strict=True):
        (cosines if question.arm is Arm.DENSE else terms).update(_scores(found))
    documents = {each.chunk_id: each.document_id for each in (*dense, *sparse)}
    return fuse(cosines, terms, documents=documents, limit=limit, dense_weight=dense_weight)


def fuse(
    cosines: Mapping[str, float],
    terms: Mapping[str, float],
    *,
    documents: Mapping[str, str],
    limit: int,
    dense_weight: float,
) -> list[Hit]:
    """Combine the arms' scores by chunk id. Equal scores keep the order of ids."""
    highest = max(terms.values(), default=0.0)
    hits = [
        Hit(
            chunk_id=chunk_id,
            document_id=document_id,
            score=dense_weight * min(max(cosines.get(chunk_id, 0.0), 0.0), 1.0)
            + (1.0 - dense_weight) * (terms.get(chunk_id, 0.0) / highest if highest > 0.0 else 0.0),
            dense=cosines.get(chunk_id),
            sparse=terms.get(chunk_id),
        )
        for chunk_id, document_id in documents.items()
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]


def _scores(found: Sequence[Found]) -> dict[str, float]:
    return {each.chunk_id: each.score for each in found}
