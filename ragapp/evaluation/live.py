"""Retrieval and answers over a set's cases, on the live index, in an admin's rights: for a command and a worker."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingestion import engine
from ingestion.access import AccessScope
from ingestion.errors import IngestionError
from ingestion.selectors import chunks_visible_to, documents_visible_to, scope_for
from ragapp.accounts.models import User
from ragapp.answering.answerer import Answerer
from ragapp.evaluation import answers, cases, retrieval, services
from ragapp.evaluation.answers import AnswersReport, Prices
from ragapp.evaluation.corpus import Corpus, LiveCorpus, Progress
from ragapp.evaluation.errors import EvaluationError, NotAnAdminError
from ragapp.evaluation.follow_ups import FollowUps
from ragapp.evaluation.judging import Judge
from ragapp.evaluation.models import EvaluationRun
from ragapp.evaluation.question_set import QuestionSet
from ragapp.evaluation.retrieval import ARMS, Arm, RetrievalReport
from ragapp.gateway.base import ChatModel
from ragapp.passages import SqlPassageStore

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 1.0


@dataclass(frozen=True)
class LiveSet:
    """The cases that a person may see, and what they are asked of."""

    questions: QuestionSet
    texts: LiveCorpus


def live_corpus(scope: AccessScope) -> LiveCorpus:
    """What can be found in the scope now."""
    return LiveCorpus(
        opened=engine.index,
        store=SqlPassageStore(),
        scope=scope,
        documents=documents_visible_to(scope).filter(live_version__isnull=False).count(),
        chunk_count=chunks_visible_to(scope).count(),
    )


def live_set(question_set: str, *, user: User | None) -> LiveSet:
    """The set in the person's rights. Raises NotAnAdminError."""
    if user is None or not user.is_active or not user.is_staff:
        raise NotAnAdminError(question_set)
    scope = scope_for(user)
    return LiveSet(cases.as_question_set(question_set, scope=scope), live_corpus(scope))


def measure_cases(
    question_set: str,
    *,
    user: User | None,
    arms: Mapping[str, Arm],
    follow_ups: FollowUps = FollowUps.LEANING,
    model: ChatModel | None = None,
    progress: Progress,
) -> RetrievalReport:
    """Ask the cases of every arm in the person's rights. Raises EvaluationError or IngestionError."""
    found = live_set(question_set, user=user)
    return retrieval.evaluate_over(
        found.texts,
        found.questions,
        arms=arms,
        embedder=engine.embedder(),
        configuration={"corpus": "live"},
        follow_ups=follow_ups,
        model=model,
        progress=progress,
    )


def answer_cases(
    question_set: str,
    *,
    user: User | None,
    answering: Callable[[Corpus], Answerer],
    judge: Judge | None,
    prices: Prices,
    configuration: Mapping[str, object],
    progress: Progress,
) -> AnswersReport:
    """Have the cases answered in the person's rights, and keep none of their words. Raises EvaluationError."""
    found = live_set(question_set, user=user)
    report = answers.evaluate(
        found.questions,
        found.texts,
        answerer=answering(found.texts),
        embedder=engine.embedder(),
        judge=judge,
        prices=prices,
        configuration={"corpus": "live", **configuration},
        progress=progress,
    )
    return answers.without_words(report)


def run_here(number: int) -> None:
    """Make a run that was asked for, unless another worker has it. The outcome is on its row."""
    run = services.run_claim(number)
    if run is None:
        return
    try:
        report = measure_cases(run.question_set, user=run.requested_by, arms=_arms(run), progress=_told(run))
    except (EvaluationError, IngestionError) as exc:
        logger.warning("evaluation run %s: %s", number, exc)
        services.run_fail(number, code=exc.code)
    except Exception:
        logger.exception("evaluation run %s", number)
        services.run_fail(number, code="internal_error")
    else:
        services.run_finish(run, report)


def _arms(run: EvaluationRun) -> dict[str, Arm]:
    return {name: arm for name, arm in ARMS.items() if name in run.configuration.get("arms", [])}


def _told(run: EvaluationRun) -> Callable[[str, int, int], None]:
    """Tells the row how far it is, not at every question; and lets answers go first on this machine."""
    last = 0.0

    def progress(step: str, done: int, total: int) -> None:
        nonlocal last
        engine.wait_turn()
        if done < total and time.monotonic() - last < _TELL_EVERY_S:
            return
        last = time.monotonic()
        services.run_heard(run.pk, step=step, done=done, total=total)

    return progress
