"""Celery's way in: ids only, claimed by a lease, the outcome on the row. A broker is not a database: see `sweep`."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from ingestion import engine
from ingestion.chunking import chunk_id
from ingestion.errors import IngestionError, IngestionInterruptedError
from ingestion.index.base import IndexedChunk
from ingestion.models import Chunk, Document, DocumentState
from ingestion.pipeline import PreparedChunk, PreparedDocument, Step, prepare
from ingestion.selectors import document_path

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 3
GRACE = timedelta(seconds=10)
RESEND_AFTER = timedelta(minutes=10)
_PROCESSING = DocumentState.PROCESSING
_INDEXING = "indexing"


@shared_task
def ingest_document(document_id: str) -> None:
    """Parse, chunk, embed and index one document. A second delivery finds nothing to claim."""
    document = _claim(UUID(document_id))
    if document is None:
        return
    if document.attempts > MAX_ATTEMPTS:
        _fail(document, IngestionInterruptedError.code)
        return
    try:
        _publish(document, _prepare(document))
    except IngestionError as exc:
        logger.warning("document %s failed: %s: %s", document.pk, exc.code, exc)
        _fail(document, exc.code)
    except Exception:
        logger.exception("document %s failed", document.pk)
        _fail(document, IngestionError.code)


@shared_task
def purge_document(document_id: str) -> None:
    """Remove points, passages, quotes, row and file of a deleted document. May run again after any crash."""
    document = Document.objects.filter(pk=UUID(document_id), state=DocumentState.DELETING).first()
    if document is None:
        return
    engine.index().delete_document(document_id)
    document_path(document).unlink(missing_ok=True)
    document.delete()


@shared_task
def sweep() -> None:
    """Send again whatever lost its worker or its broker message."""
    _resend(grace=GRACE)


def _resend(*, grace: timedelta) -> None:
    """`grace` spares what was saved a moment ago, and whose message is on its way."""
    now = timezone.now()
    unsent = Q(enqueued_at__isnull=True, updated_at__lte=now - grace)
    lost = Q(enqueued_at__lt=now - RESEND_AFTER)
    waiting = Q(state=DocumentState.QUEUED) & (unsent | lost)
    orphaned = Q(state=_PROCESSING) & _unclaimed(now)
    for key in Document.objects.filter(waiting | orphaned).order_by("created_at").values_list("pk", flat=True):
        send(key)
    deleting = Document.objects.filter(state=DocumentState.DELETING, updated_at__lte=now - grace)
    for key in deleting.values_list("pk", flat=True):
        send_purge(key)


def send(document_id: UUID) -> None:
    """Hand the document to the workers, and note that the broker took it.

    A broker in memory reaches this process alone: without workers here the row waits for their sweep.
    """
    if not engine.reaches_workers():
        return
    ingest_document.delay(str(document_id))
    Document.objects.filter(pk=document_id).update(enqueued_at=timezone.now())


def send_purge(document_id: UUID) -> None:
    """Hand the deleted document to the workers; the sweep repeats this until its row is gone."""
    if engine.reaches_workers():
        purge_document.delay(str(document_id))


def recover() -> None:
    """For a server that has just started and is alone: no lease and no message of the last run is alive."""
    Document.objects.filter(state=_PROCESSING).update(claimed_until=None)
    Document.objects.filter(state=DocumentState.QUEUED).update(enqueued_at=None)
    _resend(grace=timedelta(0))


def let_go() -> None:
    """On a clean stop: what was being read starts afresh next time, and does not count as an attempt."""
    Document.objects.filter(state=_PROCESSING).update(
        state=DocumentState.QUEUED,
        step="",
        claimed_until=None,
        enqueued_at=None,
        attempts=Greatest(F("attempts") - 1, 0),
    )


def _claim(document_id: UUID) -> Document | None:
    """One conditional UPDATE decides who works on the document."""
    now = timezone.now()
    free = Q(state=DocumentState.QUEUED) | (Q(state=_PROCESSING) & _unclaimed(now))
    claimed = Document.objects.filter(free, pk=document_id).update(
        state=_PROCESSING,
        step=Step.PARSING,
        claimed_until=now + LEASE,
        attempts=F("attempts") + 1,
        updated_at=now,
    )
    return Document.objects.select_related("collection").get(pk=document_id) if claimed else None


def _unclaimed(now: datetime) -> Q:
    return Q(claimed_until__lt=now) | Q(claimed_until__isnull=True)


def _prepare(document: Document) -> PreparedDocument:
    return prepare(
        document_path(document),
        name=document.name,
        config=settings.INGESTION,
        embedder=engine.embedder(),
        on_step=lambda step: _heartbeat(document, step),
        wait_turn=lambda: _wait_turn(document),
    )


def _wait_turn(document: Document) -> None:
    engine.wait_turn()
    _heartbeat(document, Step.EMBEDDING)


def _heartbeat(document: Document, step: str) -> None:
    """Extend the lease and show the step. A document that was deleted meanwhile is let go."""
    now = timezone.now()
    kept = Document.objects.filter(pk=document.pk, state=_PROCESSING).update(
        step=step, claimed_until=now + LEASE, updated_at=now
    )
    if not kept:
        raise _LetGoError


class _LetGoError(IngestionError):
    """The document was deleted while a worker held it."""


def _publish(document: Document, prepared: PreparedDocument) -> None:
    """Truth first, then the index, then READY: search re-checks in SQL, so a half-published document is unseen."""
    _heartbeat(document, _INDEXING)
    with transaction.atomic():
        document.chunks.all().delete()
        Chunk.objects.bulk_create(
            [
                Chunk(
                    id=_chunk_id(document, chunk),
                    document=document,
                    ordinal=chunk.ordinal,
                    text=chunk.text,
                    page=chunk.page,
                    heading=chunk.heading[:500],
                    start=chunk.start,
                    end=chunk.end,
                )
                for chunk in prepared.chunks
            ],
            batch_size=500,
        )
    index = engine.index()
    index.delete_document(str(document.pk))
    index.upsert(
        [
            IndexedChunk(
                chunk_id=_chunk_id(document, chunk),
                document_id=str(document.pk),
                collection_id=str(document.collection_id),
                text=chunk.search_text,
                vector=chunk.vector,
            )
            for chunk in prepared.chunks
        ]
    )
    now = timezone.now()
    ready = Document.objects.filter(pk=document.pk, state=_PROCESSING).update(
        state=DocumentState.READY,
        step="",
        error_code="",
        claimed_until=None,
        title=(prepared.title or document.name)[:255],
        media_type=prepared.media_type,
        pages=prepared.pages,
        chunk_count=len(prepared.chunks),
        updated_at=now,
        finished_at=now,
    )
    if not ready:
        # Deleted while the points were written; its purge may have run before they were there.
        index.delete_document(str(document.pk))


def _chunk_id(document: Document, chunk: PreparedChunk) -> str:
    return chunk_id(str(document.pk), document.version, chunk.ordinal)


def _fail(document: Document, code: str) -> None:
    now = timezone.now()
    Document.objects.filter(pk=document.pk, state=_PROCESSING).update(
        state=DocumentState.FAILED,
        step="",
        error_code=code,
        claimed_until=None,
        updated_at=now,
        finished_at=now,
    )
