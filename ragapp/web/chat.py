"""The chat page: asking, and the list of conversations."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ingestion.errors import CollectionNotFoundError
from ingestion.selectors import collections_visible_to
from ragapp.bootstrap import SAMPLE_COLLECTION
from ragapp.chat.errors import LimitError, QuestionEmptyError, QuestionTooLongError, TooManyQuestionsError
from ragapp.chat.limits import NO_LIMITS
from ragapp.chat.models import Conversation, Message, Role
from ragapp.chat.services import (
    QUESTION_LIMIT,
    Turn,
    conversation_delete,
    conversation_get,
    conversation_rename,
    turn_start,
    with_sources,
)
from ragapp.errors import entry_for
from ragapp.web.access import is_fragment, not_found_as_404, person, scope_of, signed_in
from ragapp.web.article import AnswerArticle, article_of
from ragapp.web.filters import collection_names, limit_choices, limits_of

# Questions about the sample handbook that the first start loads.
EXAMPLE_QUESTIONS = (
    "How many days of annual leave do I get after five years?",
    "What is the limit for a hotel night in Oslo?",
    "Which form do I need for a trip abroad, and how early?",
    "How long does a passphrase have to be?",
)


@require_GET
@signed_in
def new(request: HttpRequest) -> HttpResponseBase:
    """A conversation that does not exist yet."""
    return render(request, "chat/page.html", _page_context(request, conversation=None, thread=[]))


@require_GET
@signed_in
def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
    """A conversation with its thread."""
    found = _own(request, conversation_id)
    return render(request, "chat/page.html", _page_context(request, conversation=found, thread=_thread(request, found)))


@require_POST
@signed_in
def ask(request: HttpRequest) -> HttpResponseBase:
    """Save the question with its pending answer, and show both; the article then opens the stream."""
    given = request.POST.get("conversation", "")
    found = _own(request, given) if given else None
    try:
        turn = turn_start(
            user=person(request),
            question=request.POST.get("question", ""),
            conversation=found,
            limits=limits_of(request.POST, scope=scope_of(request)),
        )
    except (
        CollectionNotFoundError,
        LimitError,
        QuestionEmptyError,
        QuestionTooLongError,
        TooManyQuestionsError,
    ) as exc:
        return _refused(request, exc.code, conversation=found)
    page = reverse("web:conversation", args=[turn.conversation.pk])
    if not is_fragment(request):
        return redirect(page)
    response = render(request, "chat/_turn.html", _turn_context(request, turn, is_new=found is None))
    if found is None:
        response["HX-Push-Url"] = page
    return response


@require_http_methods(["GET", "POST"])
@signed_in
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
    """Ask for a title, then keep it."""
    found = _own(request, conversation_id)
    if request.method == "POST":
        conversation_rename(found, title=request.POST.get("title", ""))
        return redirect("web:conversation", found.pk)
    return render(request, "chat/rename.html", {"conversation": found})


@require_http_methods(["GET", "POST"])
@signed_in
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then delete."""
    found = _own(request, conversation_id)
    if request.method == "POST":
        conversation_delete(found)
        return redirect("web:chat")
    return render(request, "chat/delete.html", {"conversation": found})


def _own(request: HttpRequest, conversation_id: str | UUID) -> Conversation:
    with not_found_as_404():
        return conversation_get(conversation_id, owner=person(request))


def _page_context(
    request: HttpRequest, *, conversation: Conversation | None, thread: list[AnswerArticle]
) -> dict[str, object]:
    scope = scope_of(request)
    has_sample = not thread and collections_visible_to(scope).filter(name=SAMPLE_COLLECTION).exists()
    limits = thread[-1].limits if thread else NO_LIMITS
    return {
        "limits": limit_choices(limits, scope=scope),
        "conversation": conversation,
        "thread": thread,
        "examples": EXAMPLE_QUESTIONS if has_sample else (),
        "question_limit": QUESTION_LIMIT,
    }


def _thread(request: HttpRequest, conversation: Conversation) -> list[AnswerArticle]:
    scope = scope_of(request)
    names = collection_names(scope)
    thread: list[AnswerArticle] = []
    question: Message | None = None
    for message in with_sources(conversation.messages.all()):
        if message.role == Role.QUESTION:
            question = message
        else:
            thread.append(article_of(message, question=question, scope=scope, collections=names))
    return thread


def _turn_context(request: HttpRequest, turn: Turn, *, is_new: bool) -> dict[str, object]:
    scope = scope_of(request)
    article = article_of(turn.answer, question=turn.question, scope=scope, collections=collection_names(scope))
    return {"article": article, "conversation": turn.conversation, "is_new": is_new}


def _refused(request: HttpRequest, code: str, *, conversation: Conversation | None) -> HttpResponseBase:
    """The sentence under the composer; what was typed stays where it is."""
    entry = entry_for(code)
    if is_fragment(request):
        where = {"HX-Retarget": "#composer-error", "HX-Reswap": "innerHTML"}
        return HttpResponse(entry.sentence, status=422, headers=where)
    thread = _thread(request, conversation) if conversation else []
    context = _page_context(request, conversation=conversation, thread=thread)
    typed = request.POST.get("question", "")
    told = {"error": entry.sentence, "typed": typed}
    return render(request, "chat/page.html", {**context, **told}, status=entry.status)
