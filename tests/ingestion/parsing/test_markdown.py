"""Markdown keeps its words and is cut at its headings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.errors import NoTextError
from ingestion.parsing.base import ParsedDocument

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


@pytest.mark.parametrize("text", ["---\ntitle: x\n---\n", " \n\t\n", "<!-- only this -->", "***\n---\n"])
def test_nothing_to_read_is_no_text(parse: Parse, tmp_path: Path, text: str) -> None:
    with pytest.raises(NoTextError):
        parsed(parse, tmp_path, text)
