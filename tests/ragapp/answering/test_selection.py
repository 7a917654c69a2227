"""What the model is given of what was found, and why not the rest."""

from dataclasses import replace

from ragapp.answering.base import Passage, Reason
from ragapp.answering.selection import select

LEAVE = "Staff get 25 days of annual leave. After five years of service this rises to 28 days a year."
NOTICE = "The notice period is four weeks to the end of a month, and two months after ten years of service."


def passage(text: str, *, document: str = "a", score: float = 0.8) -> Passage:
    return Passage(
        chunk_id=f"{document}-{hash(text)}", document_id=document, collection_id="c", title="t", text=text, label=1,
        score=score,
    )  # fmt: skip


def reasons(question: str, *ranked: Passage, limit: int = 4) -> list[Reason | None]:
    chosen = select(question, ranked, limit=limit, following={})
    why = {id(dropped.passage): dropped.reason for dropped in chosen.dropped}
    assert len(chosen.given) + len(chosen.dropped) == len(ranked)
    return [why.get(id(each)) for each in ranked]


def test_the_best_are_given_in_their_order() -> None:
    ranked = [passage(LEAVE), passage(NOTICE), passage("Bicycles stand in the yard behind the house.")]
    chosen = select("leave?", ranked, limit=2, following={})
    assert chosen.given == tuple(ranked[:2])
    assert reasons("leave?", *ranked, limit=2) == [None, None, Reason.OUTRANKED]


def test_a_copy_makes_room_for_something_else() -> None:
    whole = f"{LEAVE} {NOTICE} Sundays and public holidays are not counted, wherever the office stands."
    copy = passage(f"{whole} Page 3.", document="b")
    assert reasons("leave?", passage(whole), copy, passage(NOTICE), limit=2) == [None, Reason.DUPLICATE, None]


def test_the_same_rule_with_another_number_is_no_copy() -> None:
    newer = passage(LEAVE.replace("25", "26"), document="b")
    assert reasons("leave?", passage(LEAVE), newer) == [None, None]


def test_a_comparison_is_given_passages_of_more_than_one_document() -> None:
    ranked = [passage(f"{LEAVE} Rule {n} of plan {n * 7}, with its {n + 3} notes.", document="a") for n in range(4)]
    other = passage(NOTICE, document="b", score=0.6)
    question = "What is the difference between the two plans?"
    assert reasons(question, *ranked, other) == [None, None, Reason.CROWDED, Reason.CROWDED, None]
    assert reasons("How many days?", *ranked, other) == [None, None, None, None, Reason.OUTRANKED]


def test_a_stray_mention_does_not_crowd_out_the_only_document() -> None:
    ranked = [passage(f"{LEAVE} Rule {n} of plan {n * 7}, with its {n + 3} notes.", document="a") for n in range(4)]
    assert reasons("Compare the rules", *ranked, passage(NOTICE, document="b", score=0.2))[:4] == [None] * 4


def test_what_does_not_fit_the_prompt_is_left_out_but_never_all() -> None:
    long = passage(" ".join(f"word{n}" for n in range(2_000)))
    assert reasons("leave?", long, passage(LEAVE)) == [None, Reason.NO_ROOM]
    assert reasons("leave?", passage(LEAVE), replace(long, chunk_id="x"), passage(NOTICE)) == [
        None,
        Reason.NO_ROOM,
        None,
    ]


def test_nothing_found_gives_nothing() -> None:
    assert select("Compare the two", (), limit=4, following={}).given == ()


def test_what_a_passage_runs_on_into_comes_with_it() -> None:
    begun = passage("Staff get annual leave as follows: 25 days in the first years, and")
    after = passage("28 days after five years of service.", document="a", score=0.0)
    chosen = select("leave?", [begun, passage(NOTICE)], limit=2, following={begun.chunk_id: after})
    assert [each.text for each in chosen.given] == [begun.text, after.text]
    assert [dropped.reason for dropped in chosen.dropped] == [Reason.OUTRANKED]


def test_what_a_table_or_list_runs_on_into_comes_with_it() -> None:
    begun = passage("| Years | Days |\n|---|---|\n| 1 | 25 |.")
    after = passage("| 5 | 28 |")
    assert select("leave?", [begun], limit=2, following={begun.chunk_id: after}).given[1].text == after.text


def test_a_passage_that_has_ended_brings_nothing_along() -> None:
    ended, after = passage(LEAVE), passage(NOTICE)
    assert select("leave?", [ended], limit=2, following={ended.chunk_id: after}).given == (ended,)


def test_what_follows_is_given_once_however_often_it_was_found() -> None:
    begun = passage("Staff get annual leave as follows: 25 days in the first years, and")
    after = passage("28 days after five years of service.", score=0.5)
    chosen = select("leave?", [begun, passage(NOTICE), after], limit=4, following={begun.chunk_id: after})
    assert [each.text for each in chosen.given] == [begun.text, after.text, NOTICE]
    chosen = select("leave?", [after, begun], limit=4, following={begun.chunk_id: after})
    assert [each.text for each in chosen.given] == [after.text, begun.text]
