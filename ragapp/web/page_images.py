"""The picture of a document's page, for the passage panel and the document's own page."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from ingestion.errors import IngestionError
from ragapp.errors import entry_for
from ragapp.page_images import CACHE_CONTROL, CONTENT_TYPE, page_image
from ragapp.web.access import not_found_as_404, person, scope_of, signed_in
from ragapp.web.numbers import whole_number


@require_GET
@signed_in
def page(request: HttpRequest, document_id: UUID, page: int) -> HttpResponseBase:
    """`?width=` in pixels, `?version=` if not the one that is searched. 404 or 422 where it cannot be drawn."""
    with not_found_as_404():
        image = page_image(
            str(document_id),
            page=page,
            width=whole_number(request.GET.get("width")),
            version=whole_number(request.GET.get("version")),
            scope=scope_of(request),
            is_admin=person(request).is_staff,
        )
    unchanged = get_conditional_response(request, etag=image.etag)
    if unchanged is not None:
        unchanged["Cache-Control"] = CACHE_CONTROL
        return unchanged
    try:
        with not_found_as_404():
            png = image.draw()
    except IngestionError as exc:
        entry = entry_for(exc.code)
        return render(request, "document/no_image.html", {"error": entry}, status=entry.status)
    headers = {"ETag": image.etag, "Cache-Control": CACHE_CONTROL, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(png, content_type=CONTENT_TYPE, headers=headers)
