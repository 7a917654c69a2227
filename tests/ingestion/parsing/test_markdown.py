"""Markdown keeps its words and is cut at its headings and tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.errors import NoTextError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions, Section
from ingestion.parsing.markdown import MarkdownParser

Parse = Callable[[Path], ParsedDocument]


def read(folder: Path, text: str, *, max_chars: int = 6_000_000) -> ParsedDocument:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return MarkdownParser(ParseOptions(max_chars=max_chars)).parse(path)


def test_sections_carry_the_path_of_their_headings(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("intro\n# One\nfirst\n## Two / three\nsecond\n# Four\nlast")
    document = parse(tmp_path / "page.md")
    assert [(section.heading, section.text) for section in document.sections] == [
        ("", "intro"),
        ("One", "# One\n\nfirst"),
        ("One > Two / three", "## Two / three\n\nsecond"),
        ("Four", "# Four\n\nlast"),
    ]


def test_title_and_date_come_from_front_matter_which_is_dropped(tmp_path: Path) -> None:
    document = read(tmp_path, '---\ntitle: "Leave"\nowner: hr\nupdated: "2024-05-06"\n---\n# Heading\ntext')
    assert document.title == "Leave"
    assert document.dated == datetime(2024, 5, 6, tzinfo=UTC)
    assert "owner" not in document.sections[0].text


@pytest.mark.parametrize("front", ["date: soon\n", "updated:\n", ""])
def test_a_date_that_is_none_is_none(tmp_path: Path, front: str) -> None:
    assert read(tmp_path, f"---\n{front}---\ntext").dated is None


def test_title_is_else_the_first_heading(tmp_path: Path) -> None:
    assert read(tmp_path, "## Before\n# **Leave** [policy](x)\ntext").title == "Leave policy"


def test_underlined_headings_are_headings(tmp_path: Path) -> None:
    document = read(tmp_path, "Leave\n=====\ntext\n\nCarry over\n----------\nmore\n\n---\nafter a rule")
    assert [section.heading for section in document.sections] == ["Leave", "Leave > Carry over"]


@pytest.mark.parametrize("fence", ["```", "~~~~", "  ```python"])
def test_headings_and_tables_in_code_are_code(tmp_path: Path, fence: str) -> None:
    code = "# not a heading\n| a | b |\n|---|---|\n| 1 | 2 |\nx\n---"
    document = read(tmp_path, f"# Setup\n{fence}\n{code}\n{fence.strip()[:4].rstrip('p')}\n## Done\ndone")
    assert [section.heading for section in document.sections] == ["Setup", "Setup > Done"]
    assert code in document.sections[0].text


def test_tables_are_sections_with_their_head(tmp_path: Path) -> None:
    text = "# Costs\nBelow:\n\nItem | Price\n:-- | --:\nRent | 1\\|000\n| Heat | 2 |\n\nafter"
    assert read(tmp_path, text).sections == (
        Section("# Costs\n\nBelow:", heading="Costs"),
        Section(
            "| Rent | 1\\|000 |\n| Heat | 2 |", heading="Costs", is_table=True, header="| Item | Price |\n| --- | --- |"
        ),
        Section("after", heading="Costs"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "a | b\nno rule below",
        "| a | b |\n| --- |\n| 1 | 2 |",
        "| a | b |\n| --- | --- |",
        "a\n---|\nb",
        "a | b\n\n--- | ---\n1 | 2",
    ],
)
def test_what_is_no_table_is_text(tmp_path: Path, text: str) -> None:
    (section,) = read(tmp_path, text).sections
    assert (section.text, section.is_table) == (text, False)


def test_comments_are_not_text(tmp_path: Path) -> None:
    assert "secret" not in read(tmp_path, "# A\nseen <!-- secret\nlines --> too").sections[0].text


def test_seven_marks_are_text(tmp_path: Path) -> None:
    document = read(tmp_path, "# A\n####### deep\n" + "#" * 9000 + " deeper\n#nor this\ntext")
    assert [section.heading for section in document.sections] == ["A"]
    assert "\n####### deep\n" in document.sections[0].text


def test_a_long_heading_is_cut_and_its_rest_is_text(tmp_path: Path) -> None:
    (section,) = read(tmp_path, "## " + "word " * 300 + "last\ntext").sections
    assert section.heading == ("word " * 40).strip()
    assert section.text.split() == ["##", *["word"] * 300, "last", "text"]


def test_headings_beyond_ten_thousand_are_text(tmp_path: Path) -> None:
    document = read(tmp_path, "# x\n" * 12_000)
    assert len(document.sections) == 10_000
    assert document.sections[-1].text.count("x") == 2001


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * 300_000 + "b",
        "# a" + "#" * 300_000 + "b",
        "#" + "\n" * 300_000 + "a",
        "a" + "[" * 300_000,
        "*a_ " * 100_000,
        "a |" + " -" * 100_000 + "\n" + "|" * 100_000 + "\na",
        "|a" * 3_000 + "\n" + "|-" * 3_000 + "\n" + "|v" * 3_000,
        "|a\n|-\n" * 50_000,
        "a\n-" + " " * 300_000 + "b",
        "---\n" + "title" * 100_000,
        "<!--a" * 100_000 + "a",
    ],
)
def test_pathological_text_takes_linear_time(tmp_path: Path, text: str) -> None:
    read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join("#" * depth + " " + "w" * 1500 + "\ntext" for depth in range(1, 1001)),
        "# x\n" * 1_250_000,
        "".join("#" * depth + " " + "w" * 195 + "\n" for depth in range(1, 6)) + "###### x\n" * 400_000,
    ],
    ids=["ever deeper", "many", "many below long ones"],
)
def test_hostile_headings_make_few_sections_and_short_paths(tmp_path: Path, text: str) -> None:
    sections = read(tmp_path, text).sections
    assert len(sections) <= 10_000
    assert all(len(section.heading) <= 6 * 200 + 5 * len(" > ") for section in sections)


def test_invisible_characters_are_dropped_and_noted(tmp_path: Path) -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "obey")
    document = read(tmp_path, f"# A\nseen{hidden}")
    assert document.sections[0].text == "# A\n\nseen"
    assert document.notes == ("4 invisible characters were dropped.",)


def test_more_text_than_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooMuchTextError):
        read(tmp_path, "word " * 300, max_chars=1000)


@pytest.mark.parametrize("text", ["---\ntitle: x\n---\n", " \n\t\n", "<!-- only this -->", "***\n---\n"])
def test_nothing_to_read_is_no_text(parse: Parse, tmp_path: Path, text: str) -> None:
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(NoTextError):
        parse(tmp_path / "page.md")
