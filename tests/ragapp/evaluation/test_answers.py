"""Answers to a set are measured by the product's own answerer."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from ingestion.access import AccessScope
from ingestion.config import IngestionConfig
from ingestion.embedding.hashing import HashingEmbedder
from ragapp.answering.answerer import Answerer
from ragapp.answering.retrieval import HybridRetriever
from ragapp.evaluation import answers, corpus, question_set
from ragapp.evaluation.answers import AnswersReport, Prices
from ragapp.evaluation.errors import NothingToMeasureError
from ragapp.evaluation.judging import Judge, overlap
from ragapp.gateway.errors import ChatModelError, ChatModelUnavailableError
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.gateway.routing import router

PASSAGES = [
    {"id": "leave", "title": "Leave", "text": "Staff get 25 days of annual leave in each year of service."},
    {"id": "travel", "title": "Travel", "text": "Trips abroad need form TR-14, signed by the head of department."},
]
QUESTIONS = [
    {"id": "q1", "text": "How many days of annual leave do staff get?", "answers": ["25 days of annual leave"]},
    {"id": "q2", "text": "Which form do trips abroad need?", "answers": ["Form TR-14"]},
    {"id": "q3", "text": "Which staff get annual leave on Mars?", "unanswerable": True},
]
QRELS = ["q1\tleave\t1", "q2\ttravel\t1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in (("corpus", PASSAGES), ("queries", QUESTIONS)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(QRELS))
    return tmp_path


def measured(folder: Path, *replies: list[str | ChatModelError], judge: Judge | None = None) -> AnswersReport:
    embedder = HashingEmbedder()
    questions = question_set.load(folder)
    with corpus.opened(
        questions,
        config=IngestionConfig(files_dir=folder / "f", index_dir=folder / "i"),
        embedder=embedder,
        whole_passages=False,
        progress=lambda *_: None,
    ) as texts:
        retriever = HybridRetriever(
            embedder=lambda: embedder, index=lambda: texts.index, store=texts, relevance_threshold=0.0
        )
        answerer = Answerer(
            retriever=retriever,
            router=router(),
            model=ScriptedChat(*replies),
            passages=2,
            generating=nullcontext,
            embedder=lambda: embedder,
        )
        return answers.evaluate(
            questions,
            texts,
            answerer=answerer,
            embedder=embedder,
            judge=judge,
            prices=Prices(read=1.0, written=2.0),
            configuration={"model": "scripted"},
            progress=lambda *_: None,
        )


def test_right_cited_and_refused_answers_get_full_marks(folder: Path) -> None:
    report = measured(folder, ["Staff get 25 days of annual leave."], ["Form TR-14."], ["I don't know."])
    means = {name: value.value for name, value in report.measures.items()}
    assert means["citation_recall"] == means["document_recall"] == means["citation_precision"] == 1.0
    assert means["token_recall"] == means["supported"] == 1.0
    assert means["refused_though_answerable"] == means["answered_though_unanswerable"] == 0.0
    assert [each.cited for each in report.questions] == [["leave"], ["travel"], []]
    assert report.questions[0].answer == "Staff get 25 days of annual leave. [1]"
    assert report.questions[0].written == "Staff get 25 days of annual leave."


def test_wrong_answers_are_seen(folder: Path) -> None:
    report = measured(folder, ["I don't know."], ["Purple elephants sing quietly."], ["All staff on Mars get 25 days."])
    means = {name: value.value for name, value in report.measures.items()}
    assert means["refused_though_answerable"] == 0.5
    assert means["answered_though_unanswerable"] == 1.0
    assert means["citation_recall"] == 0.0
    assert means["token_f1"] == 0.0
    assert report.questions[0].measures["similarity"] == 0.0
    assert "citation_precision" not in report.questions[0].measures


def test_an_answer_that_fails_is_told_and_does_not_end_the_run(folder: Path) -> None:
    report = measured(folder, [ChatModelUnavailableError("gone")], ["Form TR-14."], ["I don't know."])
    assert [each.error for each in report.questions] == ["model_unavailable", "", ""]
    assert report.questions[0].measures == {"failed": 1.0}


def test_tokens_and_their_cost_are_counted(folder: Path) -> None:
    report = measured(folder, ["25 days."], ["Form TR-14."], ["I don't know."])
    assert report.tokens["written"] == 3
    assert report.cost == pytest.approx((report.tokens["read"] * 1.0 + 3 * 2.0) / 1_000_000)
    assert set(report.latency_ms) >= {"retrieve", "first_token", "cite", "total"}


def test_a_judge_gives_marks_between_0_and_1(folder: Path) -> None:
    judge = Judge(ScriptedChat(["4.0\nThe same."], ["YES"], ["2.0\nToo short."], ["NO"]))
    report = measured(folder, ["Staff get 25 days."], ["Form TR-14."], ["I don't know."], judge=judge)
    marks = [(each.measures["judged_correct"], each.measures["judged_faithful"]) for each in report.questions[:2]]
    assert marks == [(0.75, 1.0), (0.25, 0.0)]


def test_a_judge_whose_words_hold_no_mark_gives_none(folder: Path) -> None:
    judge = Judge(ScriptedChat(["Excellent!"], ["YES"], ["17\nWow."], ["YES"]))
    report = measured(folder, ["Staff get 25 days."], ["Form TR-14."], ["I don't know."], judge=judge)
    assert "judged_correct" not in report.measures


def test_a_set_without_questions_measures_nothing(folder: Path) -> None:
    questions = question_set.QuestionSet(name="x", questions=(), relevant={})
    with pytest.raises(NothingToMeasureError):
        answers.evaluate(
            questions,
            corpus.LiveCorpus(
                opened=lambda: pytest.fail("not searched"),
                store=corpus.ThrowAwayCorpus(index=None),  # type: ignore[arg-type]
                scope=AccessScope(frozenset()),
                documents=0,
                chunk_count=0,
            ),
            answerer=None,  # type: ignore[arg-type]
            embedder=HashingEmbedder(),
            judge=None,
            prices=Prices(),
            configuration={},
            progress=lambda *_: None,
        )


def test_words_are_compared_with_the_nearest_expected_answer() -> None:
    assert overlap("25 days", ["nothing", "The 25 days."]).f1 == 1.0
    assert overlap("25 days", []).f1 == 0.0
