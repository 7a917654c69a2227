"""One answer: its live stream, and the stop button."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from ingestion.selectors import scope_for
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.chat.errors import AnswerNotFoundError
from ragapp.chat.models import Message
from ragapp.chat.services import answer_claim, answer_get, answer_stop, question_of
from ragapp.chat.streaming import answer_events, request_stop
from ragapp.web.access import is_fragment, not_found_as_404, person, signed_in
from ragapp.web.article import UNSETTLED, article_of, render_article
from ragapp.web.filters import collection_names
from ragapp.web.frames import frames
from ragapp.web.status import is_ready

STOP_PATIENCE_S = 5.0
_POLL_S = 0.05


@require_GET
async def stream(request: HttpRequest, answer_id: UUID) -> HttpResponseBase:
    """Server-sent HTML frames. Generates the answer if nobody does yet, else follows it."""
    user = await request.auser()
    if not isinstance(user, User):
        return HttpResponse(status=401)
    try:
        await sync_to_async(answer_get)(answer_id, owner=user)
    except AnswerNotFoundError as exc:
        raise Http404 from exc
    return StreamingHttpResponse(
        _frames(request, answer_id, user=user),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


async def _frames(request: HttpRequest, answer_id: UUID, *, user: User) -> AsyncIterator[str]:
    scope = await sync_to_async(scope_for)(user)

    async def final() -> str:
        return await sync_to_async(_rendered)(request, answer_id, user=user)

    events = answer_events(answer_id, owner=user, answerer=wiring.answerer(), scope=scope)
    async with aclosing(frames(events, final=final, model_is_ready=sync_to_async(is_ready))) as parts:
        async for html in parts:
            yield html


@require_POST
@signed_in
def stop(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """End the generation and show what was written so far."""
    with not_found_as_404():
        answer = answer_get(answer_id, owner=person(request))
    if answer_claim(answer.pk):
        # No stream had begun yet, so nobody else will settle it.
        answer_stop(answer.pk, text="")
    elif request_stop(answer.pk):
        _wait_until_settled(answer)
    elif wiring.config().is_embedded:
        # There is no other process: whoever wrote it is gone.
        answer_stop(answer.pk, text="")
    if is_fragment(request):
        return HttpResponse(_rendered(request, answer.pk, user=person(request)))
    return redirect("web:conversation", answer.conversation_id)


def _wait_until_settled(answer: Message) -> None:
    deadline = time.monotonic() + STOP_PATIENCE_S
    while answer.state in UNSETTLED and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        answer.refresh_from_db(fields=["state"])


def _rendered(request: HttpRequest, answer_id: UUID, *, user: User) -> str:
    answer, scope = answer_get(answer_id, owner=user), scope_for(user)
    article = article_of(answer, question=question_of(answer), scope=scope, collections=collection_names(scope))
    return render_article(article, request=request)
