"""Sentences are attributed to the passages that support them."""

import pytest

from ragapp.answering.base import Passage
from ragapp.answering.citing import cite, is_refusal, quote_for


def passage(text: str, name: str = "a") -> Passage:
    return Passage(
        chunk_id=f"chunk-{name}", document_id=f"doc-{name}", collection_id="c", title=f"{name}.md", text=text, label=1
    )


LEAVE = passage("Staff get 25 days of annual leave. After five years this rises to 28 days.", "leave")
TRAVEL = passage("Trips abroad need form TR-14, signed by the head of department ten days before.", "travel")
PASSAGES = (LEAVE, TRAVEL)


def test_each_sentence_gets_the_passage_that_supports_it() -> None:
    cited = cite("You get 25 days of annual leave. Trips abroad need form TR-14.", PASSAGES)
    assert cited.text == "You get 25 days of annual leave. [1] Trips abroad need form TR-14. [2]"
    assert [source.passage for source in cited.sources] == [LEAVE, TRAVEL]


def test_numbers_follow_the_order_of_use_not_of_retrieval() -> None:
    cited = cite("Trips abroad need form TR-14.", PASSAGES)
    assert [(source.n, source.passage) for source in cited.sources] == [(1, TRAVEL)]


def test_a_wrong_marker_of_the_model_is_corrected() -> None:
    assert cite("Trips abroad need form TR-14 [1].", PASSAGES).sources[0].passage == TRAVEL


@pytest.mark.parametrize("marker", ["[7]", "[0]", "[99]"])
def test_a_marker_outside_the_passages_is_dropped(marker: str) -> None:
    cited = cite(f"Purple elephants sing quietly {marker}.", PASSAGES)
    assert marker not in cited.text
    assert cited.sources == ()


def test_an_unsupported_sentence_gets_no_citation() -> None:
    assert cite("Purple elephants sing quietly.", PASSAGES).sources == ()


def test_an_answer_without_passages_has_no_citations() -> None:
    assert cite("You get 25 days.", ()).sources == ()


def test_lists_keep_their_lines() -> None:
    cited = cite("- 25 days of annual leave\n- form TR-14 for trips abroad", PASSAGES)
    assert cited.text == "- 25 days of annual leave [1]\n- form TR-14 for trips abroad [2]"


def test_a_quote_is_an_exact_span_of_the_passage() -> None:
    quote = quote_for("After five years you get 28 days.", LEAVE)
    assert quote == "After five years this rises to 28 days."
    assert quote in LEAVE.text


def test_a_quote_runs_on_over_the_line_breaks_of_a_wrapped_file() -> None:
    wrapped = passage("## Travel\n\nBook early. Submit TR-14 at least 10 working\ndays before departure. Then wait.")
    assert quote_for("Submit TR-14", wrapped) == "Submit TR-14 at least 10 working\ndays before departure."


def test_a_heading_is_no_quote() -> None:
    assert quote_for("", passage("## Annual leave\n|---|---|\nStaff get 25 days.")) == "Staff get 25 days."


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I don\u2019t know",
        "I do not know.",
        " I don't know. The passages talk about leave.",
        "The passages do not mention parking.",
        "The provided documents do not contain this.",
    ],
)
def test_the_models_own_refusal_is_recognised(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["You get 25 days.", "Employees who don't know whom to ask go to HR."])
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
