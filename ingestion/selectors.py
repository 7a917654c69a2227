"""What may be read, always within a scope. Hidden and absent are told apart nowhere."""

from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from ingestion.access import AccessScope
from ingestion.errors import CollectionNotFoundError, DocumentNotFoundError
from ingestion.models import Chunk, Collection, Document, DocumentState


def scope_for(user: AbstractBaseUser | AnonymousUser) -> AccessScope:
    """The rights of a person now: an admin reads every collection, others those of everyone and their groups."""
    if not user.is_authenticated or not user.is_active:
        return AccessScope(frozenset())
    collections = Collection.objects.all()
    if not getattr(user, "is_staff", False):
        collections = collections.filter(Q(everyone=True) | Q(groups__user=user.pk))
    return AccessScope(frozenset(str(pk) for pk in collections.values_list("pk", flat=True)))


def collections_visible_to(scope: AccessScope) -> QuerySet[Collection]:
    """The collections of the scope, by name."""
    return Collection.objects.filter(pk__in=scope.collection_ids)


def collection_get(collection_id: str | UUID, *, scope: AccessScope) -> Collection:
    """Raises CollectionNotFoundError, also where it is hidden."""
    key = uuid_or_none(collection_id)
    found = collections_visible_to(scope).filter(pk=key).first() if key else None
    if found is None:
        raise CollectionNotFoundError(str(collection_id))
    return found


def documents_visible_to(scope: AccessScope) -> QuerySet[Document]:
    """The documents of the scope, newest first; a deleted one is gone at once."""
    return (
        Document.objects.filter(collection_id__in=scope.collection_ids)
        .exclude(state=DocumentState.DELETING)
        .select_related("collection")
    )


def document_get(document_id: str | UUID, *, scope: AccessScope) -> Document:
    """Raises DocumentNotFoundError, also where it is hidden."""
    key = uuid_or_none(document_id)
    found = documents_visible_to(scope).filter(pk=key).first() if key else None
    if found is None:
        raise DocumentNotFoundError(str(document_id))
    return found


def chunks_visible_to(scope: AccessScope) -> QuerySet[Chunk]:
    """The passages that may be shown: of READY documents in the scope."""
    return Chunk.objects.filter(
        document__collection_id__in=scope.collection_ids, document__state=DocumentState.READY
    ).select_related("document", "document__collection")


def chunk_get(chunk_id: str | UUID, *, scope: AccessScope) -> Chunk:
    """Raises DocumentNotFoundError, also where it is hidden."""
    key = uuid_or_none(chunk_id)
    found = chunks_visible_to(scope).filter(pk=key).first() if key else None
    if found is None:
        raise DocumentNotFoundError(str(chunk_id))
    return found


def chunks_around(chunk: Chunk, *, before: int = 1, after: int = 1) -> list[Chunk]:
    """The passage with its neighbours in the document, in order."""
    return list(
        Chunk.objects.filter(
            document_id=chunk.document_id, ordinal__range=(chunk.ordinal - before, chunk.ordinal + after)
        ).order_by("ordinal")
    )


def document_path(document: Document) -> Path:
    """Where the original lies. Named by id: a name from outside never reaches the file system."""
    folder: Path = settings.INGESTION.files_dir
    return folder / document.pk.hex[:2] / document.pk.hex


def uuid_or_none(value: str | UUID) -> UUID | None:
    """A malformed id is like one that nothing has."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError:
        return None
