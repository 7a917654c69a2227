"""Celery's way in: what happens to answers without a reader."""

from celery import shared_task

from ragapp.chat import services


@shared_task
def tend_answers() -> None:
    """Fail the answers whose process is gone, and blank those whose sources were deleted."""
    services.answers_expire()
    services.answers_forget()
