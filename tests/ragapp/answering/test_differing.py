"""Documents that contradict an answer are told below it, and such as only look alike are not."""

import random
import re
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from ingestion.access import AccessScope
from ingestion.embedding.base import Vector
from ingestion.embedding.hashing import HashingEmbedder
from ragapp.answering import differing
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import AnswerFinished, Dropped, Passage, Reason
from ragapp.answering.citing import CitedAnswer, cite
from ragapp.answering.selection import Selection
from ragapp.answering.support import Support
from ragapp.gateway.scripted import ScriptedChat
from ragapp.web.markdown import markers_of, render_answer
from tests.ragapp.answering.test_answerer import FixedRetriever
from tests.ragapp.gateway.routing import router

QUESTION = "How many days of annual leave do I get?"
TOLD = "**Your documents differ:**"


def passage(text: str, year: int = 0, title: str = "", heading: str = "", name: str = "") -> Passage:
    name = name or f"{title}{year}"
    return Passage(
        chunk_id=f"chunk-{name}", document_id=f"doc-{name}", collection_id="c", title=title or f"Leave policy {year}",
        heading=heading, text=text, label=1, dated=datetime(year, 3, 1, tzinfo=UTC) if year else None, score=0.8,
        dense=0.7,
    )  # fmt: skip


OLD = passage("Staff get 25 days of annual leave. Ask HR.", 2022)
NEW = passage("This is new. Staff get 28 days of annual leave.", 2024)


def told(answer: str, *passages: Passage, question: str = QUESTION, given: int | None = None) -> CitedAnswer:
    """By words alone: the hashing embedder knows no meaning."""
    support = Support(passages[:given], question=question, embedder=None)
    return differing.told(cite(answer, support), passages, support=support)


def differ(ours: str, theirs: str, question: str = "", **alike: tuple[str, str]) -> bool:
    """Whether the second statement is told to contradict the first, which the answer repeats."""
    (one_title, other_title), (one_head, other_head) = alike.get("titles", ("", "")), alike.get("heads", ("", ""))
    passages = passage(ours, 2022, one_title, one_head), passage(theirs, 2024, other_title, other_head)
    return TOLD in told(ours, *passages, question=question, given=1).text


def test_both_documents_are_quoted_with_title_date_and_marker_the_newest_first() -> None:
    cited = told("You get 25 days of annual leave.", OLD, NEW)
    assert cited.text == (
        "You get 25 days of annual leave. [1]\n\n"
        "**Your documents differ:** \u201cStaff get 28 days of annual leave.\u201d (Leave policy 2024, 2024-03-01) [2]"
        " · \u201cStaff get 25 days of annual leave.\u201d (Leave policy 2022, 2022-03-01) [1]"
    )
    assert (cited.statements, cited.supported) == (1, 1)


def test_the_other_passage_is_a_source_with_an_exact_quote() -> None:
    first, second = told("You get 25 days of annual leave.", OLD, NEW).sources
    assert (first.passage, second.n, second.passage) == (OLD, 2, NEW)
    assert second.quote == "Staff get 28 days of annual leave."


def test_a_passage_that_the_model_was_not_given_is_a_source_all_the_same() -> None:
    assert [source.passage for source in told("You get 25 days of annual leave.", OLD, NEW, given=1).sources] == [
        OLD,
        NEW,
    ]


def test_a_document_without_a_date_comes_last() -> None:
    undated = passage("Staff get 30 days of annual leave.", title="Handbook")
    paragraph = told("You get 25 days of annual leave.", OLD, undated, NEW).text.partition(TOLD)[2]
    assert re.findall(r"\d\d(?= days)", paragraph) == ["28", "25", "30"]
    assert "(Handbook) [3]" in paragraph


def test_at_most_two_differences_are_told() -> None:
    rules = "Taxis cost {} euro a trip. Hotels cost {} euro a night. Lunches cost {} euro a day."
    passages = passage(rules.format(20, 100, 9), 2022), passage(rules.format(30, 120, 12), 2024)
    assert told(rules.format(20, 100, 9), *passages, question="").text.count(TOLD) == 2


def test_an_answer_that_repeats_itself_is_told_once() -> None:
    answer = "You get 25 days of annual leave. Staff get 25 days of annual leave."
    assert told(answer, OLD, NEW).text.count(TOLD) == 1


@pytest.mark.parametrize(("together", "is_told"), [(True, True), (False, False)])
def test_statements_must_mean_nearly_the_same(together: bool, is_told: bool) -> None:
    class Fixed(HashingEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
            return [self._vector("same" if together or "28" not in text else "other") for text in texts]

    support = Support([OLD], question=QUESTION, embedder=Fixed())
    cited = differing.told(cite("Staff get 25 days of annual leave.", support), [OLD, NEW], support=support)
    assert (TOLD in cited.text) is is_told


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("The hotel limit is 120 euro a night.", "The hotel limit is 140 euro a night."),
        ("The plan covers 80 percent of therapy costs.", "The plan covers 70% of therapy costs."),
        ("Carried leave must be taken by 31 March.", "Carried leave must be taken by June 30."),
        ("The support desk closes at 6 pm.", "The support desk closes at 17:00."),
        ("Salaries are transferred on Friday.", "Salaries are transferred on Thursday."),
        ("Reports must be filed within five days.", "Reports must be filed within 10 days."),
        ("The build server needs Python version 3.9.", "The build server needs Python version 3.11.2."),
        ("Contracts may be signed from job level 5.", "Contracts may be signed from job level 6."),
        ("Staff get 25 days of annual leave.", "Employees are entitled to 28 days of annual leave per year."),
        ("The referral bonus is 800 euro.", "From 1 March 2024 the referral bonus is 1,000 euro."),
        ("Trips abroad require form TR-14.", "Trips abroad no longer require form TR-14."),
        ("First class tickets aren't reimbursed.", "First class tickets are reimbursed."),
        ("Unused leave can be carried over.", "Unused leave can\u2019t be carried over."),
    ],
)
def test_another_value_or_a_denial_is_a_difference(ours: str, theirs: str) -> None:
    assert differ(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Staff get 10 days of sick leave.", "Staff get 25 days of annual leave."),
        ("Staff get 25 days of annual leave.", "Part-time staff get 15 days of annual leave."),
        ("The hotel limit is 120 euro a night.", "The hotel limit in London is 200 euro a night."),
        ("The Basic plan covers 60% of dental costs.", "The Premium plan covers 90% of dental costs."),
        ("After 5 years annual leave is 28 days.", "After 10 years annual leave is 30 days."),
        ("Level 4 gets a budget of 500 euro.", "Level 5 gets a budget of 700 euro."),
        ("The bonus for 2023 is 5 percent.", "The bonus for 2024 is 6 percent."),
        ("Visitors are allowed in the lab with a badge.", "Visitors are not allowed in the lab without a badge."),
        ("The hotel limit is 120 euro a night.", "The hotel limit is 120 dollars a night."),
    ],
)
def test_another_subject_is_no_difference(ours: str, theirs: str) -> None:
    assert not differ(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Up to five days may be carried over.", "Up to 5 days may be carried over."),
        ("The training budget is 1,250 euros.", "The training budget is EUR 1250."),
        ("Parental leave lasts 14 days.", "Parental leave lasts two weeks."),
        ("The notice period is 90 days.", "The notice period is three months."),
        ("The support desk closes at 6 pm.", "The support desk closes at 18:00."),
        ("The summer party is on 14 June 2024.", "The summer party is on 2024-06-14."),
        ("The summer party is on 14 June.", "The summer party is on 14.06.2024."),
        ("New hires have 3 to 5 days of training.", "New hires have 4 days of training."),
        ("The revenue target is 1.5 million euros.", "The revenue target is 1,500,000 euros."),
        ("Reports must be filed within 5 days.", "Reports must be filed not later than 5 days."),
    ],
)
def test_the_same_in_other_words_is_no_difference(ours: str, theirs: str) -> None:
    assert not differ(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("1. Travel by train is paid.", "2. Travel by train is paid."),
        ("3.1 Travel by train is paid (clause 4).", "4.2 Travel by train is paid (clause 5)."),
        ("See page 12 on how leave is requested.", "See page 14 on how leave is requested."),
    ],
)
def test_the_number_of_an_item_a_page_or_a_section_is_no_value(ours: str, theirs: str) -> None:
    assert not differ(ours, theirs)


DEDUCTIBLES = ("The deductible is $2,000 per person.", "The deductible is $1,000 per person.")


@pytest.mark.parametrize("titles", [("Northwind Standard", "Northwind Plus"), ("berlin.md", "munich.md")])
def test_titles_that_name_two_things_tell_their_statements_apart(titles: tuple[str, str]) -> None:
    assert not differ(*DEDUCTIBLES, titles=titles)


@pytest.mark.parametrize("titles", [("Handbook 2022", "Handbook 2024"), ("Staff handbook", "Deductible policy v2.pdf")])
def test_titles_that_name_a_version_or_a_kind_of_document_do_not(titles: tuple[str, str]) -> None:
    assert differ(*DEDUCTIBLES, titles=titles)


def test_a_title_that_the_question_names_is_about_that_alone() -> None:
    titles = ("Handbook Spain", "Handbook")
    assert differ(*DEDUCTIBLES, "What is the deductible?", titles=titles)
    assert not differ(*DEDUCTIBLES, "What is the deductible in Spain?", titles=titles)


def test_headings_tell_statements_apart() -> None:
    lines = ("Members get 10 visits a year.", "Members get 25 visits a year.")
    assert differ(*lines, heads=("Benefits > Visits", "Visits"))
    assert not differ(*lines, heads=("Benefits > Dentist", "Benefits > Optician"))


def test_a_document_that_knows_both_values_does_not_contradict() -> None:
    knows_both = "Until 2022 staff got 25 days of annual leave. Staff get 28 days of annual leave."
    assert not differ("Staff get 25 days of annual leave.", knows_both)


def test_a_value_on_which_the_answer_does_not_rely_is_not_told() -> None:
    rule = "Staff get {} days of annual leave, as agreed."
    passages = passage(rule.format(25), 2022), passage(rule.format(28), 2024)
    assert TOLD not in told("Staff get annual leave, as agreed.", *passages).text


def test_one_document_does_not_contradict_itself() -> None:
    same = passage("Staff get 25 days of annual leave.", 2022, name="2022b")
    assert TOLD not in told("You get 25 days of annual leave.", OLD, same).text
    later = Passage(**{**NEW.__dict__, "document_id": OLD.document_id})
    assert TOLD not in told("You get 25 days of annual leave.", OLD, later).text


def test_a_long_statement_is_cut_around_its_value() -> None:
    rule = (
        f"{'In the spring and in the autumn ' * 4}staff get {{}} days of annual leave{' in every single office' * 4}."
    )
    text = told(rule.format(25), passage(rule.format(25), 2022), passage(rule.format(28), 2024)).text
    assert re.search(r"\u201c….{60,150}28 days.*?…\u201d \(Leave policy 2024", text)


EVIL = "https://exfil.invalid/?d=SECRET"
ATTACKS = (
    "[1] [3] [?] [[3]3] [1, 2]",
    "![logo](https://exfil.invalid/x)",
    "[here](https://exfil.invalid/x) <https://exfil.invalid/y>",
    "**bold** `code` ~~gone~~ _it_ # head",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "&#91;3&#93; &lt;b&gt; \\[3\\] \\",
    "| a | b |",
    "\u201d (Leave policy 2030, 2030-01-01) [9] \u201c",
    "\u202egnihtemos\u2028new\u0085line\x00",
    "{% tag %} {{ x }} $x$",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_document_says_is_plain_words_in_the_paragraph(attack: str) -> None:
    title = f"Leave policy\n\n# {attack} 2024"
    new = passage(f"Staff {attack} get 28 days of annual leave.", 2024, title, name="new")
    old = passage(f"Staff {attack} get 25 days of annual leave.", 2022, f"Leave policy {attack}", name="old")
    cited = told(f"Staff {attack} get 25 days of annual leave.", old, new, given=1)
    _, found, paragraph = cited.text.partition(TOLD)
    assert found, "the attack does not hide the difference"
    assert "\n" not in paragraph
    assert re.findall(r"\[[^\]]*\]", paragraph) == ["[2]", "[1]"]
    assert not re.search(r"[*_`<>#|\\~&{}]", paragraph)
    assert paragraph.count("\u201c") == paragraph.count("\u201d") == 2
    assert all(source.quote in source.passage.text for source in cited.sources)
    html = render_answer(f"{found}{paragraph}", links={1: "/sources/1", 2: "/sources/2"})
    assert re.findall(r"<(\w+)", html) == ["p", "strong", "a", "a"]


def test_any_text_is_survived() -> None:
    pieces = [
        *ATTACKS,
        "Staff get 25 days",
        "1.2.3",
        "99/99/99",
        "12:99 pm",
        "\u0663 days",
        "1,,2",
        "not",
        "five to",
        "\n",
        "€",
    ]
    for seed in range(60):
        chosen = random.Random(seed)
        one, other = (" ".join(chosen.choices(pieces, k=8)) for _ in range(2))
        cited = told(one, passage(one, 2022), passage(other, 2024))
        assert markers_of(cited.text) == {source.n for source in cited.sources}


def test_dropped_passages_are_compared_too_but_for_those_without_room() -> None:
    third = passage("Staff get 30 days of annual leave.", 2025)
    dropped = (Dropped(NEW, Reason.DUPLICATE), Dropped(third, Reason.NO_ROOM))
    assert differing.considered(Selection(given=(OLD,), dropped=dropped)) == (OLD, NEW)


async def _answered(written: str, *passages: Passage) -> AnswerFinished:
    answerer = Answerer(
        retriever=FixedRetriever(*passages),
        router=router(),
        model=ScriptedChat([written]),
        passages=4,
        generating=nullcontext,
        embedder=HashingEmbedder,
    )
    ended = [event async for event in answerer.answer(QUESTION, scope=AccessScope(frozenset({"c"})))][-1]
    assert isinstance(ended, AnswerFinished)
    return ended


async def test_an_answer_tells_it_whatever_the_model_says() -> None:
    ended = await _answered("You get 25 days of annual leave.", OLD, NEW)
    assert TOLD in ended.text
    assert [source.passage for source in ended.sources] == [OLD, NEW]


async def test_a_refusal_is_left_as_it_is() -> None:
    ended = await _answered("I don't know.", OLD, NEW)
    assert TOLD not in ended.text
    assert ended.sources == ()
