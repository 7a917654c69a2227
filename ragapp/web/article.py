"""A stored answer as the page shows it: its HTML, the sources that the asker may still read, and those gone."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from ingestion.access import AccessScope
from ragapp.chat.models import AnswerState, Citation, Message
from ragapp.errors import ErrorEntry, entry_for
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
class AnswerArticle:
    """What the template of an answer needs."""

    message: Message
    question: str
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
    def route(self) -> dict[str, Any]:
        """The decision as it was stored."""
        return self.message.route or {}


def article_of(message: Message, *, question: str, scope: AccessScope) -> AnswerArticle:
    """An answer for a reader with this scope. Expects one of `with_sources`."""
    withdrawn = message.is_withdrawn_from(scope)
    text = "" if withdrawn else message.text
    readable = message.citations_within(scope)
    cards = tuple(_card(citation) for citation in readable if not citation.nearest)
    finished = message.state == AnswerState.FINISHED
    cited = markers_of(text) if finished and not message.refused else set()
    return AnswerArticle(
        message=message,
        question=question,
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
