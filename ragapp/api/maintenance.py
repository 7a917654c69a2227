"""The audit, for admins: what the embedded index says, only the server that owns it can tell."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, Field

from ingestion.integrity import MOST_NAMED, Kind
from ragapp.api.auth import caller_of, require_admin
from ragapp.api.errors import documented
from ragapp.api.schemas import Input
from ragapp.integrity import audit_body

router = Router(tags=["maintenance"])


class AuditIn(Input):
    """What to do besides looking."""

    repair: Annotated[bool, Field(description="Mend what can be derived, and audit again.")] = False
    quick: Annotated[bool, Field(description="Read no file, and search for a sample of the documents.")] = False


class FindingOut(BaseModel):
    """One fault; what does not apply is empty."""

    kind: Kind
    sentence: str
    document_id: str
    chunk_id: str
    path: Annotated[str, Field(description="In the files folder.")]
    build_id: int | None


class AuditOut(BaseModel):
    """What is wrong, after the repair where one was asked for."""

    clean: bool
    documents: int
    chunks: Annotated[int, Field(description="Searchable passages in the database.")]
    points: Annotated[int, Field(description="In the index.")]
    seconds: float
    counts: Annotated[dict[Kind, int], Field(description="All faults, by kind.")]
    mended: Annotated[dict[Kind, int], Field(description="Those that the repair removed, by kind.")]
    findings: Annotated[list[FindingOut], Field(description=f"Of each kind the first {MOST_NAMED}.")]


@router.post(
    "/audit",
    **documented(
        {200: AuditOut},
        "not_allowed",
        "index_unavailable",
        "index_in_use",
        "index_mismatch",
        "embedder_unavailable",
        "request_too_large",
        "invalid_request",
    ),
)
def audit_installation(request: HttpRequest, body: AuditIn) -> AuditOut:
    """Compare database, files and index. Admins only. Takes minutes where there are many documents."""
    require_admin(caller_of(request))
    return AuditOut.model_validate(audit_body(repair=body.repair, quick=body.quick))
