"""Lines become paragraphs whose places are known, and tables that keep their heads."""

import random

import pytest

from ingestion.parsing.base import Section
from ingestion.parsing.layout import Heading, Line, Page, sections, without_running_lines
from ingestion.parsing.places import Box
from ingestion.parsing.table_rows import Table

LONG = "The company pays for thirty days of leave in every year of service, which"


def _line(text: str, *, top: float, size: float = 10.0, right: float = 500.0) -> Line:
    box = Box(50.0, top - size, right, top)
    return Line(text, left=box.left, right=box.right, bottom=box.bottom, top=box.top, box=box)


def _page(*lines: Line, number: int = 1) -> Page:
    return Page(number, lines, width=600.0, height=800.0)


def _shown(section: Section) -> list[str]:
    return [section.text[line.start : line.end] for line in section.lines]


def _table(*rows: tuple[str, ...], header: tuple[str, ...]) -> Line:
    boxes = tuple(Box(50.0, 700.0 - 10 * number, 500.0, 710.0 - 10 * number) for number in range(len(rows)))
    return Line("", table=Table(header, rows, boxes, columns=(50.0, 300.0), words=frozenset()))


def test_each_line_of_a_paragraph_has_its_place() -> None:
    lines = [_line(LONG, top=700.0), _line("is more than the law asks for.", top=688.0)]
    (section,) = sections([_page(*lines)], outline=[])
    assert _shown(section) == [LONG, "is more than the law asks for."]
    first = section.lines[0]
    assert (first.left, first.top, first.right, first.bottom) == (0.0833, 0.125, 0.8333, 0.1375)


def test_a_mended_hyphen_does_not_move_the_places_of_what_follows() -> None:
    lines = [
        _line("All of the information about leave and about travel and about the infor-", top=700.0),
        _line("mation that nobody reads is kept in one book, which is very long in-", top=688.0),
        _line("deed.", top=676.0),
    ]
    (section,) = sections([_page(*lines)], outline=[])
    assert "the information that" in section.text
    assert _shown(section)[1].startswith("mation that")
    assert _shown(section)[2] == "deed."


def test_a_table_is_a_section_of_its_own_with_a_row_on_each_line() -> None:
    table = _table(("Norway", "25"), ("Kenya | coast", "21"), header=("Country", "Days"))
    found = sections([_page(_line(LONG, top=760.0), table, _line("After it.", top=600.0))], outline=[])
    assert [section.is_table for section in found] == [False, True, False]
    assert found[1].text.split("\n") == ["| Norway | 25 |", "| Kenya \\| coast | 21 |"]
    assert found[1].header == "| Country | Days |\n| --- | --- |"
    assert _shown(found[1]) == found[1].text.split("\n")


def test_a_table_that_goes_on_overleaf_keeps_its_head() -> None:
    first = _page(_line(LONG, top=760.0), _table(("Norway", "25"), header=("Country", "Days")))
    second = _page(_table(("Peru", "30"), header=("Kenya", "21")), _line(LONG, top=500.0), number=2)
    found = [section for section in sections([first, second], outline=[]) if section.is_table]
    assert found[1].header == found[0].header
    assert found[1].text.split("\n") == ["| Kenya | 21 |", "| Peru | 30 |"]


def test_another_table_overleaf_keeps_its_own_head() -> None:
    first = _page(_table(("Norway", "25"), header=("Country", "Days")), _line(LONG, top=400.0), _line(LONG, top=380.0))
    second = _page(_table(("Peru", "30"), header=("City", "Rooms")), number=2)
    found = [section for section in sections([first, second], outline=[]) if section.is_table]
    assert found[1].header.startswith("| City | Rooms |")


def test_chinese_lines_are_joined_without_blanks() -> None:
    lines = [_line("新鲜甘草黄酮养分是扫除肌肤代谢物的最佳", top=700.0), _line("清道夫", top=688.0)]
    (section,) = sections([_page(*lines)], outline=[])
    assert section.text == "新鲜甘草黄酮养分是扫除肌肤代谢物的最佳清道夫"


def test_running_lines_are_found_in_spite_of_their_numbers() -> None:
    pages = [
        _page(_line(f"Handbook {number}", top=790.0), _line(f"{'abcdef'[number]} {LONG}", top=700.0), number=number + 1)
        for number in range(6)
    ]
    kept = without_running_lines(pages)
    assert [len(page.lines) for page in kept] == [1] * 6


@pytest.mark.parametrize("entries", [5_000])
def test_an_outline_that_names_nothing_on_a_page_of_many_lines_is_soon_done(entries: int) -> None:
    # Each entry against each line would be a hundred million comparisons.
    rng = random.Random(3)
    lines = [_line(f"{rng.random()} word", top=700.0 - number / 100) for number in range(20_000)]
    outline = [Heading(1, (f"Chapter {number}",)) for number in range(entries)]
    assert len(sections([_page(*lines)], outline=outline)) == 1


def test_titles_of_an_outline_are_found_in_their_order() -> None:
    lines = [_line(text, top=700.0 - 20 * n) for n, text in enumerate(("1. Scope", LONG, "2. Scope", LONG, "Terms"))]
    outline = [Heading(1, ("Scope",)), Heading(1, ("Annex", "Scope")), Heading(1, ("Terms",))]
    found = sections([_page(*lines)], outline=outline)
    assert [section.heading for section in found] == ["Scope", "Annex > Scope", "Terms"]
