"""Runs: kept once they are done, and claimed, told of and settled while they go on. A report never changes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ingestion import outbox
from ragapp.accounts.models import User
from ragapp.evaluation.answers import AnswersReport
from ragapp.evaluation.errors import RunInterruptedError, RunOpenError, UnknownRunError
from ragapp.evaluation.models import OPEN, EvaluationKind, EvaluationRun, RunState
from ragapp.evaluation.refusals import RefusalsReport
from ragapp.evaluation.reports import headline_of
from ragapp.evaluation.retrieval import RetrievalReport

# A question is told of every second or so; the first one may wait for a model to load, and a message for a worker.
SILENCE = timedelta(minutes=15)
_KINDS = {
    RetrievalReport: EvaluationKind.RETRIEVAL,
    AnswersReport: EvaluationKind.ANSWERS,
    RefusalsReport: EvaluationKind.REFUSALS,
}


def run_keep(
    *, kind: EvaluationKind, question_set: str, configuration: Mapping[str, Any], report: Mapping[str, Any]
) -> EvaluationRun:
    """Store what was measured, of whatever kind; `report` as `ragapp.evaluation.reports` reads it."""
    run = EvaluationRun(
        kind=kind, question_set=question_set[:200], configuration=dict(configuration), report=dict(report)
    )
    run.figures = [asdict(figure) for figure in headline_of(run)]
    run.save()
    return run


def run_store(report: RetrievalReport | AnswersReport | RefusalsReport) -> EvaluationRun:
    """Keep a report."""
    body = asdict(report)
    return run_keep(
        kind=_KINDS[type(report)],
        question_set=report.question_set,
        configuration=body.pop("configuration"),
        report=body,
    )


def run_get(number: int) -> EvaluationRun:
    """Raises UnknownRunError."""
    run = EvaluationRun.objects.filter(pk=number).first()
    if run is None:
        raise UnknownRunError(f"there is no evaluation run {number}")
    return run


def run_body(run: EvaluationRun) -> dict[str, Any]:
    """A run whole, as it is exported."""
    head = {"kind": run.kind, "question_set": run.question_set, "created_at": run.created_at.isoformat()}
    return {"run": run.pk, **head, "configuration": run.configuration, **run.report}


def run_request(question_set: str, *, arms: Sequence[str], requested_by: User) -> EvaluationRun:
    """Have the arms measured over the set's cases, in the rights that the person has when it begins.

    Raises RunOpenError where one that they asked for is not over.
    """
    try:
        with transaction.atomic():
            run = EvaluationRun.objects.create(
                kind=EvaluationKind.RETRIEVAL,
                question_set=question_set,
                configuration={"arms": list(arms), "corpus": "live"},
                state=RunState.QUEUED,
                requested_by=requested_by,
            )
    except IntegrityError as exc:
        raise RunOpenError(question_set) from exc
    # robust: a broker that is down must not fail the page; the run expires.
    transaction.on_commit(partial(_send, run.pk), robust=True)
    return run


def run_claim(number: int) -> EvaluationRun | None:
    """One worker makes a run: the one whose UPDATE moved it from QUEUED."""
    claimed = EvaluationRun.objects.filter(pk=number, state=RunState.QUEUED).update(
        state=RunState.RUNNING, heard_at=timezone.now()
    )
    return EvaluationRun.objects.select_related("requested_by").get(pk=number) if claimed else None


def run_heard(number: int, *, step: str, done: int, total: int) -> None:
    """How far it is."""
    EvaluationRun.objects.filter(pk=number, state=RunState.RUNNING).update(
        step=step[:20], done=done, total=total, heard_at=timezone.now()
    )


def run_finish(run: EvaluationRun, report: RetrievalReport) -> None:
    """Keep the report of a run that was asked for; one that has expired meanwhile is done after all."""
    body = asdict(report)
    run.configuration, run.report = body.pop("configuration"), body
    # An UPDATE: a run that was deleted meanwhile stays deleted.
    EvaluationRun.objects.filter(pk=run.pk).update(
        configuration=run.configuration,
        report=run.report,
        figures=[asdict(figure) for figure in headline_of(run)],
        state=RunState.DONE,
        error_code="",
        heard_at=timezone.now(),
    )


def run_fail(number: int, *, code: str) -> None:
    """Say why it ended."""
    unsettled = EvaluationRun.objects.filter(pk=number, state__in=OPEN)
    unsettled.update(state=RunState.FAILED, error_code=code, heard_at=timezone.now())


def runs_expire(*, silent_for: timedelta = SILENCE) -> int:
    """Fail the runs whose process is gone, and those that no worker came for."""
    unsettled = EvaluationRun.objects.filter(state__in=OPEN)
    silent = unsettled.filter(heard_at__lt=timezone.now() - silent_for)
    return silent.update(state=RunState.FAILED, error_code=RunInterruptedError.code) if silent.exists() else 0


def run_delete(run: EvaluationRun) -> None:
    """Remove it."""
    run.delete()


def _send(number: int) -> None:
    outbox.sent("ragapp.evaluation.tasks.run_cases", number, queue=outbox.Queue.MAINTENANCE)
