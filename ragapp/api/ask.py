"""Ask: one answer, whole as JSON or as it is written as server-sent events."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from ninja import Router

from ingestion.access import AccessScope
from ingestion.selectors import scope_for
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.answering.base import AnswerEvent, AnswerFailed, RouteChosen, SourcesFound, TextDelta
from ragapp.api import sse
from ragapp.api.auth import caller_of
from ragapp.api.errors import AnswerFailedError, code_of, documented
from ragapp.api.schemas import AnswerOut, AskIn, base_url_of
from ragapp.chat.limits import limits_check
from ragapp.chat.schema import answer_body, passage_body, route_body
from ragapp.chat.services import answer_get, conversation_get, turn_start
from ragapp.chat.streaming import answer_events
from ragapp.errors import entry_for, error_body

logger = logging.getLogger(__name__)

router = Router(tags=["answers"])

_RESPONSES = documented(
    {200: AnswerOut},
    "collection_not_found",
    "conversation_not_found",
    "request_too_large",
    "invalid_request",
    "question_empty",
    "question_too_long",
    "model_unavailable",
    "model_busy",
    "model_error",
    "prompt_too_long",
    "embedder_unavailable",
    "index_unavailable",
    "index_mismatch",
    "ledger_unavailable",
)
_STREAM_EXAMPLE = "".join(
    (
        'event: sources\ndata: {"sources": [{"chunk_id": "…", "title": "Handbook", "page": 3}]}\n\n',
        'event: route\ndata: {"verdict": "inside", "reason": "…", "model": "…", "signals": []}\n\n',
        'event: delta\ndata: {"text": "Twelve weeks [1]"}\n\n',
        'event: done\ndata: {"id": "…", "answer": "Twelve weeks [1].", "citations": [{"n": 1}]}\n\n',
    )
)
_RESPONSES["openapi_extra"]["responses"][200] = {
    "content": {
        sse.CONTENT_TYPE: {
            "schema": {
                "type": "object",
                "description": "One event: `sources`, `route`, `delta`…, then `done` with the whole answer or `error`.",
                "properties": {
                    "event": {"type": "string", "enum": ["sources", "route", "delta", "done", "error"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
            },
            "examples": {"stream": {"value": _STREAM_EXAMPLE}},
        }
    }
}


@dataclass(frozen=True)
class _Asked:
    """A saved question and what is needed to answer it."""

    answer_id: UUID
    owner: User
    scope: AccessScope
    base_url: str


@router.post("/ask", **_RESPONSES)
async def ask(request: HttpRequest, body: AskIn) -> HttpResponseBase:
    """Ask your documents. Closing the connection stops the model; what was written until then is kept.

    With `stream` or `Accept: text/event-stream` the answer comes as events: `sources` (the passages given to the
    model), `route` (where it is answered and why), `delta` (the next piece of raw text), then `done` (the same body
    as without streaming; show this one) or `error` (the same body as any error).
    """
    asked = await sync_to_async(_saved)(request, body)
    if body.stream or sse.CONTENT_TYPE in request.headers.get("Accept", ""):
        return sse.event_stream(_frames(asked))
    async with aclosing(_events(asked)) as events:
        async for event in events:
            if isinstance(event, AnswerFailed):
                raise AnswerFailedError(event.code)
    return JsonResponse(await _stored(asked))


def _saved(request: HttpRequest, body: AskIn) -> _Asked:
    user = caller_of(request)
    scope = scope_for(user)
    limits = limits_check(body.limits, scope=scope)
    conversation = conversation_get(body.conversation_id, owner=user) if body.conversation_id is not None else None
    turn = turn_start(user=user, question=body.question, conversation=conversation, limits=limits)
    return _Asked(answer_id=turn.answer.pk, owner=user, scope=scope, base_url=base_url_of(request))


async def _events(asked: _Asked) -> AsyncGenerator[AnswerEvent, None]:
    answerer = await sync_to_async(wiring.answerer)()
    events = answer_events(asked.answer_id, owner=asked.owner, answerer=answerer, scope=asked.scope)
    async with aclosing(events) as open_events:
        async for event in open_events:
            yield event


async def _frames(asked: _Asked) -> AsyncGenerator[bytes, None]:
    """The edge of the stream: whatever is raised becomes its last event."""
    try:
        async with aclosing(_events(asked)) as events:
            async for event in events:
                if isinstance(event, AnswerFailed):
                    yield _error_frame(event.code)
                    return
                if told := _frame(event, base_url=asked.base_url):
                    yield told
        yield sse.frame("done", await _stored(asked))
    except Exception as exc:
        logger.exception("stream of answer %s", asked.answer_id)
        yield _error_frame(code_of(exc))


def _frame(event: AnswerEvent, *, base_url: str) -> bytes | None:
    match event:
        case SourcesFound(passages=passages):
            sources = [passage_body(passage, base_url=base_url) for passage in passages]
            return sse.frame("sources", {"sources": sources})
        case RouteChosen(decision=decision):
            return sse.frame("route", route_body(decision))
        case TextDelta(text=text):
            return sse.frame("delta", {"text": text})
    return None


def _error_frame(code: str) -> bytes:
    return sse.frame("error", error_body(entry_for(code)))


async def _stored(asked: _Asked) -> dict[str, Any]:
    answer = await sync_to_async(answer_get)(asked.answer_id, owner=asked.owner)
    return await sync_to_async(answer_body)(answer, scope=asked.scope, base_url=asked.base_url)
