"""The one JSON shape of an answer, for the API, the command line and what is stored."""

from dataclasses import asdict
from typing import Any

from ingestion.access import AccessScope
from ragapp.answering.base import Passage
from ragapp.chat.models import Citation, FoundPassage, Message
from ragapp.gateway.base import Decision, Usage


def answer_body(message: Message, *, scope: AccessScope, base_url: str = "") -> dict[str, Any]:
    """An answer as JSON values, with the citations that this reader may see now.

    `timings` are seconds, `score` is 0..1, `page` counts from 1 or is None."""
    withdrawn = message.is_withdrawn_from(scope)
    citations = message.citations_within(scope)
    return {
        "id": str(message.pk),
        "conversation_id": str(message.conversation_id),
        "state": message.state,
        "answer": "" if withdrawn else message.text,
        "withdrawn": withdrawn,
        "refused": message.refused,
        "truncated": message.truncated,
        "error_code": message.error_code or None,
        "citations": [citation_body(c, base_url=base_url) for c in citations if not c.nearest],
        "asked": message.asked_within(scope) or None,
        "found": [found_body(found, base_url=base_url) for found in message.found_within(scope)],
        "nearest": [citation_body(c, base_url=base_url) for c in citations if c.nearest],
        "route": message.route,
        "usage": message.usage,
        "timings": message.timings,
    }


def citation_body(citation: Citation, *, base_url: str = "") -> dict[str, Any]:
    """One source. `url` opens the passage in the browser."""
    return {
        "n": citation.n,
        "document_id": str(citation.document_id),
        "title": citation.title,
        "page": citation.page,
        "place": citation.place,
        "quote": citation.quote,
        "score": round(citation.score, 4),
        "url": f"{base_url}/sources/{citation.chunk_id}" if citation.chunk_id else None,
    }


def found_body(found: FoundPassage, *, base_url: str = "") -> dict[str, Any]:
    """A passage that the search found. `dense` is the cosine, `sparse` BM25's score or None; `by` names the arms."""
    is_given = not found.reason and found.message.was_model_asked
    return {
        "document_id": str(found.document_id),
        "title": found.title,
        "page": found.page,
        "place": found.place,
        "heading": found.heading,
        "score": round(found.score, 4),
        "dense": round(found.dense, 4),
        "sparse": None if found.sparse is None else round(found.sparse, 4),
        "by": list(found.arms),
        "given": is_given,
        "reason": found.reason or None,
        "url": f"{base_url}/sources/{found.chunk_id}" if found.chunk_id else None,
    }


def route_body(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "model": decision.model,
        "signals": [asdict(signal) for signal in decision.signals],
    }


def usage_body(usage: Usage) -> dict[str, int]:
    """Token counts as JSON values."""
    return asdict(usage)


def passage_body(passage: Passage, *, base_url: str = "") -> dict[str, Any]:
    """A search hit as JSON values. `score` is the fused score, `dense` the cosine."""
    return {
        "chunk_id": passage.chunk_id,
        "document_id": passage.document_id,
        "title": passage.title,
        "page": passage.page,
        "place": passage.place,
        "heading": passage.heading,
        "text": passage.text,
        "score": round(passage.score, 4),
        "dense": round(passage.dense, 4),
        "url": f"{base_url}/sources/{passage.chunk_id}",
    }
