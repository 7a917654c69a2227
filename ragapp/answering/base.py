"""The answerer's values and events. Knows no Django; persistence and rendering belong to its callers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from ingestion.access import AccessScope
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.gateway.base import Decision, Usage


@dataclass(frozen=True)
class PastTurn:
    """A question of the conversation, and its answer as far as the asker may read it now."""

    question: str
    answer: str = ""
    answer_id: UUID | None = None


@dataclass(frozen=True)
class Passage:
    """A chunk that the asker may read, re-checked in SQL.

    `score` is the rank's, 0..1; `dense` the cosine, `sparse` BM25's score or None where no word is shared. `dated` is
    when the document's content was last changed.
    """

    chunk_id: str
    document_id: str
    collection_id: str
    title: str
    text: str
    label: int
    page: int | None = None
    place: str = ""
    heading: str = ""
    dated: datetime | None = None
    score: float = 0.0
    dense: float = 0.0
    sparse: float | None = None


class Reason(StrEnum):
    """Why a passage that was found is not given to the model."""

    OUTRANKED = "outranked"
    DUPLICATE = "duplicate"
    CROWDED = "crowded"
    NO_ROOM = "no_room"

    @property
    def sentence(self) -> str:
        """For a person."""
        return _WHY[self]


_WHY = {
    Reason.OUTRANKED: "Others match the question better.",
    Reason.DUPLICATE: "Another passage says the same.",
    Reason.CROWDED: "Enough passages of this document are given.",
    Reason.NO_ROOM: "The prompt has no room for it.",
}


@dataclass(frozen=True)
class Dropped:
    """A passage that was found and is not given to the model."""

    passage: Passage
    reason: Reason


@dataclass(frozen=True)
class Retrieval:
    """What a search found, best first. `relevant` is the gate: do the documents speak to the question?

    `following` are the passages that come next in their document, by the id of one of the best that it follows.
    `timings` are seconds by stage: embed, search, check, rank.
    """

    passages: tuple[Passage, ...]
    relevant: bool
    following: Mapping[str, Passage] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


class Retriever(Protocol):
    """Search in the asker's scope. Blocking."""

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        """The passages for a question, which may follow up the one `earlier`. An empty scope finds nothing."""
        ...


@dataclass(frozen=True)
class Source:
    """A citation [n]: the passage, numbered as the answer's text numbers it."""

    n: int
    passage: Passage
    quote: str


@dataclass(frozen=True)
class SourcesFound:
    """Retrieval is over; `passages` go to the model, or are the nearest ones when nothing is relevant.

    `asked` is the question that was searched for: a follow-up's is made to stand alone.
    """

    asked: str
    passages: tuple[Passage, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True)
class RouteChosen:
    """The router has decided."""

    decision: Decision


@dataclass(frozen=True)
class TextDelta:
    """The next piece of the raw answer."""

    text: str


@dataclass(frozen=True)
class AnswerFinished:
    """The whole answer with its citations. `refused`: the documents do not hold the answer; then there are no
    sources, and `nearest` holds the passages that came closest, one a document. `truncated`: the length limit cut it.

    `timings` are seconds: retrieve with its stages, first_token, cite, total. `statements` counts the sentences that
    could be supported, `supported` those that are. `usage` is of all calls: rewriting, check and answer.
    """

    text: str
    sources: tuple[Source, ...]
    nearest: tuple[Source, ...]
    refused: bool
    truncated: bool
    decision: Decision
    usage: Usage
    timings: dict[str, float]
    statements: int = 0
    supported: int = 0


@dataclass(frozen=True)
class AnswerFailed:
    """The answer ended in an error with a stable code; `text` is what had come so far."""

    code: str
    text: str = ""


AnswerEvent = SourcesFound | RouteChosen | TextDelta | AnswerFinished | AnswerFailed
Passages = Sequence[Passage]
