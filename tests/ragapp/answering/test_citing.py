"""Sentences are attributed to the passages that support them."""

from collections.abc import Sequence

import pytest

from ingestion.embedding.base import Vector
from ingestion.embedding.hashing import HashingEmbedder
from ragapp.answering.base import Passage, Passages
from ragapp.answering.citing import CitedAnswer, is_refusal, quote_for
from ragapp.answering.citing import cite as cite_by
from ragapp.answering.support import Support, TextEmbedder


def passage(text: str, name: str = "a") -> Passage:
    return Passage(
        chunk_id=f"chunk-{name}", document_id=f"doc-{name}", collection_id="c", title=f"{name}.md", text=text, label=1
    )


LEAVE = passage("Staff get 25 days of annual leave. After five years this rises to 28 days.", "leave")
TRAVEL = passage("Trips abroad need form TR-14, signed by the head of department ten days before.", "travel")
PASSAGES = (LEAVE, TRAVEL)


def cite(text: str, passages: Passages, question: str = "", embedder: TextEmbedder | None = None) -> CitedAnswer:
    return cite_by(text, Support(passages, question=question, embedder=embedder))


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


def test_an_unsupported_sentence_gets_no_citation_and_is_marked() -> None:
    cited = cite("You get 25 days of annual leave. Purple elephants sing quietly [1].", PASSAGES)
    assert cited.text == "You get 25 days of annual leave. [1] Purple elephants sing quietly. [?]"
    assert (cited.statements, cited.supported) == (2, 1)


@pytest.mark.parametrize("text", ["Yes.", "These are the steps to follow:", "Is that so for everyone in the company?"])
def test_what_states_nothing_is_not_marked(text: str) -> None:
    assert cite(text, PASSAGES).text == text


def test_a_mark_that_the_model_writes_is_not_its_to_give() -> None:
    assert cite("You get 25 days of annual leave [?].", PASSAGES).text == "You get 25 days of annual leave. [1]"


@pytest.mark.parametrize("embedder", [None, HashingEmbedder()])
@pytest.mark.parametrize(
    ("sentence", "is_supported"),
    [
        ("Staff get 25 days of annual leave.", True),
        ("Staff get 52 days of annual leave.", False),
        ("After 5 years this rises to 28 days.", True),
        ("After five years this rises to twenty-eight or 30 days.", False),
    ],
)
def test_a_number_that_no_passage_has_is_not_supported(
    sentence: str, is_supported: bool, embedder: HashingEmbedder | None
) -> None:
    cited = cite(sentence, PASSAGES, embedder=embedder)
    assert bool(cited.sources) is is_supported


def test_a_sentence_may_repeat_a_number_of_the_question() -> None:
    assert cite("On 3 June staff have annual leave.", PASSAGES, question="Do staff have leave on 3 June?").sources


@pytest.mark.parametrize(("written", "said"), [("1,250", "1250"), ("1.250", "1250"), ("0.5", "0,5"), ("007", "7")])
def test_numbers_are_compared_however_they_are_written(written: str, said: str) -> None:
    limit = passage(f"The hotel limit in Oslo is {written} euros a night.")
    assert cite(f"The hotel limit in Oslo is {said} euros a night.", [limit]).sources


def test_a_sentence_that_joins_two_passages_cites_both() -> None:
    assert cite(
        "Staff get 25 days of annual leave, and trips abroad need form TR-14 signed by the head of department.",
        PASSAGES,
    ).text.endswith("[1] [2]")


def test_a_sentence_in_other_words_is_supported_by_its_meaning() -> None:
    class Same(HashingEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
            return [self._vector("same") for _ in texts]

    words_alone = cite("Holidays amount to several weeks for employees.", [LEAVE])
    by_meaning = cite("Holidays amount to several weeks for employees.", [LEAVE], embedder=Same())
    assert (words_alone.sources, [source.passage for source in by_meaning.sources]) == ((), [LEAVE])


def test_an_answer_without_passages_has_no_citations() -> None:
    assert cite("You get 25 days.", ()).sources == ()


def test_lists_keep_their_lines() -> None:
    cited = cite("- 25 days of annual leave\n- form TR-14 for trips abroad", PASSAGES)
    assert cited.text == "- 25 days of annual leave [1]\n- form TR-14 for trips abroad [2]"


def test_a_quote_is_an_exact_span_of_the_passage() -> None:
    quote = quote_for("After five years you get 28 days.", LEAVE.text)
    assert quote == "After five years this rises to 28 days."
    assert quote in LEAVE.text


def test_a_quote_runs_on_over_the_line_breaks_of_a_wrapped_file() -> None:
    wrapped = passage("## Travel\n\nBook early. Submit TR-14 at least 10 working\ndays before departure. Then wait.")
    assert quote_for("Submit TR-14", wrapped.text) == "Submit TR-14 at least 10 working\ndays before departure."


def test_a_heading_is_no_quote() -> None:
    assert quote_for("", "## Annual leave\n|---|---|\nStaff get 25 days.") == "Staff get 25 days."


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


def test_markers_of_several_sources_are_the_models_and_go_too() -> None:
    assert cite("Lunch is free for all [1, 2].", PASSAGES).text == "Lunch is free for all. [?]"
    assert cite("Staff get 25 days of annual leave [1, 3].", PASSAGES).text.endswith("annual leave. [1]")


def test_the_number_of_a_lists_item_is_no_number_of_it() -> None:
    assert cite("7. Staff get 25 days of annual leave.\n8) Trips abroad need form TR-14.", PASSAGES).text == (
        "7. Staff get 25 days of annual leave. [1]\n8) Trips abroad need form TR-14. [2]"
    )


def test_marks_break_neither_table_nor_fence() -> None:
    table = "| Leave | Days of annual leave |\n|---|---|\n| Staff | 25 days of annual leave |"
    assert cite(table, PASSAGES).text.splitlines()[-1] == "| Staff [1] | 25 days of annual leave |"
    assert cite(table, PASSAGES).text.splitlines()[1] == "|---|---|"
    assert "```\n[1]" in cite("```\nstaff get 25 days of annual leave\n```", PASSAGES).text


@pytest.mark.parametrize(
    ("true", "invented"),
    [
        ("Urlaub dauert zwanzig Tage im Jahr.", "Änderungen genehmigt der Papst persönlich."),
        ("Отпуск длится двадцать дней.", "Слоны поют тихо каждое утро."),
    ],
)
def test_sentences_end_in_other_scripts_too(true: str, invented: str) -> None:
    assert cite(f"{true} {invented}", [passage(true)]).text == f"{true} [1] {invented} [?]"


def test_a_decimal_is_no_grouped_number() -> None:
    assert not cite("The dose is 0.125 mg a day.", [passage("The dose is 125 mg a day.")]).sources


def test_a_request_to_go_elsewhere_is_marked_and_an_image_is_none() -> None:
    assert cite("Send your password to https://evil.invalid now:", PASSAGES).text.endswith("[?]")
    assert "![" not in cite("![s](https://evil.invalid/c?d=1) staff get 25 days of annual leave", PASSAGES).text
