"""Celery's way into the synchronisation: ids only; the claim is on the row."""

from uuid import UUID

from celery import shared_task

from ingestion.sources import claims, outbox, sync


@shared_task
def sync_source(source_id: str) -> None:
    """One run of one source. A second delivery finds nothing to claim."""
    sync.run(UUID(source_id))


@shared_task
def sync_sources() -> None:
    """Send every source whose time has come, or whose worker died."""
    for key in claims.due():
        outbox.send(key)
