"""The convex combination, by hand."""

from collections.abc import Sequence

import pytest

from ingestion.index.fusion import Arm, Found, Question, fuse, hybrid_search


def test_scores_are_weighted_and_words_are_relative_to_the_best() -> None:
    documents = {"a": "A", "b": "B", "c": "C"}
    hits = fuse({"a": 0.5, "b": 0.9}, {"a": 8.0, "c": 4.0}, documents=documents, limit=9, dense_weight=0.7)
    assert [hit.chunk_id for hit in hits] == ["a", "b", "c"]
    assert [hit.score for hit in hits] == pytest.approx([0.35 + 0.3, 0.63, 0.15])
    assert (hits[1].dense, hits[1].sparse) == (0.9, None)


def test_negative_cosines_count_nothing_and_are_still_told() -> None:
    (hit,) = fuse({"a": -0.2}, {}, documents={"a": "A"}, limit=1, dense_weight=0.7)
    assert (hit.score, hit.dense) == (0.0, -0.2)


def test_equal_scores_come_in_the_order_of_ids() -> None:
    documents = {"b": "B", "a": "A"}
    assert [hit.chunk_id for hit in fuse({"a": 1, "b": 1}, {}, documents=documents, limit=2, dense_weight=1)] == [
        "a",
        "b",
    ]


def test_each_arm_is_asked_for_what_only_the_other_found() -> None:
    asked: list[Question] = []
    first = {Arm.DENSE: [Found("a", "A", 0.9)], Arm.SPARSE: [Found("b", "B", 5.0)]}
    second = {Arm.DENSE: [Found("b", "B", 0.4)], Arm.SPARSE: list[Found]()}

    def ask(questions: Sequence[Question]) -> list[list[Found]]:
        asked.extend(questions)
        return [(second if each.ids else first)[each.arm] for each in questions]

    hits = hybrid_search(ask, limit=2, dense_weight=0.5)
    assert [(each.arm, each.ids) for each in asked[2:]] == [(Arm.DENSE, ("b",)), (Arm.SPARSE, ("a",))]
    assert [(hit.chunk_id, hit.dense, hit.sparse) for hit in hits] == [("b", 0.4, 5.0), ("a", 0.9, None)]


def test_nothing_found_asks_no_second_time() -> None:
    rounds: list[int] = []

    def ask(questions: Sequence[Question]) -> list[list[Found]]:
        rounds.append(len(questions))
        return [[] for _ in questions]

    assert hybrid_search(ask, limit=3, dense_weight=0.7) == []
    assert rounds == [2]
