"""The second stage of retrieval. It needs no model besides the one that embedded the question.

Measured in docs/quality.md, each step on its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ingestion.embedding.base import PairScorer, TokenScorer
from ingestion.index.base import Hit
from ingestion.pipeline import embedded_text
from ragapp.answering.base import Passage

# So many of the first stage are looked at for support, and so many are read token by token.
CANDIDATES = 40
_READ_AGAIN = 12
_SUPPORTERS = 3
_SHARE = 0.25


def supported(hits: Sequence[Hit]) -> list[Hit]:
    """Lift a passage whose document holds other good passages: a document about the subject beats a stray mention.

        score = (own + share · sum of the document's three best others / 3) / (1 + share)

    Hits beyond CANDIDATES give no support and get none, so that how many were asked for changes nothing. Scores stay
    in 0..1; equal ones keep the order of the first stage.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for hit in hits[:CANDIDATES]:
        scores[hit.document_id].append(hit.score)
    lifted = []
    for place, hit in enumerate(hits):
        support = _support(hit, scores[hit.document_id]) if place < CANDIDATES else 0.0
        lifted.append(replace(hit, score=(hit.score + _SHARE * support) / (1 + _SHARE)))
    return sorted(lifted, key=lambda hit: -hit.score)


def _support(hit: Hit, of_document: Sequence[float]) -> float:
    others = sorted(of_document, reverse=True)
    others.remove(hit.score)
    return sum(others[:_SUPPORTERS]) / _SUPPORTERS


def read_again(question: str, passages: Sequence[Passage], *, scorer: TokenScorer) -> list[Passage]:
    """Compare the question with the best passages token by token; the others stay behind them.

    score = (first stage + late interaction) / 2, where late interaction is 0 for those that were not read.
    """
    return _averaged(passages, scorer.token_scores(question, _texts(passages)))


def read_in_pairs(question: str, passages: Sequence[Passage], *, scorer: PairScorer) -> list[Passage]:
    """As `read_again`, by a model that reads question and passage together (a cross-encoder)."""
    return _averaged(passages, scorer.pair_scores(question, _texts(passages)))


def _texts(passages: Sequence[Passage]) -> list[str]:
    return [embedded_text(each.title, each.heading, each.text) for each in passages[:_READ_AGAIN]]


def _averaged(passages: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    agreement = [*scores, *(0.0 for _ in passages[len(scores) :])]
    scored = [
        replace(passage, score=(passage.score + max(agreed, 0.0)) / 2)
        for passage, agreed in zip(passages, agreement, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)
