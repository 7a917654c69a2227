"""The documents page: upload, live state, retry, delete, and the originals."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ingestion.errors import DocumentStateError, IngestionError
from ingestion.models import Collection, Document, DocumentState
from ingestion.selectors import (
    collection_get,
    collections_visible_to,
    document_get,
    document_path,
    documents_visible_to,
)
from ingestion.services import Submission, document_delete, document_retry, document_submit
from ragapp.errors import ERRORS, ErrorEntry, entry_for
from ragapp.originals import blocks_of_original
from ragapp.web.access import admins_only, is_fragment, not_found_as_404, person, scope_of, signed_in
from ragapp.web.sources import PDF

Upload: TypeAlias = "UploadedFile[bytes]"

PAGE_SIZE = 100
STATES = (DocumentState.READY, DocumentState.PROCESSING, DocumentState.QUEUED, DocumentState.FAILED)
# The browser's PDF viewer lives inside the response, and needs to place itself there.
_PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_STEPS = {
    "parsing": "Reading the file",
    "chunking": "Finding passages",
    "embedding": "Learning their meaning",
    "indexing": "Filing them",
}


@dataclass(frozen=True)
class Row:
    """A document with what its row says besides. `elapsed_s` runs until it is settled."""

    document: Document
    elapsed_s: int
    step: str
    error: ErrorEntry | None


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """All documents that the person may read, or those of one collection."""
    visible = collections_visible_to(scope_of(request))
    context = {
        **_rows_context(request),
        "collections": visible,
        "chosen": _chosen(request, visible),
        "states": STATES,
        "max_upload_mb": settings.RAGAPP.max_upload_mb,
        "max_upload_bytes": settings.INGESTION.max_upload_bytes,
    }
    return render(request, "documents/page.html", context)


@require_GET
@signed_in
def rows(request: HttpRequest) -> HttpResponseBase:
    """The table as a fragment. It asks for itself again while a document is not settled."""
    return render(request, "documents/_rows.html", _rows_context(request))


@require_POST
@admins_only
def upload(request: HttpRequest) -> HttpResponseBase:
    """Accept files. A script sends one a request and reads JSON; a bare form sends many and gets a page."""
    with not_found_as_404():
        collection = collection_get(request.POST.get("collection", ""), scope=scope_of(request))
    files = request.FILES.getlist("files")
    if request.headers.get("Accept") == "application/json":
        return _upload_one(request, collection, files)
    for file in files:
        _tell(request, file, collection)
    if not files:
        messages.error(request, "Choose at least one file first.")
    return redirect(_url(collection=str(collection.pk)))


@require_POST
@admins_only
def retry(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Queue a failed document again; one that is no longer failed stays as it is."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
    with suppress(DocumentStateError):
        document_retry(document)
    return _after_change(request, document)


@require_http_methods(["GET", "POST"])
@admins_only
def delete(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then delete."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
    if request.method == "GET":
        context = {"document": document, "back": _url(**_filters(request)), "query": urlencode(_filters(request))}
        return render(request, "documents/delete.html", context)
    document_delete(document)
    return _after_change(request, document)


@require_GET
@signed_in
def file(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """The original. A PDF opens in the browser; anything else is only ever downloaded."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
    path = document_path(document)
    if not path.is_file():
        raise Http404
    is_pdf = document.media_type == PDF
    headers = {
        "Content-Disposition": content_disposition_header(not is_pdf, document.name) or "attachment",
        "Content-Length": str(path.stat().st_size),
        "Content-Security-Policy": _PDF_POLICY if is_pdf else _FILE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    content_type = PDF if is_pdf else "application/octet-stream"
    return StreamingHttpResponse(blocks_of_original(path), content_type=content_type, headers=headers)


def _upload_one(request: HttpRequest, collection: Collection, files: list[Upload]) -> HttpResponseBase:
    if len(files) != 1:
        return _failure(ERRORS["invalid_request"])
    try:
        submission = _submit(request, files[0], collection)
    except IngestionError as exc:
        return _failure(entry_for(exc.code))
    return JsonResponse({"sentence": _outcome(submission)}, status=202)


def _failure(entry: ErrorEntry) -> JsonResponse:
    return JsonResponse(
        {"code": entry.code, "sentence": entry.sentence, "retryable": entry.retryable}, status=entry.status
    )


def _tell(request: HttpRequest, file: Upload, collection: Collection) -> None:
    try:
        submission = _submit(request, file, collection)
    except IngestionError as exc:
        messages.error(request, f"{file.name}: {entry_for(exc.code).sentence}")
    else:
        messages.success(request, f"{submission.document.name}: {_outcome(submission)}")


def _submit(request: HttpRequest, file: Upload, collection: Collection) -> Submission:
    chunks: Iterable[bytes] = file.chunks()
    return document_submit(collection=collection, name=file.name or "", content=chunks, uploaded_by=person(request))


def _outcome(submission: Submission) -> str:
    return "Uploaded" if submission.created else "Already in this collection"


def _after_change(request: HttpRequest, document: Document) -> HttpResponseBase:
    if is_fragment(request):
        return render(request, "documents/_rows.html", _rows_context(request))
    return redirect(_url(collection=str(document.collection_id)))


def _rows_context(request: HttpRequest) -> dict[str, object]:
    found = documents_visible_to(scope_of(request)).order_by("-created_at", "name")
    filters = _filters(request)
    if "collection" in filters:
        with not_found_as_404():
            found = found.filter(collection=collection_get(filters["collection"], scope=scope_of(request)))
    total, unsettled = found.count(), found.filter(state__in=[DocumentState.QUEUED, DocumentState.PROCESSING])
    if "q" in filters:
        found = found.filter(name__icontains=filters["q"])
    if "state" in filters:
        found = found.filter(state=filters["state"])
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "page": page,
        "rows": [_row(document) for document in page.object_list],
        "total": total,
        "unsettled": unsettled.count(),
        "filters": filters,
        "query": urlencode(filters | ({"page": str(page.number)} if page.number > 1 else {})),
        "filter_query": urlencode(filters),
    }


def _row(document: Document) -> Row:
    end = document.finished_at if document.is_settled and document.finished_at else timezone.now()
    return Row(
        document=document,
        elapsed_s=int((end - document.created_at).total_seconds()),
        step=_STEPS.get(document.step, document.get_state_display()),
        error=entry_for(document.error_code) if document.state == DocumentState.FAILED else None,
    )


def _filters(request: HttpRequest) -> dict[str, str]:
    """The filters in use; a state that does not exist filters nothing."""
    given = {name: request.GET.get(name, "").strip() for name in ("collection", "q", "state")}
    if given["state"] not in STATES:
        given["state"] = ""
    return {name: value for name, value in given.items() if value}


def _chosen(request: HttpRequest, visible: Iterable[Collection]) -> Collection | None:
    """The collection that an upload goes to: the filtered one, else the first."""
    wanted = request.GET.get("collection")
    found = list(visible)
    return next((c for c in found if str(c.pk) == wanted), found[0] if found else None)


def _url(**filters: str) -> str:
    return reverse("web:documents") + ("?" + urlencode(filters) if filters else "")
