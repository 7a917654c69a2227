"""Search without an answer, in the caller's scope."""

from django.http import HttpRequest
from ninja import Router

from ingestion.selectors import scope_for
from ragapp import wiring
from ragapp.api.auth import caller_of
from ragapp.api.errors import documented
from ragapp.api.schemas import HitOut, SearchIn, SearchOut, base_url_of
from ragapp.chat.limits import limits_check

router = Router(tags=["search"])


@router.post(
    "/search",
    **documented(
        {200: SearchOut},
        "collection_not_found",
        "request_too_large",
        "invalid_request",
        "embedder_unavailable",
        "index_unavailable",
        "index_mismatch",
    ),
)
def search(request: HttpRequest, body: SearchIn) -> SearchOut:
    """The passages that speak to the query best, from what you may read."""
    scope = scope_for(caller_of(request))
    limits = limits_check(body.limits, scope=scope)
    within = limits.scope_within(scope)
    found = wiring.search(body.query, scope=within, limit=body.limit, conditions=limits.conditions)
    base_url = base_url_of(request)
    hits = [HitOut.of(passage, base_url=base_url) for passage in found.passages]
    return SearchOut(hits=hits, relevant=found.relevant)
