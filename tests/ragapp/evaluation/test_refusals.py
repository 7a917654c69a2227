"""What gate and doubt refuse, weighed by the product's own answerer without an answer being written."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.embedding.hashing import HashingEmbedder
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import Retriever
from ragapp.evaluation import corpus, question_set, refusals
from ragapp.evaluation.errors import NothingToMeasureError
from ragapp.evaluation.refusals import RefusalsReport
from ragapp.gateway.base import Beginning, ChatModel, ChatRequest
from ragapp.gateway.errors import ChatModelUnavailableError
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.evaluation.conftest import PASSAGES, write_lines
from tests.ragapp.gateway.routing import router

EMBEDDER = HashingEmbedder()
PAIRS = 30


class Doubting(ScriptedChat):
    """Doubts by the first of these words that the prompt has."""

    def __init__(self, doubts: dict[str, float | ChatModelUnavailableError], *replies: Sequence[str]) -> None:
        super().__init__(*replies)
        self._doubts = doubts

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        await super().begins_with(request, token=token)
        asked = request.messages[-1].content.partition("Question: ")[2]
        said = next(doubt for word, doubt in self._doubts.items() if word in asked)
        if isinstance(said, ChatModelUnavailableError):
            raise said
        return Beginning(said)


def question(key: str, text: str, *, unanswerable: bool = False, **fields: object) -> dict[str, object]:
    return {"id": key, "text": text, "unanswerable": unanswerable, **fields}


def many() -> list[dict[str, object]]:
    return [question(f"a{n}", f"How many days of annual leave in year {n}?") for n in range(PAIRS)] + [
        question(f"u{n}", f"Who reigned France in {n}?", unanswerable=True) for n in range(PAIRS)
    ]


def weighed(
    tmp_path: Path, questions: list[dict[str, object]], model: ChatModel | None, *, gate: float = 0.0
) -> RefusalsReport:
    write_lines(tmp_path / "corpus.jsonl", PASSAGES)
    write_lines(tmp_path / "queries.jsonl", questions)
    (tmp_path / "qrels.tsv").write_text("a1\tleave\t1\n")
    loaded = question_set.load(tmp_path)
    with corpus.opened(
        loaded,
        config=IngestionConfig(files_dir=tmp_path / "f", index_dir=tmp_path / "i"),
        embedder=EMBEDDER,
        whole_passages=False,
        progress=lambda *_: None,
    ) as texts:
        return refusals.evaluate(
            loaded,
            texts,
            answering=_answering,
            model=model,
            gate=gate,
            embedder=EMBEDDER,
            configuration={},
            progress=lambda *_: None,
        )


def _answering(search: Retriever, model: ChatModel) -> Answerer:
    return Answerer(
        retriever=search,
        router=router(),
        model=model,
        passages=2,
        generating=nullcontext,
        embedder=lambda: EMBEDDER,
        refusal_threshold=0.0,
    )


def test_a_model_that_doubts_rightly_refuses_all_that_it_should_and_writes_nothing(tmp_path: Path) -> None:
    model = Doubting({"leave": 0.25, "France": 0.75})
    report = weighed(tmp_path, many(), model)
    assert {name: value.value for name, value in report.measures.items() if name != "relevance_auc"} == {
        "doubt_auc": 1.0,
        "unanswerable_refused": 1.0,
        "answerable_refused": 0.0,
    }
    assert report.measures["relevance_auc"].value > 0.9
    assert (len(model.checks), model.requests) == (2 * PAIRS, [])
    by_threshold = {each.threshold: (each.answerable.value, each.unanswerable.value) for each in report.curves["doubt"]}
    assert (by_threshold[0.2], by_threshold[0.5], by_threshold[0.8]) == ((1.0, 1.0), (0.0, 1.0), (0.0, 0.0))


def test_the_strictest_threshold_that_refuses_few_is_chosen_on_one_half_and_told_of_the_other(tmp_path: Path) -> None:
    report = weighed(tmp_path, many(), Doubting({"leave": 0.25, "France": 0.75}))
    gate, doubt, either = report.curves["other half"]
    assert [each.by for each in (gate, doubt, either)] == ["gate", "doubt", "either"]
    assert doubt.threshold == either.threshold == 0.26
    assert (either.answerable.value, either.unanswerable.value) == (0.0, 1.0)


def test_a_gate_that_refuses_too_many_leaves_nothing_to_the_doubt(tmp_path: Path) -> None:
    report = weighed(tmp_path, many(), Doubting({"leave": 0.25, "France": 1.0}), gate=1.5)
    gate, doubt, either = report.curves["other half"]
    assert (gate.answerable.value, doubt.threshold, doubt.unanswerable.value) == (1.0, 1.0, 0.0)
    assert either.answerable.value == 1.0


def test_the_gate_alone_asks_no_model(tmp_path: Path) -> None:
    report = weighed(tmp_path, many(), None)
    assert (set(report.measures), set(report.curves)) == ({"relevance_auc"}, {"gate"})
    shares = [each.unanswerable.value for each in report.curves["gate"]]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_identifier_opens_the_gate_at_every_threshold(tmp_path: Path) -> None:
    questions = [question("q1", "AX-4711"), question("q2", "Who reigned France?", unanswerable=True)]
    report = weighed(tmp_path, questions, None)
    assert [each.is_named for each in report.questions] == [True, False]
    assert {each.answerable.value for each in report.curves["gate"]} == {0.0}


def test_follow_ups_are_rewritten_as_for_an_answer(tmp_path: Path) -> None:
    history = [{"role": "user", "text": "How many days of annual leave do staff get?"}]
    questions = [
        question("q1", "And the manager?", history=history),
        question("q2", "Who reigned France?", unanswerable=True),
    ]
    model = Doubting({"manager": 0.1, "France": 0.9}, ["How many days of annual leave does the manager get?"])
    weighed(tmp_path, questions, model)
    assert len(model.requests) == 1
    assert "Question: How many days of annual leave does the manager get?" in model.checks[0].messages[-1].content


def test_a_question_that_fails_is_told_and_left_out(tmp_path: Path) -> None:
    questions = [question("broken", "Which train is broken?"), *many()]
    doubts: dict[str, float | ChatModelUnavailableError] = {
        "broken": ChatModelUnavailableError("gone"), "leave": 0.25, "France": 0.75,
    }  # fmt: skip
    report = weighed(tmp_path, questions, Doubting(doubts, ["An answer."]))
    assert [(each.id, each.error) for each in report.questions if each.error] == [("broken", "model_unavailable")]
    assert report.questions[0].measures == {}
    assert report.measures["doubt_auc"].value == 1.0


def test_a_server_that_tells_no_likelihoods_has_no_doubt_to_measure(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasureError, match="no likelihoods"):
        weighed(tmp_path, many(), ScriptedChat(["An answer."]))


def test_questions_of_one_kind_alone_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasureError, match="can be answered and questions that cannot"):
        weighed(tmp_path, [question("q1", "How many days?")], None)
