"""Thumbs under an answer for its reader, and the inbox for admins."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ingestion.access import AccessScope
from ragapp.chat.errors import ChatError, FeedbackNotFoundError
from ragapp.chat.feedback import (
    InboxEntry,
    feedback_all,
    feedback_get,
    feedback_give,
    feedback_move,
    feedback_take_back,
    inbox_entry,
)
from ragapp.chat.models import FEEDBACK_TEXT_LIMIT, Complaint, Feedback, FeedbackState, Message, Thumb
from ragapp.chat.services import answer_get
from ragapp.errors import entry_for
from ragapp.web.access import admins_only, is_fragment, not_found_as_404, person, scope_of, signed_in
from ragapp.web.article import found_rows
from ragapp.web.markdown import render_answer

PAGE_SIZE = 20


@require_http_methods(["GET", "POST"])
@signed_in
def give(request: HttpRequest, answer_id: UUID) -> HttpResponseBase:
    """Ask what is to be said, then keep it. The thumb is in the address of the form, and in the form."""
    answer = _own(request, answer_id)
    thumb = (request.POST if request.method == "POST" else request.GET).get("thumb", "")
    if thumb not in Thumb.values:
        raise Http404
    if request.method == "GET":
        return _form(request, answer, thumb=Thumb(thumb))
    try:
        feedback_give(
            answer,
            author=person(request),
            thumb=Thumb(thumb),
            reason=request.POST.get("reason", ""),
            text=request.POST.get("text", ""),
        )
    except ChatError as exc:
        return _form(request, answer, thumb=Thumb(thumb), error=exc.code)
    return _after(request, answer)


@require_POST
@signed_in
def take_back(request: HttpRequest, answer_id: UUID) -> HttpResponseBase:
    """Remove it; nothing is left of it in the inbox."""
    answer = _own(request, answer_id)
    feedback_take_back(answer, author=person(request))
    return _after(request, answer)


@admins_only
@require_GET
def inbox(request: HttpRequest) -> HttpResponseBase:
    """What people said, the latest first. A state or thumb that does not exist is not found."""
    state, thumb = request.GET.get("state", ""), request.GET.get("thumb", "")
    if state not in ["", *FeedbackState.values] or thumb not in ["", *Thumb.values]:
        raise Http404
    page = Paginator(feedback_all(state=state, thumb=thumb), PAGE_SIZE).get_page(request.GET.get("page"))
    scope = scope_of(request)
    context = {
        "items": [_item(feedback, scope=scope) for feedback in page.object_list],
        "page": page,
        "states": FeedbackState,
        "thumbs": Thumb,
        "state": state,
        "thumb": thumb,
        "new_count": feedback_all(state=FeedbackState.NEW).count(),
    }
    return render(request, "feedback/page.html", context)


@admins_only
@require_POST
def move(request: HttpRequest, feedback_id: UUID) -> HttpResponseBase:
    """Into another state."""
    try:
        feedback = feedback_get(feedback_id)
    except FeedbackNotFoundError as exc:
        raise Http404 from exc
    state = request.POST.get("state", "")
    if state not in FeedbackState.values:
        return HttpResponse("There is no such state.", status=422)
    feedback_move(feedback, state=FeedbackState(state))
    if is_fragment(request):
        context = {"item": _item(feedback, scope=scope_of(request)), "states": FeedbackState, "moved": True}
        return render(request, "feedback/_item.html", context)
    return redirect("web:feedback")


def _own(request: HttpRequest, answer_id: UUID) -> Message:
    with not_found_as_404():
        return answer_get(answer_id, owner=person(request))


def _form(request: HttpRequest, answer: Message, *, thumb: Thumb, error: str = "") -> HttpResponseBase:
    given = next(iter(answer.feedback.all()), None)
    before = given if given and given.thumb == thumb else None
    context = {
        "answer": answer,
        "thumb": thumb,
        "given": given,
        "reasons": Complaint,
        "reason": request.POST.get("reason", before.reason if before else ""),
        "text": request.POST.get("text", before.text if before else ""),
        "text_limit": FEEDBACK_TEXT_LIMIT,
        "error": entry_for(error).sentence if error else "",
    }
    response = render(request, "feedback/give.html", context, status=422 if error else 200)
    if error and is_fragment(request):
        response["HX-Retarget"], response["HX-Reswap"] = "#dialog", "innerHTML"
    return response


def _after(request: HttpRequest, answer: Message) -> HttpResponseBase:
    if not is_fragment(request):
        return redirect(f"{reverse('web:conversation', args=[answer.conversation_id])}#answer-{answer.pk}")
    given = Feedback.objects.filter(message=answer, author=person(request)).first()
    return render(request, "feedback/_thumbs.html", {"message": answer, "feedback": given, "changed": True})


def _item(feedback: Feedback, *, scope: AccessScope) -> dict[str, object]:
    entry: InboxEntry = inbox_entry(feedback, scope=scope)
    links: dict[int, str | None] = {}
    for citation in feedback.message.citations_within(scope):
        if not citation.nearest:
            links[citation.n] = reverse("web:source", args=[citation.chunk_id]) if citation.chunk_id else None
    return {
        "entry": entry,
        "html": render_answer(entry.answer, links=links, settled=not feedback.message.refused),
        "asked": feedback.message.asked_within(scope),
        "found": found_rows(feedback.message, scope=scope),
    }
