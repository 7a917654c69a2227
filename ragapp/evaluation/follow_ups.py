"""How a set's follow-ups are asked: alone, with the question before, or rewritten by the model, as the product does."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ragapp.answering.condensing import condensed, needs_rewriting
from ragapp.evaluation.corpus import Progress
from ragapp.evaluation.question_set import Question
from ragapp.gateway.base import ChatModel


class FollowUps(StrEnum):
    """LAST: as if it stood alone. LEANING: with the question before. CONDENSED: rewritten, else LEANING."""

    LAST = "last"
    LEANING = "leaning"
    CONDENSED = "condensed"


@dataclass(frozen=True)
class Asked:
    """What is searched for. `condense_s` is None where the model was not asked to rewrite it."""

    text: str
    earlier: str = ""
    condense_s: float | None = None
    is_rewritten: bool = False


@dataclass(frozen=True)
class FollowUpCounts:
    """Of the follow-ups those that the model was given, and those whose rewriting was taken."""

    all: int
    given: int
    rewritten: int


def as_asked(
    questions: Sequence[Question], how: FollowUps, *, model: ChatModel | None, cache_salt: str, progress: Progress
) -> dict[str, Asked]:
    """By question id. `model` rewrites what is CONDENSED; without one it leans."""
    if how is FollowUps.CONDENSED and model:
        return asyncio.run(_rewritten(questions, model=model, cache_salt=cache_salt, progress=progress))
    is_leaning = how is not FollowUps.LAST
    return {each.id: Asked(each.text, each.earlier if is_leaning else "") for each in questions}


def counts(questions: Sequence[Question], asked: Mapping[str, Asked]) -> FollowUpCounts:
    """What became of the follow-ups."""
    return FollowUpCounts(
        all=sum(bool(each.earlier) for each in questions),
        given=sum(each.condense_s is not None for each in asked.values()),
        rewritten=sum(each.is_rewritten for each in asked.values()),
    )


async def _rewritten(
    questions: Sequence[Question], *, model: ChatModel, cache_salt: str, progress: Progress
) -> dict[str, Asked]:
    found: dict[str, Asked] = {}
    for done, question in enumerate(questions, start=1):
        found[question.id] = await _one(question, model=model, cache_salt=cache_salt)
        progress("condensing", done, len(questions))
    return found


async def _one(question: Question, *, model: ChatModel, cache_salt: str) -> Asked:
    if not needs_rewriting(question.text, question.turns):
        return Asked(question.text, question.earlier)
    started = time.perf_counter()
    text = (await condensed(question.text, question.turns, model=model, cache_salt=cache_salt)).text
    took = time.perf_counter() - started
    if text is None:
        return Asked(question.text, question.earlier, condense_s=took)
    return Asked(text, condense_s=took, is_rewritten=True)
