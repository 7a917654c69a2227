"""Collections: what the caller may read; admins make them."""

from django.contrib.auth.models import Group
from django.http import HttpRequest
from ninja import Query, Router, Status

from ingestion.selectors import collection_get, collections_visible_to, scope_for
from ingestion.services import collection_create
from ragapp.api.auth import caller_of, require_admin
from ragapp.api.errors import ErrorDetail, InvalidRequestError, documented
from ragapp.api.schemas import CollectionIn, CollectionOut, CollectionsPage, Id, Paging, label_of

router = Router(tags=["collections"])


@router.get("/collections", **documented({200: CollectionsPage}, "invalid_request"))
def list_collections(request: HttpRequest, paging: Query[Paging]) -> CollectionsPage:
    """The collections that you may read, by name."""
    found = collections_visible_to(scope_for(caller_of(request)))
    part = found[paging.offset : paging.offset + paging.limit]
    return CollectionsPage(items=[CollectionOut.of(one) for one in part], count=found.count())


@router.post(
    "/collections",
    **documented({201: CollectionOut}, "not_allowed", "collection_exists", "request_too_large", "invalid_request"),
)
def create_collection(request: HttpRequest, body: CollectionIn) -> Status[CollectionOut]:
    """Make a collection. Admins only."""
    require_admin(caller_of(request))
    collection = collection_create(
        name=body.name,
        description=body.description,
        label=label_of(body.label),
        everyone=body.everyone,
        groups=_groups(body.groups),
    )
    return Status(201, CollectionOut.of(collection))


@router.get("/collections/{collection_id}", **documented({200: CollectionOut}, "collection_not_found"))
def get_collection(request: HttpRequest, collection_id: Id) -> CollectionOut:
    """One collection."""
    return CollectionOut.of(collection_get(collection_id, scope=scope_for(caller_of(request))))


def _groups(names: list[str]) -> list[Group]:
    groups = {group.name: group for group in Group.objects.filter(name__in=names)}
    unknown = [index for index, name in enumerate(names) if name not in groups]
    if unknown:
        problem = "There is no group of this name."
        raise InvalidRequestError([ErrorDetail(field=f"groups.{index}", problem=problem) for index in unknown])
    return list(groups.values())
