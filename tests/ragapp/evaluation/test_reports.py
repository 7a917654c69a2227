"""Runs of every kind are read the same way: headline, rows, and two of them side by side."""

from typing import Any

from ragapp.evaluation.measures import HEADLINE
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.evaluation.reports import arms_of, figures_of, headline_of, measures_of, rows_of, side_by_side


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def retrieval_run(**arms: dict[str, float]) -> EvaluationRun:
    """Each arm with its nDCG@10 by question."""
    report: dict[str, Any] = {
        "arms": [
            {
                "arm": arm,
                "measures": {HEADLINE: figure(sum(values.values()) / len(values)), "R@1": figure(0.2)},
                "judged": {key: {HEADLINE: value, "R@1": 0.0} for key, value in values.items()},
                "found": {key: ["a.pdf#page=3", "b.pdf"] for key in values},
            }
            for arm, values in arms.items()
        ],
        "texts": {"q1": "How long?"},
    }
    return EvaluationRun(kind=EvaluationKind.RETRIEVAL, question_set="hr", report=report)


def answers_run(correct: float = 0.5) -> EvaluationRun:
    question = {"id": "q1", "text": "How long?", "answer": "Twelve weeks.", "refused": False}
    report = {
        "measures": {"correctness": figure(correct), "groundedness": None},
        "questions": [{**question, "measures": {"correctness": correct, "groundedness": None}}],
    }
    return EvaluationRun(kind=EvaluationKind.ANSWERS, question_set="hr", report=report)


def test_the_headline_of_retrieval_is_every_arm_the_most_telling_first() -> None:
    run = retrieval_run(dense={"q1": 0.4}, rerank={"q1": 0.6}, odd={"q1": 0.9})
    assert [(each.name, each.value) for each in headline_of(run)] == [("rerank", 0.6), ("dense", 0.4), ("odd", 0.9)]
    assert [each.measure for each in figures_of(run, arm="dense")] == [HEADLINE, "R@1"]


def test_the_headline_of_answers_is_every_measure_that_has_a_value() -> None:
    assert [(each.name, each.value) for each in headline_of(answers_run())] == [("correctness", 0.5)]
    assert arms_of(answers_run()) == [""]


def test_rows_hold_text_measures_and_what_came_out() -> None:
    row = rows_of(retrieval_run(dense={"q1": 0.4}), arm="dense")["q1"]
    assert (row.text, row.measures[HEADLINE], row.found[0]) == ("How long?", 0.4, "a.pdf#page=3")
    row = rows_of(answers_run(), arm="")["q1"]
    assert (row.answer, dict(row.measures), row.refused) == ("Twelve weeks.", {"correctness": 0.5}, False)


def test_a_run_without_a_report_yet_has_nothing_to_show() -> None:
    run = EvaluationRun(kind=EvaluationKind.RETRIEVAL, question_set="hr")
    assert (headline_of(run), arms_of(run), rows_of(run, arm="dense")) == ((), [], {})


def test_two_arms_are_compared_on_the_questions_that_both_have() -> None:
    run = retrieval_run(dense={"q1": 0.4, "q2": 0.5, "q3": 1.0}, bm25={"q1": 0.1, "q2": 0.5, "q4": 1.0})
    first, second = rows_of(run, arm="dense"), rows_of(run, arm="bm25")
    assert measures_of(first, second) == [HEADLINE, "R@1"]
    found = side_by_side(first, second, measure=HEADLINE)
    assert [pair.first.id for pair in found.pairs] == ["q1", "q2"]
    assert (found.worse, found.better, round(found.difference, 3)) == (1, 0, -0.15)
    assert 0 < found.p_value <= 1


def test_two_runs_with_nothing_in_common_have_no_difference() -> None:
    found = side_by_side(rows_of(answers_run(), arm=""), {}, measure="correctness")
    assert (found.pairs, found.difference, found.p_value) == ((), 0.0, 1.0)
