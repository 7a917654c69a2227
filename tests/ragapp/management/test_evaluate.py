"""`manage.py evaluate`: measured, printed, kept, compared."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from ragapp import wiring
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.evaluation.conftest import QUERIES, write_lines
from tests.ragapp.evaluation.conftest import folder as folder  # the fixture
from tests.ragapp.management.conftest import Run


def test_a_measurement_is_printed_and_kept(run: Run, folder: Path) -> None:
    printed = run("evaluate", "retrieval", str(folder))
    stored = EvaluationRun.objects.get()
    assert f"merrowby, run {stored.pk}: 3 questions, 3 documents, 3 passages" in printed
    assert "| dense | 1.000 [1.000, 1.000]" in printed
    assert "dense less bm25: +0.000 nDCG@10, p = 1.0000" in printed
    assert stored.configuration["embedding_model"] == "hashing"
    assert f"{stored.pk:5}" in run("evaluate", "runs")
    assert run("evaluate", "show", str(stored.pk)) == printed


def test_the_whole_report_is_exported_as_json(run: Run, folder: Path) -> None:
    body = json.loads(run("evaluate", "retrieval", str(folder), "--arms", "hybrid", "--split", "test", "--json"))
    (arm,) = body["arms"]
    assert (arm["arm"], arm["found"]["q2"][0], body["questions"]) == ("hybrid", "travel", 2)
    assert json.loads(run("evaluate", "show", str(body["run"]), "--json")) == body
    assert json.loads(run("evaluate", "runs", "--json"))[0]["run"] == body["run"]


def test_two_runs_are_compared_question_by_question(run: Run, folder: Path) -> None:
    first = json.loads(run("evaluate", "retrieval", str(folder), "--json"))["run"]
    (folder / "qrels.tsv").write_text("q1\ttravel\t1\nq2\ttravel\t1\nq3\tticket\t1\n")
    second = json.loads(run("evaluate", "retrieval", str(folder), "--json"))["run"]
    compared = json.loads(run("evaluate", "compare", str(first), str(second), "--json"))
    assert compared["questions"] == 3
    (row,) = compared["different"]
    assert (row["question"], row["first"]) == ("q1", 1.0)
    assert row["second"] < 1.0
    assert compared["difference"] == (row["second"] - 1.0) / 3
    assert "3 questions: 1 worse, 0 better in nDCG@10" in run("evaluate", "compare", str(first), str(second))
    assert "in R@1" in run("evaluate", "compare", str(first), str(second), "--arm", "bm25", "--measure", "R@1")
    for wrong in (["--measure", "magic"], ["--arm", "magic"]):
        with pytest.raises(CommandError, match="magic"):
            run("evaluate", "compare", str(first), str(second), *wrong)


def asking(monkeypatch: pytest.MonkeyPatch, model: ScriptedChat) -> ScriptedChat:
    """The model that the command is given, whichever it names."""
    monkeypatch.setattr(wiring, "chat_model_named", lambda name: nullcontext(model))
    return model


def test_answers_of_two_runs_are_compared_by_any_measure(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["Staff get 25 days of annual leave."], ["Purple elephants."]
    for first in said:
        asking(monkeypatch, ScriptedChat(first, *(["I don't know."] for _ in QUERIES)))
        assert "| token_f1 |" in run("evaluate", "answers", str(folder))
    better, worse = EvaluationRun.objects.order_by("pk")
    compared = run("evaluate", "compare", str(better.pk), str(worse.pk), "--measure", "token_recall")
    assert compared.startswith("1 questions: 1 worse, 0 better in token_recall (-1.000, p = 1.0000)")
    assert "1.000 → 0.000  q1" in compared


def test_refusals_are_measured_without_an_answer(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = asking(monkeypatch, ScriptedChat(doubt=0.5))
    printed = run("evaluate", "refusals", str(folder))
    stored = EvaluationRun.objects.get()
    assert (stored.kind, stored.configuration["model"], model.requests) == (EvaluationKind.REFUSALS, "scripted", [])
    for words in ("4 questions", "| doubt_auc | 0.500 [0.500, 0.500]", "| gate | 0.35 |", "| doubt | 0.50 | 1.000"):
        assert words in printed
    assert run("evaluate", "show", str(stored.pk)) == printed
    assert "merrowby: doubt_auc 0.500" in run("evaluate", "runs")
    body = json.loads(run("evaluate", "show", str(stored.pk), "--json"))
    assert [each["measures"]["doubt"] for each in body["questions"]] == [0.5] * 4


def test_the_gate_alone_is_measured_without_a_model(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "chat_model_named", lambda name: pytest.fail("no model is asked"))
    printed = run("evaluate", "refusals", str(folder), "--gate-only", "--split", "test")
    assert "3 questions" in printed
    assert "doubt" not in printed
    assert "model" not in EvaluationRun.objects.get().configuration


def test_follow_ups_are_rewritten_by_the_model(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [{"role": "user", "text": "How are trains booked?"}]
    write_lines(folder / "queries.jsonl", [*QUERIES, {"id": "q5", "text": "And receipts?", "history": history}])
    (folder / "qrels.tsv").write_text("q1\tleave\t1\nq5\ttravel\t1\n")
    model = asking(monkeypatch, ScriptedChat(["How are trains and receipts booked?"]))
    printed = run("evaluate", "retrieval", str(folder), "--arms", "hybrid,rerank", "--follow-ups", "condensed")
    assert "1 follow-ups: 1 given to the model, 1 rewritten" in printed
    assert "| condense |" in printed
    assert len(model.requests) == 1
    configuration = EvaluationRun.objects.get().configuration
    assert (configuration["follow_ups"], configuration["model"]) == ("condensed", "scripted")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retrieval", "/no/such/folder"], "invalid_question_set"),
        (["show", "4711"], "unknown_evaluation_run"),
        (["compare", "4711", "4712"], "unknown_evaluation_run"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(run: Run, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("evaluate", *arguments)


def test_an_unknown_arm_is_refused(run: Run, folder: Path) -> None:
    with pytest.raises(CommandError, match="unknown: magic"):
        run("evaluate", "retrieval", str(folder), "--arms", "dense,magic")
