"""Celery's way in: ids only; the claim and the outcome are on the row."""

from celery import shared_task

from ragapp.evaluation import cases, live, services


@shared_task
def run_cases(run_id: int) -> None:
    """One run over stored cases. A second delivery finds nothing to claim."""
    live.run_here(run_id)


@shared_task
def tend_evaluation() -> None:
    """Fail the runs whose process is gone, and blank what was drawn from deleted documents."""
    services.runs_expire()
    cases.cases_forget()
