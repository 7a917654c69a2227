"""Receipts of deletions, for admins. To anybody else there are none."""

from datetime import datetime
from typing import Annotated

from django.http import Http404, HttpRequest
from ninja import Router
from pydantic import BaseModel, Field

from ingestion.models import Erasure
from ingestion.selectors import uuid_or_none
from ragapp.api.auth import caller_of
from ragapp.api.errors import documented
from ragapp.api.schemas import Id
from ragapp.receipts import Receipt

router = Router(tags=["documents"])


class ErasureOut(BaseModel):
    """What is left of a deleted document: when it went. Nothing of its content, not even its name."""

    document_id: Id
    sha256: Annotated[list[str], Field(description="Of every version's file.")]
    requested_by: Annotated[str | None, Field(description="User name.")]
    hidden_since: Annotated[datetime, Field(description="From then on nobody found it.")]
    purged_at: Annotated[datetime | None, Field(description="Rows, points, files and quotes were removed.")]
    gone_at: Annotated[datetime | None, Field(description="No byte of it was left in index and database.")]
    promised_by: Annotated[datetime, Field(description="By then `gone_at` is set.")]
    points: int
    chunks: int
    files: int

    @classmethod
    def of(cls, receipt: Receipt) -> "ErasureOut":
        """From a receipt."""
        erasure = receipt.erasure
        return cls(
            document_id=str(erasure.document_id),
            sha256=erasure.sha256,
            requested_by=erasure.requested_by.get_username() if erasure.requested_by else None,
            hidden_since=erasure.requested_at,
            purged_at=erasure.purged_at,
            gone_at=erasure.gone_at,
            promised_by=receipt.promised_by,
            points=erasure.points,
            chunks=erasure.chunks,
            files=erasure.files,
        )


@router.get("/erasures/{document_id}", **documented({200: ErasureOut}, "not_found"))
def get_erasure(request: HttpRequest, document_id: Id) -> ErasureOut:
    """The receipt of a document's deletion. Admins only: to others there is none."""
    key = uuid_or_none(document_id) if caller_of(request).is_staff else None
    found = Erasure.objects.select_related("requested_by").filter(document_id=key).first() if key else None
    if found is None:
        raise Http404
    return ErasureOut.of(Receipt(found))
