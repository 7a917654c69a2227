"""The caller's rights on this request, and the part of them that the caller asks for."""

from collections.abc import Sequence

from ingestion.access import AccessScope
from ingestion.selectors import collection_get, scope_for
from ragapp.accounts.models import User


def scope_of(user: User, *, collection_ids: Sequence[str] | None = None) -> AccessScope:
    """Rights are read anew on every request. Raises CollectionNotFoundError for an id outside of them."""
    scope = scope_for(user)
    if collection_ids is None:
        return scope
    named = frozenset(str(collection_get(one, scope=scope).pk) for one in collection_ids)
    return scope.narrowed_to(named)
