"""Arms of retrieval on a question set: how good, how fast, and whether the difference is more than chance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations

from ingestion import engine
from ingestion.config import IngestionConfig
from ingestion.embedding.base import Embedder
from ingestion.index.base import DENSE_WEIGHT
from ragapp.answering.base import Passage
from ragapp.answering.retrieval import HybridRetriever
from ragapp.evaluation import corpus, measures
from ragapp.evaluation.corpus import Corpus, Progress
from ragapp.evaluation.errors import NothingToMeasureError
from ragapp.evaluation.follow_ups import Asked, FollowUpCounts, FollowUps, as_asked, counts
from ragapp.evaluation.measures import Estimate
from ragapp.evaluation.question_set import QuestionSet
from ragapp.gateway.base import ChatModel

# Rankings are judged down to there.
DEPTH = 10
# Several passages of one document count once; so many more are asked for.
_PASSAGES = 3 * DEPTH


@dataclass(frozen=True)
class Arm:
    """A way to retrieve: the cosine's share of the first stage's score, and whether the second stage follows."""

    dense_weight: float
    second_stage: bool = False


ARMS: Mapping[str, Arm] = {
    "dense": Arm(1.0),
    "bm25": Arm(0.0),
    "hybrid": Arm(DENSE_WEIGHT),
    "rerank": Arm(DENSE_WEIGHT, second_stage=True),
}


@dataclass(frozen=True)
class ArmResult:
    """One arm's ranking, by question id the targets, best first; latencies in ms as median and 95th percentile."""

    arm: str
    measures: Mapping[str, Estimate]
    latency_ms: Mapping[str, tuple[float, float]]
    judged: Mapping[str, Mapping[str, float]] = field(repr=False)
    found: Mapping[str, Sequence[str]] = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """The difference of two arms in nDCG@10, `first` less `second`, and how likely chance alone makes one as large."""

    first: str
    second: str
    difference: float
    p_value: float


@dataclass(frozen=True)
class RetrievalReport:
    """Everything that was measured in one run. `texts` are questions by id, where the run itself has to keep them."""

    question_set: str
    questions: int
    documents: int
    chunks: int
    unread: Mapping[str, str]
    configuration: Mapping[str, object]
    follow_ups: FollowUpCounts
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


def evaluate(
    questions: QuestionSet,
    *,
    arms: Mapping[str, Arm],
    config: IngestionConfig,
    embedder: Embedder,
    whole_passages: bool,
    follow_ups: FollowUps = FollowUps.LEANING,
    model: ChatModel | None = None,
    progress: Progress,
) -> RetrievalReport:
    """Ask every question of every arm, over the set's own texts in a throw-away index.

    `model` rewrites the follow-ups that are to be CONDENSED. Raises NothingToMeasureError.
    """
    _insist_on_targets(questions)
    with corpus.opened(
        questions, config=config, embedder=embedder, whole_passages=whole_passages, progress=progress
    ) as texts:
        report = evaluate_over(
            texts,
            questions,
            arms=arms,
            embedder=embedder,
            configuration={
                "chunk_tokens": config.chunk_tokens,
                "chunk_overlap_tokens": config.chunk_overlap_tokens,
                "whole_passages": whole_passages,
            },
            follow_ups=follow_ups,
            model=model,
            progress=progress,
        )
    return replace(report, texts={question.id: question.text for question in questions.judged})


def evaluate_over(
    texts: Corpus,
    questions: QuestionSet,
    *,
    arms: Mapping[str, Arm],
    embedder: Embedder,
    configuration: Mapping[str, object],
    follow_ups: FollowUps = FollowUps.LEANING,
    model: ChatModel | None = None,
    progress: Progress,
) -> RetrievalReport:
    """Ask every question of every arm; questions without a target are left out. Raises NothingToMeasureError.

    `configuration` is what the corpus was made with.
    """
    _insist_on_targets(questions)
    asked = as_asked(questions.judged, follow_ups, model=model, cache_salt=texts.scope.fingerprint, progress=progress)
    results = tuple(
        _measured(name, arm, texts, questions, asked=asked, embedder=embedder, progress=progress)
        for name, arm in arms.items()
    )
    return RetrievalReport(
        question_set=questions.name,
        questions=len(questions.judged),
        documents=texts.documents,
        chunks=texts.chunk_count,
        unread=texts.unread,
        configuration={
            "embedding_model": embedder.name,
            **configuration,
            "follow_ups": follow_ups.value,
            **({"model": model.name} if model else {}),
            "arms": {name: asdict(arm) for name, arm in arms.items()},
        },
        follow_ups=counts(questions.judged, asked),
        arms=results,
        comparisons=tuple(_compared(first, second) for first, second in combinations(results, 2)),
    )


def searching(
    texts: Corpus,
    *,
    embedder: Embedder,
    relevance_threshold: float,
    dense_weight: float = DENSE_WEIGHT,
    second_stage: bool = True,
) -> HybridRetriever:
    """The product's search, over these texts."""
    return HybridRetriever(
        embedder=lambda: embedder,
        index=lambda: texts.index,
        store=texts,
        relevance_threshold=relevance_threshold,
        dense_weight=dense_weight,
        second_stage=second_stage,
        pair_scorer=engine.pair_scorer,
    )


def _insist_on_targets(questions: QuestionSet) -> None:
    if not questions.judged:
        raise NothingToMeasureError("no question of the set has a relevant target in qrels.tsv")


def _measured(
    name: str,
    arm: Arm,
    texts: Corpus,
    questions: QuestionSet,
    *,
    asked: Mapping[str, Asked],
    embedder: Embedder,
    progress: Progress,
) -> ArmResult:
    retriever = searching(
        texts, embedder=embedder, relevance_threshold=0.0, dense_weight=arm.dense_weight, second_stage=arm.second_stage
    )
    found: dict[str, list[str]] = {}
    seconds: dict[str, list[float]] = {}
    for done, (key, each) in enumerate(asked.items(), start=1):
        result = retriever.retrieve(each.text, scope=texts.scope, limit=_PASSAGES, earlier=each.earlier)
        found[key] = _targets(result.passages, wanted=questions.relevant[key])
        timings = {**({} if each.condense_s is None else {"condense": each.condense_s}), **result.timings}
        for stage, took in (*timings.items(), ("total", math.fsum(timings.values()))):
            seconds.setdefault(stage, []).append(took)
        progress(name, done, len(asked))
    relevant = {key: questions.relevant[key] for key in found}
    # trec_eval sorts by score: a rank from the end keeps the order of equal scores.
    ranking = {key: {target: 1.0 / rank for rank, target in enumerate(order, 1)} for key, order in found.items()}
    judged = measures.judged(ranking, relevant)
    return ArmResult(
        arm=name,
        measures={
            measure: measures.estimate([each[measure] for each in judged.values()]) for measure in measures.MEASURES
        },
        latency_ms={
            stage: measures.median_and_p95([took * 1000 for took in values]) for stage, values in seconds.items()
        },
        judged=judged,
        found=found,
    )


def _targets(passages: Sequence[Passage], *, wanted: Iterable[str]) -> list[str]:
    """Each target once, where its best passage stands."""
    return list(dict.fromkeys(corpus.target_of(passage, wanted=wanted) for passage in passages))[:DEPTH]


def _compared(first: ArmResult, second: ArmResult) -> Comparison:
    ours = [each[measures.HEADLINE] for each in first.judged.values()]
    theirs = [second.judged[key][measures.HEADLINE] for key in first.judged]
    return Comparison(
        first=first.arm,
        second=second.arm,
        difference=math.fsum(ours) / len(ours) - math.fsum(theirs) / len(theirs),
        p_value=measures.p_value(ours, theirs),
    )
