"""A stored answer as the page shows it: its HTML, the sources that the asker may still read, those gone, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from ingestion.access import AccessScope
from ragapp.chat.limits import Limits
from ragapp.chat.models import AnswerState, Citation, Feedback, FoundPassage, Message
from ragapp.errors import ErrorEntry, entry_for
from ragapp.web.filters import words_of
from ragapp.web.markdown import excerpt, heading_path, markers_of, render_answer

UNSETTLED = (AnswerState.PENDING, AnswerState.STREAMING)


@dataclass(frozen=True)
class SourceCard:
    """A citation as a card. `url` opens the passage; None where the passage was re-read and has a new place."""

    n: int
    title: str
    page: int | None
    heading: str
    quote: str
    score: float
    url: str | None


@dataclass(frozen=True)
class FoundRow:
    """A passage that the search found, with its headings. `fate` says what became of it; `url` as on a card."""

    found: FoundPassage
    heading: str
    arms: str
    fate: str
    is_given: bool
    url: str | None


@dataclass(frozen=True)
class AnswerArticle:
    """What the template of an answer needs. `asked` is what was searched for, where it is not what was typed.

    `limits` are those of the question, and `limits_words` say them: ("Handbook", "PDF", "since 1 May 2024").
    """

    message: Message
    question: str
    limits: Limits
    limits_words: tuple[str, ...]
    asked: str
    found: tuple[FoundRow, ...]
    feedback: Feedback | None
    html: SafeString
    sources: tuple[SourceCard, ...]
    nearest: tuple[SourceCard, ...]
    removed: tuple[int, ...]
    withdrawn: bool
    error: ErrorEntry | None

    @property
    def is_pending(self) -> bool:
        """True while something is still to come."""
        return self.message.state in UNSETTLED

    @property
    def takes_feedback(self) -> bool:
        """True once it is whole, and its words are there."""
        return self.message.state == AnswerState.FINISHED and not self.withdrawn

    @property
    def route(self) -> dict[str, Any]:
        """The decision as it was stored."""
        return self.message.route or {}


def article_of(
    message: Message, *, question: Message | None, scope: AccessScope, collections: Mapping[str, str]
) -> AnswerArticle:
    """An answer for a reader with this scope. Expects one of `with_sources`; `collections` are names by id."""
    limits = Limits.stored_in(question)
    withdrawn = message.is_withdrawn_from(scope)
    text = "" if withdrawn else message.text
    readable = message.citations_within(scope)
    cards = tuple(_card(citation) for citation in readable if not citation.nearest)
    finished = message.state == AnswerState.FINISHED
    cited = markers_of(text) if finished and not message.refused else set()
    return AnswerArticle(
        message=message,
        question=question.text if question else "",
        limits=limits,
        limits_words=tuple(words_of(limits, collections=collections)),
        asked=message.asked_within(scope),
        found=found_rows(message, scope=scope),
        feedback=next(iter(message.feedback.all()), None),
        html=render_answer(text, links={card.n: card.url for card in cards}, settled=finished and not message.refused),
        sources=cards,
        nearest=tuple(_card(citation) for citation in readable if citation.nearest),
        removed=tuple(sorted(cited - {card.n for card in cards})),
        withdrawn=withdrawn,
        error=entry_for(message.error_code) if message.state == AnswerState.FAILED else None,
    )


def render_article(article: AnswerArticle, *, request: HttpRequest) -> str:
    """The article's HTML, pending or settled."""
    return render_to_string("chat/_answer.html", {"article": article}, request=request)


def found_rows(message: Message, *, scope: AccessScope) -> tuple[FoundRow, ...]:
    """What was found for an answer, as far as this reader may read it."""
    return tuple(_row(found, was_asked=message.was_model_asked) for found in message.found_within(scope))


def _row(found: FoundPassage, *, was_asked: bool) -> FoundRow:
    fate = found.why or ("Given to the model." if was_asked else "Too far from the question.")
    return FoundRow(
        found=found,
        heading=heading_path(found.heading),
        arms=" and ".join(found.arms),
        fate=fate,
        is_given=was_asked and not found.reason,
        url=reverse("web:source", args=[found.chunk_id]) if found.chunk_id else None,
    )


def _card(citation: Citation) -> SourceCard:
    return SourceCard(
        n=citation.n,
        title=citation.title,
        page=citation.page,
        heading=heading_path(citation.heading),
        quote=excerpt(citation.quote),
        score=citation.score,
        url=reverse("web:source", args=[citation.chunk_id]) if citation.chunk_id else None,
    )
