"""What is done to many documents at once: a confirmation, then one transaction a document, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from ingestion.errors import IngestionError
from ingestion.models import Document, DocumentState, Label
from ingestion.selectors import collection_get, collections_visible_to, documents_visible_to, uuid_or_none
from ingestion.services import document_change, document_delete, document_retry
from ragapp.errors import entry_for
from ragapp.web.access import admins_only, not_found_as_404, person, scope_of
from ragapp.web.documents import list_url

_MOST_NAMED = 10


class Action(StrEnum):
    """What a button of the bar does to the ticked documents."""

    RETRY = "retry"
    LABEL = "label"
    MOVE = "move"
    DELETE = "delete"


_DONE = {
    Action.RETRY: "{n} will be read again.",
    Action.LABEL: "{n} got the label.",
    Action.MOVE: "{n} moved.",
    Action.DELETE: "{n} deleted.",
}

_NOTHING = {
    Action.RETRY: "None of the ticked documents has failed.",
    Action.LABEL: "Tick the documents first.",
    Action.MOVE: "Tick the documents first.",
    Action.DELETE: "Tick the documents first.",
}


@dataclass
class Tally:
    """What came of an action: how many went through, and a sentence for each that did not."""

    done: int = 0
    failures: list[str] = field(default_factory=list)


@require_POST
@admins_only
def act(request: HttpRequest) -> HttpResponseBase:
    """Without `confirmed`: how many it is about, and what else must be chosen. With it: do it and tell."""
    action = _action(request)
    documents = _ticked(request)
    if action is Action.RETRY:
        documents = [document for document in documents if document.state == DocumentState.FAILED]
    if not documents:
        messages.error(request, _NOTHING[action])
        return redirect(_back(request))
    if "confirmed" not in request.POST:
        return render(request, "documents/bulk.html", _confirmation(request, action, documents))
    _report(request, action, carry_out(documents, _change(request, action)))
    return redirect(_back(request))


def carry_out(documents: list[Document], change: Callable[[Document], object]) -> Tally:
    """Change each by itself: one that cannot be changed keeps no other from it."""
    tally = Tally()
    for document in documents:
        try:
            change(document)
        except IngestionError as exc:
            tally.failures.append(f"{document.name}: {entry_for(exc.code).sentence}")
        else:
            tally.done += 1
    return tally


def counted(number: int) -> str:
    """'1 document', '12 documents'."""
    return f"{number} document" + ("" if number == 1 else "s")


def _action(request: HttpRequest) -> Action:
    try:
        return Action(request.POST.get("action", ""))
    except ValueError as exc:
        raise BadRequest("no such action") from exc


def _ticked(request: HttpRequest) -> list[Document]:
    """Those that are still there; what is gone needs nothing done to it."""
    keys = {key for given in request.POST.getlist("document") if (key := uuid_or_none(given))}
    return list(documents_visible_to(scope_of(request)).filter(pk__in=keys)) if keys else []


def _confirmation(request: HttpRequest, action: Action, documents: list[Document]) -> dict[str, object]:
    return {
        "action": action.value,
        "documents": documents,
        "named": documents[:_MOST_NAMED],
        "unnamed": max(len(documents) - _MOST_NAMED, 0),
        "counted": counted(len(documents)),
        "archives": sum(1 for document in documents if document.member_count),
        "labels": Label.choices,
        "collections": collections_visible_to(scope_of(request)),
        "back_url": _back(request),
        "back": request.POST.get("back", ""),
    }


def _change(request: HttpRequest, action: Action) -> Callable[[Document], object]:
    if action is Action.RETRY:
        return document_retry
    if action is Action.DELETE:
        return lambda document: document_delete(document, requested_by=person(request))
    if action is Action.LABEL:
        label = _label(request)
        return lambda document: document_change(document, label=label, collection=document.collection)
    with not_found_as_404():
        target = collection_get(request.POST.get("collection", ""), scope=scope_of(request))
    return lambda document: document_change(document, label=Label(document.label), collection=target)


def _label(request: HttpRequest) -> Label:
    try:
        return Label(int(request.POST.get("label", "")))
    except ValueError as exc:
        raise BadRequest("no such label") from exc


def _report(request: HttpRequest, action: Action, tally: Tally) -> None:
    if tally.done:
        messages.success(request, _DONE[action].format(n=counted(tally.done)))
    for failure in tally.failures[:_MOST_NAMED]:
        messages.error(request, failure)
    if len(tally.failures) > _MOST_NAMED:
        messages.error(request, f"{counted(len(tally.failures) - _MOST_NAMED)} more could not be changed.")


def _back(request: HttpRequest) -> str:
    """The list with the filters that it had; taken apart and put together, so that it leads nowhere else."""
    return list_url(**dict(parse_qsl(request.POST.get("back", ""))))
