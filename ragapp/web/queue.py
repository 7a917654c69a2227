"""The line in front of the workers: who waits and why, who is read and how far, what failed, and how fast it goes."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from ingestion.claims import LEASE
from ingestion.models import Document, DocumentState, DocumentVersion
from ingestion.selectors import documents_visible_to, queue_status
from ingestion.services import document_retry
from ragapp.errors import ErrorEntry, entry_for
from ragapp.versions import latest_versions
from ragapp.web.access import admins_only, scope_of
from ragapp.web.bulk import carry_out, counted
from ragapp.web.templatetags.documents import step_name

_SHOWN = 20
# A request ends while somebody still waits for it; who has more retries again.
_RETRIED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Running:
    """A document in a worker's hands. Ages in seconds; None where it is not known yet."""

    document: Document
    step: str
    embedded: int
    passages: int
    elapsed_s: int
    heartbeat_age_s: int | None
    eta_s: int | None

    @property
    def is_silent(self) -> bool:
        """True when its lease is over: its worker is dead, and the sweep gives it to another."""
        return self.heartbeat_age_s is None or self.heartbeat_age_s > LEASE.total_seconds()


@dataclass(frozen=True)
class Waiting:
    """A document that waits; `reason` is set where it waits for something else to come back."""

    document: Document
    reason: ErrorEntry | None
    in_s: int


@dataclass(frozen=True)
class Reason:
    """Failed documents with the same reason."""

    error: ErrorEntry
    count: int


@admins_only
@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """The page; its content asks for itself again."""
    return render(request, "queue/page.html", _context(request))


@admins_only
@require_GET
def status(request: HttpRequest) -> HttpResponseBase:
    """The content as a fragment."""
    return render(request, "queue/_status.html", _context(request))


@require_POST
@admins_only
def retry(request: HttpRequest) -> HttpResponseBase:
    """Every failed document again, or those with one `code`."""
    failed = _failed(request)
    if code := request.POST.get("code", ""):
        failed = failed.filter(error_code=code)
    tally = carry_out(list(failed.order_by("created_at")[:_RETRIED_AT_ONCE]), document_retry)
    left = failed.count()
    rest = f" {counted(left)} still failed: retry again for those." if left else ""
    messages.success(request, f"{counted(tally.done)} will be read again.{rest}")
    return redirect("web:queue")


def _context(request: HttpRequest) -> dict[str, object]:
    status = queue_status()
    failed = _failed(request)
    return {
        "status": status,
        "running": _running(status.running[:_SHOWN]),
        "waiting": _waiting(request),
        "reasons": [
            Reason(entry_for(code), count)
            for code, count in failed.order_by().values_list("error_code").annotate(n=Count("pk")).order_by("-n")
        ],
        "failed": [(document, entry_for(document.error_code)) for document in failed.order_by("-finished_at")[:_SHOWN]],
        "shown": _SHOWN,
    }


def _failed(request: HttpRequest) -> QuerySet[Document]:
    return documents_visible_to(scope_of(request)).filter(state=DocumentState.FAILED)


def _waiting(request: HttpRequest) -> list[Waiting]:
    now = timezone.now()
    queued = documents_visible_to(scope_of(request)).filter(state=DocumentState.QUEUED).order_by("created_at")
    return [
        Waiting(
            document=document,
            reason=entry_for(document.error_code) if document.error_code else None,
            in_s=max(int((document.available_at - now).total_seconds()), 0) if document.available_at else 0,
        )
        for document in queued[:_SHOWN]
    ]


def _running(documents: list[Document]) -> list[Running]:
    versions = latest_versions(documents) if documents else {}
    return [_one_running(document, versions.get(document.pk)) for document in documents]


def _one_running(document: Document, version: DocumentVersion | None) -> Running:
    now = timezone.now()
    began = version.created_at if version else document.created_at
    heard = document.claimed_until - LEASE if document.claimed_until else None
    return Running(
        document=document,
        step=step_name(document.step),
        embedded=version.embedded_count if version else 0,
        passages=version.chunk_count if version else 0,
        elapsed_s=max(int((now - began).total_seconds()), 0),
        heartbeat_age_s=max(int((now - heard).total_seconds()), 0) if heard else None,
        eta_s=_eta_s(version),
    )


def _eta_s(version: DocumentVersion | None) -> int | None:
    """From the pace of its own embedding; None before that has begun."""
    if version is None or not 0 < version.embedded_count < version.chunk_count:
        return None
    began = parse_datetime(str(version.times.get("embedding", "")))
    if began is None:
        return None
    spent = (timezone.now() - began).total_seconds()
    return int(spent * (version.chunk_count - version.embedded_count) / version.embedded_count)
