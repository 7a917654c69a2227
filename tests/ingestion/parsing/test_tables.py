"""Tables in Markdown, and sections in the order of reading."""

import pytest

from ingestion.errors import TooMuchTextError
from ingestion.parsing.tables import CellBudget, Flow, head, number_text, row


def test_cells_stay_on_one_line_and_keep_their_bars() -> None:
    assert row(["a|b", "two\nlines", " x "]) == "| a\\|b | two lines | x |"


def test_a_head_has_a_rule_of_its_width() -> None:
    assert head(["a", "b"]) == "| a | b |\n| --- | --- |"


def test_prose_headings_and_tables_keep_their_order() -> None:
    flow = Flow(max_chars=1_000)
    flow.heading("Leave", level=1)
    flow.prose("Thirty days.")
    flow.table([["Country", "Days"], ["Norway", "25"]], caption="By country")
    flow.prose("That is all.")
    first, table, last = flow.sections()
    assert first.text == "# Leave\n\nThirty days."
    assert (table.heading, table.header) == ("Leave > By country", "| Country | Days |\n| --- | --- |")
    assert table.text == "| Norway | 25 |"
    assert (last.heading, last.text) == ("Leave", "That is all.")


def test_a_heading_closes_those_below_its_level() -> None:
    flow = Flow(max_chars=1_000)
    for level, words in ((1, "A"), (2, "B"), (3, "C"), (2, "D")):
        flow.heading(words, level=level)
    assert [section.heading for section in flow.sections()] == ["A", "A > B", "A > B > C", "A > D"]


def test_a_new_place_is_under_no_heading() -> None:
    flow = Flow(max_chars=1_000)
    flow.heading("A", level=1)
    flow.move(page=2, place="slide 2")
    flow.prose("x")
    section = flow.sections()[-1]
    assert (section.page, section.place, section.heading) == (2, "slide 2", "")


def test_items_follow_each_other_without_blank_lines() -> None:
    flow = Flow(max_chars=1_000)
    flow.prose("List:")
    flow.item("- a")
    flow.item("- b")
    flow.end_list()
    flow.item("- c")
    assert flow.sections()[0].text == "List:\n\n- a\n- b\n\n- c"


def test_one_row_has_no_head_and_one_column_is_prose() -> None:
    flow = Flow(max_chars=1_000)
    flow.table([["a", "b"]])
    flow.table([["a"], ["b"]], caption="Letters")
    table, prose = flow.sections()
    assert (table.header, table.text) == ("", "| a | b |")
    assert (prose.is_table, prose.text) == (False, "Letters\na\nb")


def test_empty_rows_and_tables_are_nothing() -> None:
    flow = Flow(max_chars=1_000)
    flow.table([["", " "], []])
    flow.table([])
    assert flow.sections() == ()


def test_a_header_too_long_to_repeat_is_a_row() -> None:
    flow = Flow(max_chars=100_000)
    flow.table([["x" * 3_000, "y"], ["a", "b"]])
    table = flow.sections()[0]
    assert table.header == ""
    assert table.text.endswith("| a | b |")


def test_more_text_than_allowed_ends_it_at_once() -> None:
    flow = Flow(max_chars=100)
    with pytest.raises(TooMuchTextError):
        flow.table([["abc", "def"]] * 50)


def test_more_headings_than_sections_may_be_are_text() -> None:
    flow = Flow(max_chars=10_000_000)
    for number in range(10_100):
        flow.heading(f"h{number}", level=1)
    assert len(flow.sections()) == 10_000


def test_invisible_characters_are_dropped_and_told() -> None:
    flow = Flow(max_chars=1_000)
    flow.prose("a\U000e0041\u202eb")
    assert flow.sections()[0].text == "ab"
    assert flow.notes() == ("2 invisible characters were dropped.",)


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("8.200000000000001", "8.2"),
        ("1.0", "1"),
        ("0.1", "0.1"),
        ("1E-3", "0.001"),
        ("4711", "4711"),
        ("-3", "-3"),
        ("123456789012345678", "123456789012345678"),
        ("n/a", "n/a"),
        ("1e400", "inf"),
    ],
)
def test_numbers_are_shown_without_noise(kept: str, shown: str) -> None:
    assert number_text(kept) == shown


def test_cells_that_are_only_claimed_are_counted() -> None:
    budget = CellBudget(10)
    budget.spend(10)
    with pytest.raises(TooMuchTextError):
        budget.spend(1)
