"""What may be read, always within a scope. Hidden and absent are told apart nowhere."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from ingestion import files
from ingestion.access import AccessScope
from ingestion.errors import CollectionNotFoundError, DocumentNotFoundError, VersionNotFoundError
from ingestion.models import Chunk, Collection, Document, DocumentState, DocumentVersion

_THROUGHPUT_OVER = timedelta(minutes=10)


@dataclass(frozen=True)
class QueueStatus:
    """The line in front of the workers now. Rates are over the last ten minutes; `eta_s` is None without a rate."""

    waiting: int
    delayed: int
    running: list[Document]
    failed: int
    waiting_bytes: int
    documents_per_minute: float
    chunks_per_minute: float
    eta_s: int | None


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
    """The passages that are searched: those of live versions in the scope."""
    return _chunks_within(scope).filter(version=F("document__live_version"))


def chunk_get(chunk_id: str | UUID, *, scope: AccessScope) -> Chunk:
    """A passage of a live or replaced version. Raises DocumentNotFoundError, also where it is hidden."""
    key = uuid_or_none(chunk_id)
    found = _chunks_within(scope).filter(_is_or_was_live(), pk=key).first() if key else None
    if found is None:
        raise DocumentNotFoundError(str(chunk_id))
    return found


def chunks_of(document: Document, *, version: int) -> QuerySet[Chunk]:
    """The passages of one version, in reading order."""
    return Chunk.objects.filter(document=document, version=version).order_by("ordinal")


def chunks_around(chunk: Chunk, *, before: int = 1, after: int = 1) -> list[Chunk]:
    """The passage with its neighbours in the document, in order."""
    return list(
        Chunk.objects.filter(
            document_id=chunk.document_id,
            version=chunk.version,
            ordinal__range=(chunk.ordinal - before, chunk.ordinal + after),
        ).order_by("ordinal")
    )


def version_get(document: Document, number: int) -> DocumentVersion:
    """Raises VersionNotFoundError."""
    found = document.versions.filter(number=number).first()
    if found is None:
        raise VersionNotFoundError(f"{document.pk} v{number}")
    return found


def version_path(version: DocumentVersion) -> Path:
    """Where the version's original lies."""
    return files.path_of(version.file)


def document_path(document: Document) -> Path:
    """Where the original lies that is searched; the latest, while none is. Raises VersionNotFoundError."""
    return version_path(version_get(document, document.live_version or document.version))


def queue_status() -> QueueStatus:
    """For an admin: counts over all collections, and the documents being read."""
    now = timezone.now()
    queued = Document.objects.filter(state=DocumentState.QUEUED)
    waiting = queued.count()
    finished = DocumentVersion.objects.filter(finished_at__gte=now - _THROUGHPUT_OVER)
    minutes = _THROUGHPUT_OVER.total_seconds() / 60
    rate = finished.count() / minutes
    return QueueStatus(
        waiting=waiting,
        delayed=queued.filter(available_at__gt=now).count(),
        running=list(
            Document.objects.filter(state=DocumentState.PROCESSING).select_related("collection").order_by("created_at")
        ),
        failed=Document.objects.filter(state=DocumentState.FAILED).count(),
        waiting_bytes=queued.aggregate(total=Sum("size"))["total"] or 0,
        documents_per_minute=rate,
        chunks_per_minute=(finished.aggregate(total=Sum("chunk_count"))["total"] or 0) / minutes,
        eta_s=round(waiting / rate * 60) if rate else None,
    )


def uuid_or_none(value: str | UUID) -> UUID | None:
    """A malformed id is like one that nothing has."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError:
        return None


def _is_or_was_live() -> Q:
    """What answers can cite. A version that was overtaken before it was published was never anybody's to read."""
    was = DocumentVersion.objects.filter(
        document=OuterRef("document"), number=OuterRef("version"), finished_at__isnull=False, error_code=""
    )
    live = F("document__live_version")
    return Q(version=live) | Q(Exists(was), version__lt=live)


def _chunks_within(scope: AccessScope) -> QuerySet[Chunk]:
    return (
        Chunk.objects.filter(document__collection_id__in=scope.collection_ids)
        .exclude(document__state=DocumentState.DELETING)
        .select_related("document", "document__collection")
    )
