"""Hands a source to the workers. Beat repeats it, so a lost message costs a minute."""

from uuid import UUID

from celery import current_app

from ingestion import engine
from ingestion.outbox import Queue

# Beat sends again what is still due, so an old message is only in the way.
_EXPIRES_S = 120
TASK = "ingestion.sources.tasks.sync_source"


def send(source_id: UUID) -> None:
    """By name, so that nothing here imports the tasks. Where no worker is in reach, the row waits for one."""
    if engine.reaches_workers():
        current_app.send_task(TASK, args=[str(source_id)], queue=Queue.MAINTENANCE.value, expires=_EXPIRES_S)
