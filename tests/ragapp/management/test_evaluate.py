"""`manage.py evaluate`: measured, printed, kept, compared."""

import json
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from ragapp.evaluation.models import EvaluationRun
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
    assert "3 questions: 1 worse, 0 better" in run("evaluate", "compare", str(first), str(second))


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
