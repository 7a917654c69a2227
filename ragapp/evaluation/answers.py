"""Answers to a question set: right, cited, grounded, refused where they should be, how fast and for how many tokens.

The questions go through the product's own answerer, one after the other.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingestion.embedding.base import Embedder
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import AnswerFailed, AnswerFinished, Passage, SourcesFound, TextDelta
from ragapp.answering.citing import without_markers
from ragapp.evaluation import measures
from ragapp.evaluation.corpus import Corpus, Progress, target_of
from ragapp.evaluation.errors import NothingToMeasureError
from ragapp.evaluation.judging import Judge, overlap
from ragapp.evaluation.measures import Estimate
from ragapp.evaluation.question_set import Question, QuestionSet
from ragapp.gateway.base import Usage

_TOKENS_OF_A_PRICE = 1_000_000


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in any currency."""

    read: float = 0.0
    written: float = 0.0

    def of(self, usage: Iterable[Usage]) -> float:
        """The cost of these calls."""
        return (
            math.fsum(each.prompt_tokens * self.read + each.completion_tokens * self.written for each in usage)
            / _TOKENS_OF_A_PRICE
        )


@dataclass(frozen=True)
class AnsweredQuestion:
    """One answer. `written` is what the model wrote, `answer` what a person sees; `cited` and `wanted` are targets."""

    id: str
    text: str
    expected: Sequence[str]
    answer: str
    written: str
    refused: bool
    error: str
    cited: Sequence[str]
    wanted: Sequence[str]
    measures: Mapping[str, float]
    timings_ms: Mapping[str, float]
    usage: Usage


@dataclass(frozen=True)
class AnswersReport:
    """Everything that was measured in one run; `measures` are means over the questions that have the measure."""

    question_set: str
    documents: int
    chunks: int
    unread: Mapping[str, str]
    configuration: Mapping[str, object]
    measures: Mapping[str, Estimate]
    latency_ms: Mapping[str, tuple[float, float]]
    tokens: Mapping[str, int]
    cost: float
    questions: Sequence[AnsweredQuestion] = field(repr=False)


def evaluate(
    questions: QuestionSet,
    texts: Corpus,
    *,
    answerer: Answerer,
    embedder: Embedder,
    judge: Judge | None,
    prices: Prices,
    configuration: Mapping[str, object],
    progress: Progress,
) -> AnswersReport:
    """Ask every question. Follow-ups come with the question before. Raises NothingToMeasureError."""
    if not questions.questions:
        raise NothingToMeasureError("the set has no question")
    measured = _Measured(questions, texts, answerer=answerer, embedder=embedder, judge=judge)
    answered = asyncio.run(measured.all(progress))
    names = dict.fromkeys(name for each in answered for name in each.measures)
    stages = dict.fromkeys(name for each in answered for name in each.timings_ms)
    return AnswersReport(
        question_set=questions.name,
        documents=texts.documents,
        chunks=texts.chunk_count,
        unread=texts.unread,
        configuration={**configuration, "embedding_model": embedder.name, "judge": judge.name if judge else None},
        measures={
            name: measures.estimate([each.measures[name] for each in answered if name in each.measures])
            for name in names
        },
        latency_ms={
            stage: measures.median_and_p95([each.timings_ms[stage] for each in answered if stage in each.timings_ms])
            for stage in stages
        },
        tokens={
            "read": sum(each.usage.prompt_tokens for each in answered),
            "read_from_cache": sum(each.usage.cached_tokens for each in answered),
            "written": sum(each.usage.completion_tokens for each in answered),
        },
        cost=prices.of(each.usage for each in answered),
        questions=answered,
    )


def without_words(report: AnswersReport) -> AnswersReport:
    """As it is kept of stored cases: their words, and those of answers, go with the documents that they are from."""
    bare = [replace(each, text="", expected=(), answer="", written="") for each in report.questions]
    return replace(report, questions=bare)


@dataclass(frozen=True)
class _Measured:
    """What every question of a run shares."""

    questions: QuestionSet
    texts: Corpus
    answerer: Answerer
    embedder: Embedder
    judge: Judge | None

    async def all(self, progress: Progress) -> list[AnsweredQuestion]:
        found = []
        for done, question in enumerate(self.questions.questions, start=1):
            found.append(await self._one(question))
            progress("answering", done, len(self.questions.questions))
        return found

    async def _one(self, question: Question) -> AnsweredQuestion:
        given: tuple[Passage, ...] = ()
        written: list[str] = []
        ended: AnswerFinished | AnswerFailed | None = None
        async for event in self.answerer.answer(question.text, scope=self.texts.scope, history=question.turns):
            if isinstance(event, SourcesFound):
                given = event.passages
            elif isinstance(event, TextDelta):
                written.append(event.text)
            elif isinstance(event, AnswerFinished | AnswerFailed):
                ended = event
        relevant = self.questions.relevant.get(question.id, {})
        wanted = [target for target, grade in relevant.items() if grade > 0]
        if not isinstance(ended, AnswerFinished):
            return _failed(question, ended, written="".join(written), wanted=wanted)
        cited = list(dict.fromkeys(target_of(source.passage, wanted=wanted) for source in ended.sources))
        return AnsweredQuestion(
            id=question.id,
            text=question.text,
            expected=question.answers,
            answer=ended.text,
            written="".join(written),
            refused=ended.refused,
            error="",
            cited=cited,
            wanted=wanted,
            measures={
                **_about_refusing(question, refused=ended.refused),
                **_about_citing(cited, wanted=wanted, refused=ended.refused, answerable=question.is_answerable),
                **({"supported": ended.supported / ended.statements} if ended.statements else {}),
                **await self._about_correctness(question, ended, given=given),
            },
            timings_ms={stage: took * 1000 for stage, took in ended.timings.items()},
            usage=ended.usage,
        )

    async def _about_correctness(
        self, question: Question, ended: AnswerFinished, *, given: Sequence[Passage]
    ) -> dict[str, float]:
        """A refusal of what could be answered is worth nothing; one of what could not is not measured here."""
        expected = [each for each in question.answers if each.strip()]
        if not expected or not question.is_answerable:
            return {}
        if ended.refused:
            zero = dict.fromkeys(("token_f1", "token_recall", "similarity"), 0.0)
            return {**zero, **({"judged_correct": 0.0} if self.judge else {})}
        bare = without_markers(ended.text)
        words = overlap(bare, expected)
        found = {"token_f1": words.f1, "token_recall": words.recall, "similarity": self._similarity(bare, expected)}
        if self.judge:
            marks = {
                "judged_correct": await self.judge.correct(question.text, answer=bare, expected=expected[0]),
                "judged_faithful": await self.judge.faithful(
                    question.text, answer=bare, passages=[passage.text for passage in given]
                ),
            }
            found.update({name: mark for name, mark in marks.items() if mark is not None})
        return found

    def _similarity(self, answer: str, expected: Sequence[str]) -> float:
        """The cosine with the nearest expected answer."""
        ours, *theirs = self.embedder.embed_documents([answer, *expected])
        return max(math.fsum(a * b for a, b in zip(ours, each, strict=True)) for each in theirs)


def _failed(question: Question, ended: AnswerFailed | None, *, written: str, wanted: Sequence[str]) -> AnsweredQuestion:
    return AnsweredQuestion(
        id=question.id,
        text=question.text,
        expected=question.answers,
        answer="",
        written=written,
        refused=False,
        error=ended.code if ended else "internal_error",
        cited=(),
        wanted=wanted,
        measures={"failed": 1.0},
        timings_ms={},
        usage=Usage(),
    )


def _about_refusing(question: Question, *, refused: bool) -> dict[str, float]:
    if question.is_answerable:
        return {"refused_though_answerable": float(refused)}
    return {"answered_though_unanswerable": float(not refused)}


def _about_citing(cited: Sequence[str], *, wanted: Sequence[str], refused: bool, answerable: bool) -> dict[str, float]:
    """`citation_recall` is what contoso_hr's publishers call citations matched: the share of the right ones cited."""
    if not wanted or not answerable:
        return {}
    right = set(cited) & set(wanted)
    documents = {_document(target) for target in wanted}
    found = {
        "citation_recall": len(right) / len(wanted),
        "document_recall": len(documents & {_document(target) for target in cited}) / len(documents),
    }
    if cited and not refused:
        found["citation_precision"] = len(right) / len(cited)
    return found


def _document(target: str) -> str:
    return target.split("#page=")[0]
