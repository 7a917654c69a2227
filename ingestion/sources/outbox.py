"""Hands a source to the workers. Beat repeats it, so a lost message costs a minute."""

from uuid import UUID

from ingestion.outbox import Queue, sent

# Beat sends again what is still due, so an old message is only in the way.
_EXPIRES_S = 120
TASK = "ingestion.sources.tasks.sync_source"


def send(source_id: UUID) -> None:
    """By name, so that nothing here imports the tasks. Where no worker is in reach, the row waits for one."""
    sent(TASK, str(source_id), queue=Queue.MAINTENANCE, expires=_EXPIRES_S)
