"""The picture of a document's page, with which a client shows where a passage stands."""

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from ninja import Query, Router, Schema
from pydantic import Field

from ingestion.selectors import scope_for
from ragapp.api.auth import caller_of
from ragapp.api.errors import documented
from ragapp.api.schemas import Id
from ragapp.page_images import CACHE_CONTROL, CONTENT_TYPE, WIDTHS, page_image

router = Router(tags=["documents"])

_LARGEST = 2**31 - 1

_RESPONSES = documented(
    {200: None, 304: None},
    "document_not_found",
    "version_not_found",
    "page_not_found",
    "invalid_request",
    "damaged_document",
    "encrypted_document",
    "parse_timeout",
    "parse_memory",
    "parser_crashed",
    "storage_full",
    "pages_busy",
)
_RESPONSES["openapi_extra"]["responses"][200] = {
    "description": "The page.",
    "content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}
_RESPONSES["openapi_extra"]["responses"][304] = {"description": "The copy that `If-None-Match` names is still good."}


class PageQuery(Schema):
    """How large, and of which version."""

    width: Annotated[
        int, Field(ge=1, le=10_000, description=f"Pixels, rounded up to one of {', '.join(map(str, WIDTHS))}.")
    ] = 960
    version: Annotated[
        int | None, Field(ge=1, le=_LARGEST, description="Of the one that is searched, if it is left out.")
    ] = None


@router.get("/documents/{document_id}/pages/{page}", **_RESPONSES)
def get_page(request: HttpRequest, document_id: Id, page: str, query: Query[PageQuery]) -> HttpResponse:
    """A page of a PDF or an image as PNG, pages counted from 1.

    The boxes of a passage are in shares of this picture. Keep its `ETag` and send it as `If-None-Match`.
    """
    user = caller_of(request)
    image = page_image(
        document_id,
        page=int(page) if page.isascii() and page.isdigit() and len(page) < len(str(_LARGEST)) else 0,
        width=query.width,
        version=query.version,
        scope=scope_for(user),
        is_admin=user.is_staff,
    )
    unchanged = get_conditional_response(request, etag=image.etag)
    if isinstance(unchanged, HttpResponse):
        unchanged["Cache-Control"] = CACHE_CONTROL
        return unchanged
    headers = {"ETag": image.etag, "Cache-Control": CACHE_CONTROL, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(image.draw(), content_type=CONTENT_TYPE, headers=headers)
