"""Celery's way in to what concerns several packages at once."""

from celery import shared_task

from ingestion import erasure
from ragapp.chat.services import answers_forget
from ragapp.evaluation.cases import cases_forget


@shared_task
def settle_erasures() -> None:
    """See to it that no byte of what was purged is left, and say so on the receipts.

    What was written from it is blanked first: the clean-up of the database's files finds what is dead by then.
    """
    answers_forget()
    cases_forget()
    erasure.erasures_settle()
