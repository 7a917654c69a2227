"""Whether the model would answer now, and the banner that says so while it would not."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ingestion.models import DocumentState
from ingestion.selectors import documents_visible_to
from ragapp import wiring
from ragapp.web.access import scope_of, signed_in
from ragapp.weights import WeightsError

UNREAD = (DocumentState.QUEUED, DocumentState.PROCESSING)
_SENTENCES = {
    "starting": "The language model is loading. You can ask already: the answer starts as soon as it is ready.",
    "restarting": "The language model stopped and is being restarted. Questions wait until it is back.",
    "stopped": "The language model is not running. An admin finds the reason in its log.",
}


def is_ready() -> bool:
    """True where a question would be answered now. May ask another machine: never call it on the event loop."""
    return _state() == "ready"


@require_GET
@signed_in
def model_banner(request: HttpRequest) -> HttpResponseBase:
    """The banner as a fragment. It asks again by itself until the model is ready and every document is read."""
    state = _state()
    unread = documents_visible_to(scope_of(request)).filter(state__in=UNREAD).count()
    context = {"state": state, "sentence": _SENTENCES.get(state, ""), "unread": unread}
    return render(request, "chat/_model_status.html", context)


def _state() -> str:
    try:
        return wiring.model_status().state.name.lower()
    except WeightsError:
        return "stopped"
