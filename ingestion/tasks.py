"""Celery's way in: ids only, claimed by a lease, the outcome on the row. A broker is not a database: see `sweep`."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from ingestion import builds, claims, engine, files, outbox, publishing, services
from ingestion.models import ChunkEmbedding, Document, DocumentState, Erasure, IndexBuild
from ingestion.run import work

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=10)
# A message may be lost with its broker. Sending another is cheap: who comes second finds nothing to claim.
RESEND_AFTER = timedelta(seconds=60)
# A run goes on with whatever waits, so a few messages wake as many workers as there are.
_MOST_RESENT = 500
_LARGE_FOR_S = 600.0


@shared_task
def ingest_document(document_id: str) -> None:
    """Read one document, and others that wait. A second delivery finds nothing to claim."""
    key = UUID(document_id)
    size = Document.objects.filter(pk=key).values_list("size", flat=True).first()
    if size is None:
        return
    if size < claims.LARGE_BYTES:
        work(key)
        return
    with engine.large_turn() as ours:
        if ours:
            _work_on_large(key)


@shared_task
def purge_document(document_id: str) -> None:
    """Remove points, passages, quotes, files and row of a deleted document. May run again after any crash.

    Not while a worker holds it: what that writes after the purge would stay for ever. Not before its members.
    """
    unclaimed = Document.objects.filter(claims.unclaimed(timezone.now()), state=DocumentState.DELETING)
    document = unclaimed.filter(pk=UUID(document_id)).first()
    if document is None:
        return
    for member in document.members.exclude(state=DocumentState.DELETING):
        services.document_delete(member)
    if document.members.exists():
        return
    index = engine.index()
    points = index.count(document_id=document_id)
    index.delete_document(document_id)
    versions = list(document.versions.all())
    removed = sum(files.discard(version.file) for version in versions)
    ChunkEmbedding.objects.filter(chunk__document=document).delete()
    chunks, _ = document.chunks.all().delete()
    document.delete()
    receipt = Erasure.objects.filter(document_id=UUID(document_id), purged_at__isnull=True)
    receipt.update(
        purged_at=timezone.now(),
        points=points,
        chunks=chunks,
        files=removed,
        sha256=sorted({version.sha256 for version in versions}),
    )


@shared_task
def refresh_document(document_id: str) -> None:
    """Make the index hold what SQL says of a document that changed."""
    document = Document.objects.filter(pk=UUID(document_id), index_stale=True).first()
    if document is not None and document.state != DocumentState.DELETING:
        publishing.refresh(document, index=engine.index())


@shared_task
def build_index(build_id: int) -> None:
    """Build a generation of the index beside the live one, and switch to it."""
    build = IndexBuild.objects.filter(pk=build_id).first()
    if build is not None:
        builds.run_here(build)


@shared_task
def sweep() -> None:
    """Send again whatever lost its worker or its broker message."""
    _resend(grace=GRACE)


def recover() -> None:
    """For a server that has just started and is alone: no lease and no message of the last run is alive."""
    Document.objects.filter(state__in=[DocumentState.PROCESSING, DocumentState.DELETING]).update(
        claim=None, claimed_until=None
    )
    Document.objects.filter(state=DocumentState.QUEUED).update(enqueued_at=None, available_at=None)
    builds.builds_let_go()
    _resend(grace=timedelta(0))


def let_go() -> None:
    """On a clean stop: what was being read goes on next time, and does not count as an attempt."""
    Document.objects.filter(state=DocumentState.PROCESSING).update(
        **claims.BACK_IN_LINE,
        attempts=Greatest(F("attempts") - 1, 0),
    )


def _work_on_large(key: UUID | None) -> None:
    """One large file after the other: those that came meanwhile found the turn taken."""
    until = time.monotonic() + _LARGE_FOR_S
    while key is not None:
        work(key)
        key = claims.next_large() if time.monotonic() < until else None


def _resend(*, grace: timedelta) -> None:
    now = timezone.now()
    unsent = Q(enqueued_at__isnull=True, updated_at__lte=now - grace) | Q(enqueued_at__lte=now - RESEND_AFTER)
    waiting = Q(state=DocumentState.QUEUED) & unsent & claims.available(now)
    orphaned = Q(state=DocumentState.PROCESSING) & claims.unclaimed(now)
    lost = Document.objects.filter(waiting | orphaned).order_by("created_at")
    for lane in (Q(size__lt=claims.LARGE_BYTES), Q(size__gte=claims.LARGE_BYTES)):
        outbox.send(*lost.filter(lane).values_list("pk", "size")[:_MOST_RESENT])
    free = Document.objects.filter(claims.unclaimed(now))
    deleting = free.filter(state=DocumentState.DELETING, updated_at__lte=now - grace)
    for key in deleting.values_list("pk", flat=True)[:_MOST_RESENT]:
        outbox.send_purge(key)
    for key in free.filter(index_stale=True, live_version__isnull=False).values_list("pk", flat=True)[:_MOST_RESENT]:
        outbox.send_refresh(key)
    ours = builds.builds_waiting().filter(embedding_model=engine.embedder().name)
    for build_id in ours.values_list("pk", flat=True)[:1]:
        outbox.send_build(build_id)
