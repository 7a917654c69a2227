"""Celery's way in: what happens to answers without a reader."""

from celery import shared_task

from ragapp.chat import services


@shared_task
def expire_answers() -> None:
    """Fail the answers whose process is gone."""
    services.answers_expire()
