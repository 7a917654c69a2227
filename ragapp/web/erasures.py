"""Receipts of deletions: since when nobody finds a document, when it was purged, and when its bytes were gone."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ingestion.erasure import WINDOW
from ingestion.models import Erasure
from ragapp.receipts import Receipt
from ragapp.web.access import admins_only

PAGE_SIZE = 50


@admins_only
@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """Every receipt, newest first."""
    found = Erasure.objects.select_related("requested_by").order_by("-requested_at")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "receipts": [Receipt(erasure) for erasure in page.object_list],
        "promised_h": int(WINDOW.total_seconds() // 3600),
    }
    return render(request, "erasures/page.html", context)


@admins_only
@require_GET
def receipt(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """One receipt, to print or to keep. It asks for itself again until the purge is over."""
    erasure = Erasure.objects.select_related("requested_by").filter(document_id=document_id).first()
    if erasure is None:
        raise Http404
    template = "erasures/_receipt.html" if request.headers.get("HX-Request") == "true" else "erasures/receipt.html"
    return render(request, template, {"receipt": Receipt(erasure)})
