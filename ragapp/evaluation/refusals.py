"""What refuses: how relevant that is which is found, and how much the model doubts. No answer is written.

The questions go through the product's own answerer, with the relevance gate held open and every doubt taken for one.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import AnswerFailed, Retrieval, Retriever, TextDelta
from ragapp.evaluation import measures
from ragapp.evaluation.corpus import Corpus, Progress
from ragapp.evaluation.errors import NothingToMeasureError
from ragapp.evaluation.measures import Estimate
from ragapp.evaluation.question_set import Question, QuestionSet
from ragapp.evaluation.retrieval import searching
from ragapp.gateway.base import Beginning, ChatDelta, ChatModel, ChatRequest
from ragapp.gateway.errors import GatewayError

GATE = tuple(n / 100 for n in range(30, 71, 5))
DOUBT = tuple(n / 10 for n in range(1, 10))
# The strictest threshold that refuses no more of what could be answered is chosen, in steps that one would configure.
TOLERATED = 0.05
_STEPS = tuple(n / 100 for n in range(100))
# A doubt can be no more than 1: from there on there is none.
_NEVER = 1.0
# No cosine reaches it: what opens the gate all the same is an identifier.
_SHUT = 2.0
_SEED = 7

Answering = Callable[[Retriever, ChatModel], Answerer]


@dataclass(frozen=True)
class WeighedQuestion:
    """One question. `measures` are relevance and doubt, each 0..1, as far as they are known.

    `is_named`: a passage that was found has the identifier that is asked for, so that the gate opens at any threshold.
    """

    id: str
    text: str
    answerable: bool
    measures: Mapping[str, float]
    is_named: bool
    error: str

    def is_past(self, gate: float) -> bool:
        """Whether the gate opens."""
        return self.is_named or self.measures["relevance"] >= gate

    def is_doubted(self, threshold: float) -> bool:
        """Whether the model's doubt refuses."""
        return threshold < _NEVER and self.measures["doubt"] >= threshold


@dataclass(frozen=True)
class Refused:
    """The shares of answerable and of unanswerable questions that are refused, `by` gate, doubt or either."""

    by: str
    threshold: float
    answerable: Estimate
    unanswerable: Estimate


@dataclass(frozen=True)
class RefusalsReport:
    """Everything that was measured in one run.

    `curves` are `gate` and `doubt`, each alone at several thresholds, and `other half`: at the thresholds of the gate
    as configured and of the doubt as chosen on one half of the questions, what is refused of the other.
    """

    question_set: str
    documents: int
    chunks: int
    unread: Mapping[str, str]
    configuration: Mapping[str, object]
    measures: Mapping[str, Estimate]
    curves: Mapping[str, Sequence[Refused]]
    questions: Sequence[WeighedQuestion] = field(repr=False)


def evaluate(
    questions: QuestionSet,
    texts: Corpus,
    *,
    answering: Answering,
    model: ChatModel | None,
    gate: float,
    embedder: Embedder,
    configuration: Mapping[str, object],
    progress: Progress,
) -> RefusalsReport:
    """Weigh every question. `gate` is the relevance threshold as configured; without a `model` the gate alone is told.

    `answering` makes the answerer over a search and by a model; any doubt must refuse there, so that nothing is
    written. Raises NothingToMeasureError.
    """
    if len({question.is_answerable for question in questions.questions}) < 2:
        raise NothingToMeasureError("it takes questions that can be answered and questions that cannot")
    search = _Search(searching(texts, embedder=embedder, relevance_threshold=_SHUT))
    asked = _Asked(model or _NoModel())
    weighing = _Weighing(answering(search, asked), search, asked, scope=texts.scope, is_doubt_wanted=model is not None)
    weighed = asyncio.run(weighing.all(questions.questions, progress))
    whole = [each for each in weighed if not each.error]
    if len({each.answerable for each in whole}) < 2:
        raise NothingToMeasureError(f"{len(weighed) - len(whole)} of {len(weighed)} questions failed")
    found, curves = _of_gate(whole)
    if model:
        doubt, more = _of_doubt(whole, gate=gate)
        found, curves = doubt | found, curves | more
    return RefusalsReport(
        question_set=questions.name,
        documents=texts.documents,
        chunks=texts.chunk_count,
        unread=texts.unread,
        configuration={**configuration, "embedding_model": embedder.name, "relevance_threshold": gate},
        measures=found,
        curves=curves,
        questions=weighed,
    )


_Told = tuple[dict[str, Estimate], dict[str, list[Refused]]]


def _of_gate(rows: Sequence[WeighedQuestion]) -> _Told:
    area = measures.auc(*_values(rows, "relevance", higher=True))
    return {"relevance_auc": area}, {"gate": [_by_gate(rows, threshold) for threshold in GATE]}


def _of_doubt(rows: Sequence[WeighedQuestion], *, gate: float) -> _Told:
    found = {"doubt_auc": measures.auc(*_values(rows, "doubt", higher=False))}
    curves = {"doubt": [_by_doubt(rows, threshold) for threshold in DOUBT]}
    ours, theirs = ([each for each in rows if _is_ours(each) is which] for which in (True, False))
    if all({each.answerable for each in half} == {True, False} for half in (ours, theirs)):
        chosen = _chosen(ours, gate=gate)
        either = _by_either(theirs, chosen, gate=gate)
        curves["other half"] = [_by_gate(theirs, gate), _by_doubt(theirs, chosen), either]
        found |= {"unanswerable_refused": either.unanswerable, "answerable_refused": either.answerable}
    return found, curves


def _chosen(rows: Sequence[WeighedQuestion], *, gate: float) -> float:
    """The strictest threshold of doubt that, with the gate, refuses few enough of what could be answered."""
    answerable = [each for each in rows if each.answerable]
    for threshold in _STEPS:
        refused = sum(not each.is_past(gate) or each.is_doubted(threshold) for each in answerable)
        if refused <= TOLERATED * len(answerable):
            return threshold
    return _NEVER


def _is_ours(question: WeighedQuestion) -> bool:
    """Which half: by its id alone, so that the halves stay the same whatever is measured."""
    return hashlib.sha256(f"{_SEED}:{question.id}".encode()).digest()[0] % 2 == 0


def _by_gate(rows: Sequence[WeighedQuestion], threshold: float) -> Refused:
    return _refused("gate", threshold, rows, lambda each: not each.is_past(threshold))


def _by_doubt(rows: Sequence[WeighedQuestion], threshold: float) -> Refused:
    return _refused("doubt", threshold, rows, lambda each: each.is_doubted(threshold))


def _by_either(rows: Sequence[WeighedQuestion], threshold: float, *, gate: float) -> Refused:
    return _refused("either", threshold, rows, lambda each: not each.is_past(gate) or each.is_doubted(threshold))


def _refused(
    by: str, threshold: float, rows: Sequence[WeighedQuestion], refuses: Callable[[WeighedQuestion], bool]
) -> Refused:
    shares = [
        measures.estimate([float(refuses(each)) for each in rows if each.answerable is answerable])
        for answerable in (True, False)
    ]
    return Refused(by, threshold, *shares)


def _values(rows: Sequence[WeighedQuestion], name: str, *, higher: bool) -> tuple[list[float], list[float]]:
    """Those of the questions that ought to have the higher ones, answerable or not, and of the others."""
    first, second = ([each.measures[name] for each in rows if each.answerable is kind] for kind in (higher, not higher))
    return first, second


class _Search:
    """The search with the gate held open; it keeps how relevant the best was that it last found."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self.relevance = 0.0
        self.is_named = False

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        found = self._retriever.retrieve(question, scope=scope, limit=limit, earlier=earlier, conditions=conditions)
        self.relevance = max((passage.dense for passage in found.passages), default=0.0)
        self.is_named = found.relevant
        return replace(found, relevant=True)


class _Asked:
    """The model; it keeps what it last said of its doubt, or why it could not."""

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self.doubt: float | None = None
        self.error = ""
        self._model = model

    def forget(self) -> None:
        """Before the next question."""
        self.doubt, self.error = None, ""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        return self._model.stream(request)

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        try:
            found = await self._model.begins_with(request, token=token)
        except GatewayError as exc:
            self.error = exc.code
            raise
        self.doubt = found.likelihood
        return found

    async def is_ready(self) -> bool:
        return await self._model.is_ready()


class _NoModel:
    """In its place where the gate alone is measured: follow-ups are not rewritten, and nothing is said."""

    name = "none"

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        return
        yield

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        return Beginning(None)

    async def is_ready(self) -> bool:
        return True


class _Weighing:
    """What every question of a run shares."""

    def __init__(
        self, answerer: Answerer, search: _Search, model: _Asked, *, scope: AccessScope, is_doubt_wanted: bool
    ) -> None:
        self._answerer = answerer
        self._search = search
        self._model = model
        self._scope = scope
        self._is_doubt_wanted = is_doubt_wanted

    async def all(self, questions: Sequence[Question], progress: Progress) -> list[WeighedQuestion]:
        found = []
        for done, question in enumerate(questions, start=1):
            found.append(await self._one(question))
            progress("weighing", done, len(questions))
        return found

    async def _one(self, question: Question) -> WeighedQuestion:
        self._model.forget()
        error = await self._failure(question) or self._model.error
        doubt = self._model.doubt
        if self._is_doubt_wanted and doubt is None and not error:
            raise NothingToMeasureError(f"the server of {self._model.name} tells no likelihoods")
        found = {"relevance": self._search.relevance, **({} if doubt is None else {"doubt": doubt})}
        return WeighedQuestion(
            id=question.id,
            text=question.text,
            answerable=question.is_answerable,
            measures={} if error else found,
            is_named=not error and self._search.is_named,
            error=error,
        )

    async def _failure(self, question: Question) -> str:
        """Ask as far as the first word of an answer, which is not wanted; '' where all went well."""
        async with aclosing(self._answerer.answer(question.text, scope=self._scope, history=question.turns)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
                if isinstance(event, AnswerFailed):
                    return event.code
        return ""
