"""Runs are written once and never changed."""

from dataclasses import asdict

from ragapp.evaluation.errors import UnknownRunError
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.evaluation.retrieval import RetrievalReport


def run_store(report: RetrievalReport) -> EvaluationRun:
    """Keep a report."""
    body = asdict(report)
    return EvaluationRun.objects.create(
        kind=EvaluationKind.RETRIEVAL,
        question_set=report.question_set[:200],
        configuration=body.pop("configuration"),
        report=body,
    )


def run_get(number: int) -> EvaluationRun:
    """Raises UnknownRunError."""
    run = EvaluationRun.objects.filter(pk=number).first()
    if run is None:
        raise UnknownRunError(f"there is no evaluation run {number}")
    return run
