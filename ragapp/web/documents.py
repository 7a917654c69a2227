"""The documents list: upload, live state, retry, delete, and the originals."""

from collections.abc import Iterable, Sequence
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
from ingestion.models import Collection, Document, DocumentState, DocumentVersion
from ingestion.parsing.media_types import PDF
from ingestion.selectors import collection_get, collections_visible_to, document_get, version_path
from ingestion.services import Outcome, SameName, Submission, document_delete, document_retry, document_submit
from ragapp.errors import ERRORS, ErrorEntry, entry_for
from ragapp.originals import blocks_of_original
from ragapp.versions import latest_versions, readable_version
from ragapp.web.access import admins_only, is_fragment, not_found_as_404, person, scope_of, signed_in
from ragapp.web.filters import STATES, filtered, filters_of, formats_in, languages_in, within
from ragapp.web.numbers import whole_number
from ragapp.web.templatetags.documents import step_name

Upload: TypeAlias = "UploadedFile[bytes]"

PAGE_SIZE = 100
UNSETTLED = (DocumentState.QUEUED, DocumentState.PROCESSING)
# What the file dialog offers; what a file is, its content says.
ACCEPT = (
    ".pdf,.docx,.docm,.pptx,.pptm,.ppsx,.xlsx,.xlsm,.odt,.epub,.rtf,.csv,.tsv,.json,.jsonl,.html,.htm,.md,.markdown,"
    ".txt,.text,.log,.eml,.msg,.png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,.gif,.heic,.zip"
)
# The browser's PDF viewer lives inside the response, and needs to place itself there.
_PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True)
class Row:
    """A document with what its row says besides. `answering` is the version that is searched while the latest is not.

    `elapsed_s` runs from the latest upload; `embedded` of `passages` are done, None before they are counted.
    """

    document: Document
    elapsed_s: int
    step: str
    error: ErrorEntry | None
    answering: int | None
    embedded: int | None
    passages: int | None


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """All documents that the person may read, or those of one collection."""
    scope = scope_of(request)
    visible = collections_visible_to(scope)
    context = {
        **_rows_context(request),
        "collections": visible,
        "chosen": _chosen(request, visible),
        "states": STATES,
        "formats": formats_in(scope),
        "languages": languages_in(scope),
        "accept": ACCEPT,
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
    return redirect(list_url(collection=str(collection.pk)))


@require_POST
@admins_only
def retry(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Queue a failed document again; one that is no longer failed stays as it is."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
    with suppress(DocumentStateError):
        document_retry(document)
    if request.POST.get("back") == "document":
        return redirect("web:document", document.pk)
    return _after_change(request, document)


@require_http_methods(["GET", "POST"])
@admins_only
def delete(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then delete. From the document's own page the way leads to the receipt."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
    wants_receipt = (request.POST if request.method == "POST" else request.GET).get("back") == "receipt"
    if request.method == "GET":
        back = reverse("web:document", args=[document.pk]) if wants_receipt else list_url(**filters_of(request))
        query = urlencode(filters_of(request))
        context = {"document": document, "back": back, "query": query, "wants_receipt": wants_receipt}
        return render(request, "documents/delete.html", context)
    document_delete(document, requested_by=person(request))
    return redirect("web:erasure", document.pk) if wants_receipt else _after_change(request, document)


@require_GET
@signed_in
def file(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """The original, or with `?version=` an earlier one. A PDF opens in the browser; all else is only downloaded."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
        number = whole_number(request.GET.get("version"))
        version = readable_version(document, number=number, is_admin=person(request).is_staff)
    path = version_path(version)
    if not path.is_file():
        raise Http404
    is_pdf = version.media_type == PDF
    headers = {
        "Content-Disposition": content_disposition_header(not is_pdf, version.name) or "attachment",
        "Content-Length": str(path.stat().st_size),
        "Content-Security-Policy": _PDF_POLICY if is_pdf else _FILE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    content_type = PDF if is_pdf else "application/octet-stream"
    return StreamingHttpResponse(blocks_of_original(path), content_type=content_type, headers=headers)


def list_url(**filters: str) -> str:
    """The address of the list with these filters."""
    return reverse("web:documents") + ("?" + urlencode(filters) if filters else "")


def rows_of(documents: Sequence[Document]) -> list[Row]:
    """The documents as rows. At most one query, whatever their number."""
    unsettled = [document for document in documents if document.state in UNSETTLED]
    latest = latest_versions(unsettled) if unsettled else {}
    return [_row(document, latest.get(document.pk)) for document in documents]


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
    keeps_both = request.POST.get("same_name") == SameName.KEEP_BOTH.value
    chunks: Iterable[bytes] = file.chunks()
    return document_submit(
        collection=collection,
        name=file.name or "",
        content=chunks,
        uploaded_by=person(request),
        same_name=SameName.KEEP_BOTH if keeps_both else SameName.NEW_VERSION,
    )


def _outcome(submission: Submission) -> str:
    document = submission.document
    if submission.outcome is Outcome.DUPLICATE:
        return f"Already in this collection, as {document.name}"
    if submission.outcome is Outcome.CREATED:
        return "Uploaded"
    kept = "; the one before stays until this one is read" if document.live_version else ""
    return f"New version of {document.title or document.name}, version {document.version}{kept}"


def _after_change(request: HttpRequest, document: Document) -> HttpResponseBase:
    if is_fragment(request):
        return render(request, "documents/_rows.html", _rows_context(request))
    return redirect(list_url(collection=str(document.collection_id)))


def _rows_context(request: HttpRequest) -> dict[str, object]:
    filters = filters_of(request)
    with not_found_as_404():
        found = within(filters, scope=scope_of(request))
    page = Paginator(filtered(found, filters), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "page": page,
        "rows": rows_of(list(page.object_list)),
        "total": found.count(),
        "unsettled": found.filter(state__in=UNSETTLED).count(),
        "filters": filters,
        "searches": set(filters) & {"q", "state", "format", "language"},
        "query": urlencode(filters | ({"page": str(page.number)} if page.number > 1 else {})),
        "filter_query": urlencode(filters),
    }


def _row(document: Document, latest: DocumentVersion | None) -> Row:
    began = latest.created_at if latest else document.created_at
    has_older = document.live_version is not None and document.live_version != document.version
    counted = latest is not None and latest.chunk_count > 0
    return Row(
        document=document,
        elapsed_s=max(int((timezone.now() - began).total_seconds()), 0),
        step=step_name(document.step) if document.step else document.get_state_display(),
        error=entry_for(document.error_code) if document.error_code else None,
        answering=document.live_version if has_older else None,
        embedded=latest.embedded_count if latest and counted else None,
        passages=latest.chunk_count if latest and counted else None,
    )


def _chosen(request: HttpRequest, visible: Iterable[Collection]) -> Collection | None:
    """The collection that an upload goes to: the filtered one, else the first."""
    wanted = request.GET.get("collection")
    found = list(visible)
    return next((c for c in found if str(c.pk) == wanted), found[0] if found else None)
