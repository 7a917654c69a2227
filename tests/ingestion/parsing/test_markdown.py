"""Markdown keeps its words and is cut at its headings."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.errors import NoTextError
from ingestion.parsing.base import ParsedDocument, Section
from ingestion.parsing.markdown import split_at_headings

Parse = Callable[[Path], ParsedDocument]


def parsed(parse: Parse, folder: Path, text: str) -> ParsedDocument:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return parse(path)


def test_sections_carry_the_path_of_their_headings(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, "intro\n# One\nfirst\n## Two / three\nsecond\n# Four\nlast")
    assert [(section.heading, section.text) for section in document.sections] == [
        ("", "intro"),
        ("One", "# One\nfirst"),
        ("One > Two / three", "## Two / three\nsecond"),
        ("Four", "# Four\nlast"),
    ]


def test_title_comes_from_front_matter_which_is_dropped(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, '---\ntitle: "Leave"\nowner: hr\n---\n# Heading\ntext')
    assert document.title == "Leave"
    assert "owner" not in document.sections[0].text


def test_title_is_else_the_first_heading(parse: Parse, tmp_path: Path) -> None:
    assert parsed(parse, tmp_path, "# **Leave** [policy](x)\ntext").title == "Leave policy"


def test_underlined_headings_are_headings(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, "Leave\n=====\ntext\n\nCarry over\n----------\nmore")
    assert [section.heading for section in document.sections] == ["Leave", "Leave > Carry over"]


def test_headings_in_code_are_code(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, "# Setup\n```\n# not a heading\n```\ndone")
    assert [section.heading for section in document.sections] == ["Setup"]


def test_comments_are_not_text(parse: Parse, tmp_path: Path) -> None:
    assert "secret" not in parsed(parse, tmp_path, "# A\nseen <!-- secret\nlines --> too").sections[0].text


def test_seven_marks_are_text(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, "# A\n####### deep\n" + "#" * 9000 + " deeper\ntext")
    assert [section.heading for section in document.sections] == ["A"]
    assert "\n ####### deep\n" in document.sections[0].text


def test_a_long_heading_is_cut_and_its_rest_is_text(parse: Parse, tmp_path: Path) -> None:
    (section,) = parsed(parse, tmp_path, "## " + "word " * 300 + "last\ntext").sections
    assert section.heading == ("word " * 40).strip()
    assert section.text.split() == ["##", *["word"] * 300, "last", "text"]


def test_headings_beyond_ten_thousand_are_text(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, "# x\n" * 12_000)
    assert len(document.sections) == 10_000
    assert document.sections[-1].text.count("x") == 2001


@pytest.mark.parametrize("text", ["# a" + " " * 300_000 + "b", "# a" + "#" * 300_000 + "b", "#" + "\n" * 300_000 + "a"])
def test_pathological_headings_take_linear_time(parse: Parse, tmp_path: Path, text: str) -> None:
    assert parsed(parse, tmp_path, text).sections


@pytest.mark.parametrize(
    "text",
    [
        "\n".join("#" * depth + " " + "w" * 1500 + "\ntext" for depth in range(1, 1001)),
        "# x\n" * 1_250_000,
        "".join("#" * depth + " " + "w" * 195 + "\n" for depth in range(1, 6)) + "###### x\n" * 400_000,
    ],
    ids=["ever deeper", "many", "many below long ones"],
)
def test_hostile_headings_cost_the_parent_little(text: str) -> None:
    split_at_headings(ParsedDocument(sections=(Section("# warm\nup"),)))
    tracemalloc.start()
    try:
        cut = split_at_headings(ParsedDocument(sections=(Section(text),)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cut.sections) <= 10_000
    assert all(len(section.heading) <= 6 * 200 + 5 * len(" > ") for section in cut.sections)
    assert peak < 200 * 1024 * 1024


@pytest.mark.parametrize("text", ["---\ntitle: x\n---\n", " \n\t\n", "<!-- only this -->", "***\n---\n"])
def test_nothing_to_read_is_no_text(parse: Parse, tmp_path: Path, text: str) -> None:
    with pytest.raises(NoTextError):
        parsed(parse, tmp_path, text)
