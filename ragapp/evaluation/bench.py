"""One question in two configurations of the retrieval. Asks no model and stores nothing."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ingestion.access import AccessScope
from ingestion.errors import IngestionError
from ragapp.answering.base import Dropped, Passage, Retriever
from ragapp.answering.selection import select

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """What to search for. `rights` are whose search it is; `reader` is who looks at what was found."""

    question: str
    rights: AccessScope
    reader: AccessScope
    earlier: str = ""


@dataclass(frozen=True)
class Ranked:
    """A passage with its rank, from 1, and its rank in the other configuration, None where it is not there."""

    rank: int
    passage: Passage
    other_rank: int | None = None

    @property
    def change(self) -> int:
        """Ranks that it stands higher than in the other configuration; 0 where it is not there."""
        return self.other_rank - self.rank if self.other_rank else 0

    @property
    def lower(self) -> int:
        """Ranks that it stands lower."""
        return -self.change


@dataclass(frozen=True)
class Side:
    """What one configuration found. `hidden` counts what the reader may not read: of that nothing else is told.

    `best` is the highest cosine of what is shown; `timings` are seconds by stage; `error_code` is '' where all went
    well.
    """

    ranked: tuple[Ranked, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    hidden: int = 0
    relevant: bool = False
    best: float | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    error_code: str = ""

    @property
    def total_s(self) -> float:
        """All stages together."""
        return math.fsum(self.timings.values())


def side_by_side(trial: Trial, first: Retriever, second: Retriever, *, limits: tuple[int, int]) -> tuple[Side, Side]:
    """Search with both; an outage is told on its side."""
    one = _searched(trial, first, limit=limits[0])
    other = _searched(trial, second, limit=limits[1])
    return _compared(one, other), _compared(other, one)


def _searched(trial: Trial, retriever: Retriever, *, limit: int) -> Side:
    try:
        found = retriever.retrieve(trial.question, scope=trial.rights, limit=limit, earlier=trial.earlier)
    except IngestionError as exc:
        logger.warning("bench: %s", exc)
        return Side(error_code=exc.code)
    chosen = select(trial.question, found.passages, limit=limit, following=found.following)
    ranked = [Ranked(rank, each) for rank, each in enumerate(found.passages, 1) if _readable(each, trial.reader)]
    return Side(
        ranked=tuple(ranked),
        dropped=tuple(each for each in chosen.dropped if _readable(each.passage, trial.reader)),
        hidden=len(found.passages) - len(ranked),
        relevant=found.relevant,
        best=max((each.passage.dense for each in ranked), default=None),
        timings=found.timings,
    )


def _readable(passage: Passage, reader: AccessScope) -> bool:
    return passage.collection_id in reader.collection_ids


def _compared(side: Side, other: Side) -> Side:
    ranks = {each.passage.chunk_id: each.rank for each in other.ranked}
    return replace(
        side,
        ranked=tuple(replace(each, other_rank=ranks.get(each.passage.chunk_id)) for each in side.ranked),
    )
