"""Documents: upload, watch, retry, delete, and the original back."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from ninja import File, Form, Query, Router, Status
from ninja.files import UploadedFile

from ingestion.access import AccessScope
from ingestion.errors import DocumentNotFoundError
from ingestion.models import Collection, Document, DocumentState
from ingestion.parsing.base import Ocr
from ingestion.selectors import collection_get, document_get, document_path, documents_visible_to, scope_for
from ingestion.services import SameName, document_delete, document_reparse, document_retry, document_submit
from ragapp.api.auth import caller_of, require_admin
from ragapp.api.errors import ErrorDetail, InvalidRequestError, documented
from ragapp.api.schemas import (
    DocumentOut,
    DocumentPaging,
    DocumentsPage,
    Id,
    OptionalLabel,
    ReparseIn,
    SameNameName,
    VersionOut,
    label_of,
)
from ragapp.originals import BLOCK_BYTES, blocks_of_original
from ragapp.versions import readable_versions

router = Router(tags=["documents"])

_UPLOAD = documented(
    {202: DocumentOut, 200: DocumentOut},
    "not_allowed",
    "collection_not_found",
    "upload_too_large",
    "invalid_name",
    "empty_document",
    "storage_full",
    "queue_full",
    "document_not_found",
    "invalid_request",
)
# As `_refuse_other_parts` and the storage have it.
_UPLOAD["openapi_extra"]["requestBody"] = {
    "content": {
        "multipart/form-data": {"schema": {"additionalProperties": False, "properties": {"file": {"minLength": 1}}}}
    }
}


@router.post("/collections/{collection_id}/documents", **_UPLOAD)
def upload_document(
    request: HttpRequest,
    response: HttpResponse,
    collection_id: Id,
    file: File[UploadedFile],
    label: OptionalLabel = Form(  # type: ignore[type-arg]
        None, description="Sensitivity, where it is higher than the collection's."
    ),
    same_name: SameNameName = Form(  # type: ignore[type-arg]
        "new_version",
        description="What it is where a document of the collection has this name already: `new_version` of that "
        "one, which is searched until the new one can be, or `keep_both`.",
    ),
    replaces: str = Form(  # type: ignore[type-arg]
        "", description="Id of the document that this is a new version of, whatever its name."
    ),
) -> Status[DocumentOut]:
    """Hand in one file. Admins only.

    202: it is stored and will be read; poll `Location` until its state is ready or failed. 200: the collection
    holds the same bytes already, and this is their document.
    """
    user = caller_of(request)
    collection = collection_get(collection_id, scope=scope_for(user))
    require_admin(user)
    _refuse_other_parts(request)
    submission = document_submit(
        collection=collection,
        name=file.name or "",
        content=file.chunks(BLOCK_BYTES),
        uploaded_by=user,
        label=label_of(label) if label else None,
        same_name=SameName(same_name),
        replaces=_replaced(replaces, collection=collection) if replaces else None,
    )
    response["Location"] = reverse("ragapp-v1:get_document", args=[submission.document.pk])
    return Status(202 if submission.created else 200, DocumentOut.of(submission.document))


@router.get(
    "/collections/{collection_id}/documents",
    **documented({200: DocumentsPage}, "collection_not_found", "invalid_request"),
)
def list_documents(request: HttpRequest, collection_id: Id, paging: Query[DocumentPaging]) -> DocumentsPage:
    """The documents of a collection, newest first."""
    scope = scope_for(caller_of(request))
    found = documents_visible_to(scope).filter(collection=collection_get(collection_id, scope=scope))
    if paging.state:
        found = found.filter(state=paging.state)
    part = found[paging.offset : paging.offset + paging.limit]
    return DocumentsPage(items=[DocumentOut.of(one) for one in part], count=found.count())


@router.get("/documents/{document_id}", **documented({200: DocumentOut}, "document_not_found"))
def get_document(request: HttpRequest, document_id: Id) -> DocumentOut:
    """One document, with its state."""
    return DocumentOut.of(document_get(document_id, scope=scope_for(caller_of(request))))


@router.post(
    "/documents/{document_id}/retry",
    **documented({202: DocumentOut}, "not_allowed", "document_not_found", "document_state"),
)
def retry_document(request: HttpRequest, document_id: Id) -> Status[DocumentOut]:
    """Read a failed document again. Admins only."""
    user = caller_of(request)
    document = document_get(document_id, scope=scope_for(user))
    require_admin(user)
    return Status(202, DocumentOut.of(document_retry(document)))


@router.post(
    "/documents/{document_id}/reparse",
    **documented({202: DocumentOut}, "not_allowed", "document_not_found", "document_state", "invalid_request"),
)
def reparse_document(request: HttpRequest, document_id: Id, body: ReparseIn) -> Status[DocumentOut]:
    """Read the latest file again with another setting, as a new version. Admins only."""
    user = caller_of(request)
    document = document_get(document_id, scope=scope_for(user))
    require_admin(user)
    return Status(202, DocumentOut.of(document_reparse(document, ocr=Ocr(body.ocr))))


@router.get("/documents/{document_id}/versions", **documented({200: list[VersionOut]}, "document_not_found"))
def list_versions(request: HttpRequest, document_id: Id) -> list[VersionOut]:
    """Every version that is or was live, newest first, with what reading it gave; for an admin every accepted one."""
    user = caller_of(request)
    document = document_get(document_id, scope=scope_for(user))
    return [VersionOut.of(version) for version in readable_versions(document, is_admin=user.is_staff)]


@router.delete("/documents/{document_id}", **documented({202: DocumentOut}, "not_allowed", "document_not_found"))
def delete_document(request: HttpRequest, document_id: Id) -> Status[DocumentOut]:
    """Delete a document. It is out of every list and search at once; its bytes follow soon. Admins only."""
    user = caller_of(request)
    document = document_get(document_id, scope=scope_for(user))
    require_admin(user)
    document_delete(document, requested_by=user)
    document.state = DocumentState.DELETING
    return Status(202, DocumentOut.of(document))


@router.get("/documents/{document_id}/file", **documented({200: None}, "document_not_found"))
def get_original(request: HttpRequest, document_id: Id) -> StreamingHttpResponse:
    """The original file, as an attachment.

    The type is always application/octet-stream: what a person uploaded is never shown in this site's origin.
    """
    document = document_get(document_id, scope=scope_for(caller_of(request)))
    path = document_path(document)
    response = StreamingHttpResponse(blocks_of_original(path), content_type="application/octet-stream")
    response["Content-Length"] = str(path.stat().st_size)
    response["Content-Disposition"] = content_disposition_header(True, document.name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _replaced(document_id: str, *, collection: Collection) -> Document:
    document = document_get(document_id, scope=AccessScope(frozenset({str(collection.pk)})))
    if document.archive_id is not None:
        raise DocumentNotFoundError(f"{document_id} goes with its archive")
    return document


def _refuse_other_parts(request: HttpRequest) -> None:
    """One file and what is said of it; a part that is dropped silently is a file that its sender believes stored."""
    others = (set(request.POST) - {"label", "same_name", "replaces"}) | (set(request.FILES) - {"file"})
    details = [ErrorDetail(field=name[:100], problem="There is no such part.") for name in sorted(others)]
    if len(request.FILES.getlist("file")) > 1:
        details.append(ErrorDetail(field="file", problem="Send one file per request."))
    if details:
        raise InvalidRequestError(details)
