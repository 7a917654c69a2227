"""Messages to the workers, by name and with ids alone. The row is the truth: what is lost, the sweep sends again.

| queue | for |
|---|---|
| ingest | files below 4 MiB |
| ingest_large | larger ones, which must not keep the others waiting |
| maintenance | purges, sweeps, index builds and synchronisation |
"""

from enum import StrEnum
from uuid import UUID

from celery import current_app
from django.utils import timezone

from ingestion import engine
from ingestion.claims import LARGE_BYTES
from ingestion.models import Document


class Queue(StrEnum):
    """Where a task waits."""

    INGEST = "ingest"
    INGEST_LARGE = "ingest_large"
    MAINTENANCE = "maintenance"


def send(*documents: tuple[UUID, int]) -> None:
    """Hand documents, each its id and its size in bytes, to the workers, and note which of them the broker took."""
    taken = []
    try:
        for key, size in documents:
            queue = Queue.INGEST_LARGE if size >= LARGE_BYTES else Queue.INGEST
            if sent("ingestion.tasks.ingest_document", str(key), queue=queue):
                taken.append(key)
    finally:
        Document.objects.filter(pk__in=taken).update(enqueued_at=timezone.now())


def send_purge(document_id: UUID) -> None:
    """Have a deleted document purged; the sweep repeats this until its row is gone."""
    sent("ingestion.tasks.purge_document", str(document_id), queue=Queue.MAINTENANCE)


def send_refresh(document_id: UUID) -> None:
    """Have the index hold what SQL says of the document; the sweep repeats this while `index_stale`."""
    sent("ingestion.tasks.refresh_document", str(document_id), queue=Queue.MAINTENANCE)


def send_build(build_id: int) -> None:
    """Have a generation of the index built."""
    sent("ingestion.tasks.build_index", build_id, queue=Queue.MAINTENANCE)


def sent(task: str, argument: str | int, *, queue: Queue, expires: float | None = None) -> bool:
    """A broker in memory reaches this process alone: without workers here the row waits for their sweep."""
    if not engine.reaches_workers():
        return False
    current_app.send_task(task, args=[argument], queue=queue.value, expires=expires)
    return True
