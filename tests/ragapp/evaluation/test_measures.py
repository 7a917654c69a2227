"""Measures against values worked out by hand, and tests of significance against what must hold."""

import math
import random

import pytest

from ragapp.evaluation import measures


def test_measures_are_those_worked_out_by_hand() -> None:
    relevance = {"q1": {"a": 1}, "q2": {"b": 1, "c": 1}, "q3": {"d": 1}}
    ranking = {"q1": {"x": 1.0, "a": 0.5}, "q2": {"b": 1.0, "x": 0.5, "y": 0.4, "z": 0.3, "w": 0.2, "c": 0.1}}
    found = measures.judged(ranking, relevance)
    assert found["q1"] == {
        "nDCG@10": pytest.approx(1 / math.log2(3)), "R@1": 0.0, "R@5": 1.0, "R@10": 1.0, "RR@10": 0.5,
    }  # fmt: skip
    assert (found["q2"]["R@1"], found["q2"]["R@5"], found["q2"]["R@10"]) == (0.5, 0.5, 1.0)
    ideal = 1 + 1 / math.log2(3)
    assert found["q2"]["nDCG@10"] == pytest.approx((1 + 1 / math.log2(7)) / ideal)
    assert set(found["q3"].values()) == {0.0}, "a question for which nothing was found counts, and is all wrong"


def test_a_question_without_a_relevant_target_is_not_judged() -> None:
    assert measures.judged({"q": {"a": 1.0}}, {"q": {"a": 0}}) == {}


def test_an_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    chance = random.Random(3)
    few = [float(chance.random() < 0.6) for _ in range(40)]
    many = [float(chance.random() < 0.6) for _ in range(1_600)]
    narrow, wide = measures.estimate(many), measures.estimate(few)
    assert narrow.low < narrow.value < narrow.high
    assert (wide.high - wide.low) > 3 * (narrow.high - narrow.low)
    assert measures.estimate([1.0, 1.0]) == measures.Estimate(1.0, 1.0, 1.0)


def test_p_is_small_for_a_real_difference_and_large_for_none() -> None:
    chance = random.Random(5)
    first = [chance.random() for _ in range(300)]
    noise = [value + chance.gauss(0, 0.2) for value in first]
    better = [value + 0.1 + chance.gauss(0, 0.2) for value in first]
    assert measures.p_value(better, first) < 0.001
    assert measures.p_value(noise, first) > 0.05
    assert measures.p_value(first, first) == 1.0


def test_one_question_alone_shows_no_difference() -> None:
    assert measures.p_value([1.0], [0.0]) == 1.0


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert measures.auc([3.0, 4.0], [1.0, 2.0]) == measures.Estimate(1.0, 1.0, 1.0)
    assert measures.auc([1.0], [1.0]).value == 0.5
    assert measures.auc([2.0, 3.0, 5.0], [1.0, 4.0]).value == pytest.approx(4 / 6)


def test_the_area_of_noise_is_not_beyond_chance() -> None:
    chance = random.Random(11)
    first, second = [[chance.random() for _ in range(80)] for _ in range(2)]
    found = measures.auc(first, second)
    assert found.low < 0.5 < found.high
    assert found.low < found.value < found.high
