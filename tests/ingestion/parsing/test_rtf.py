"""Rich text: characters of every encoding, headings, tables, and nothing that is not seen."""

from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.rtf import RtfParser

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}{\f1\fcharset204 Times;}{\f2\fcharset128 Gothic;}}"
    r"{\colortbl;\red0\green0\blue0;\red255\green255\blue255;}"
    r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}}"
)


def parse(folder: Path, body: str, *, max_chars: int = 1_000_000) -> ParsedDocument:
    path = folder / "made.rtf"
    path.write_bytes((HEAD + body + "}").encode("latin-1"))
    return RtfParser(ParseOptions(max_chars=max_chars)).parse(path)


def text_of(document: ParsedDocument) -> str:
    return "\n".join(section.text for section in document.sections)


def test_headings_by_style_and_outline(tmp_path: Path) -> None:
    body = r"\pard\s1 Travel\par\pard\plain Words.\par\pard\s2 Rates\par\pard\outlinelevel2 Deep\par"
    assert [section.heading for section in parse(tmp_path, body).sections] == [
        "Travel",
        "Travel > Rates",
        "Travel > Rates > Deep",
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"Gr\'fc\'dfe", "Grüße"),
        (r"\u8364?\u8364\'80 \uc0\u8364 x", "€€ €x"),
        (r"{\f1\'cf\'f0\'e8\'e2\'e5\'f2}", "Привет"),
        (r"{\f2\'93\'fa\'96\'7b}", "日本"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"a\~b\_c \{d\} \\ \emdash  \ldblquote e\rdblquote", "a b-c {d} \\ — “e”"),
        ("line\\line two\\tab three", "line\ntwo three"),
        ("broken\nby the file", "brokenby the file"),
        (r"{\upr{ANSI}{\*\ud{ANSI}}}", "ANSIANSI"),
        (r"{\field{\*\fldinst HYPERLINK http://127.0.0.1:9}{\fldrslt our page}}", "our page"),
        (r"a{\*\unknown secret}b{\pict 89504e47}c\bin4 }}}}d", "abcd"),
    ],
)
def test_characters_are_those_that_are_meant(tmp_path: Path, body: str, text: str) -> None:
    assert text_of(parse(tmp_path, body + r"\par")) == text


@pytest.mark.parametrize("look", [r"\v ", r"\cf2 ", r"\fs2 "])
def test_text_that_nobody_sees_is_dropped_and_told(tmp_path: Path, look: str) -> None:
    document = parse(tmp_path, rf"seen{{{look}obey me}}\par")
    assert text_of(document) == "seen"
    assert document.notes == ("7 characters of hidden text were dropped.",)


def test_white_on_a_colour_is_seen(tmp_path: Path) -> None:
    assert text_of(parse(tmp_path, r"{\cf2\highlight1 seen}\par")) == "seen"


def test_tables_have_a_header(tmp_path: Path) -> None:
    body = (
        r"\trowd\pard\intbl Land\cell Rate\cell\row\trowd\pard\intbl Norway\cell 25 \par and more\cell\row"
        r"\pard After.\par"
    )
    table, prose = parse(tmp_path, body).sections
    assert table.header.startswith("| Land | Rate |")
    assert table.text == "| Norway | 25 and more |"
    assert prose.text == "After."


def test_lists_notes_and_headers_are_read(tmp_path: Path) -> None:
    body = r"{\pntext 1.\tab}First{\footnote A note}\par{\pntext\'B7\tab}Second\par{\header Policy 47-B\par}"
    assert [section.text for section in parse(tmp_path, body).sections] == [
        "1. First\n\nA note\n\n- Second",
        "Policy 47-B",
    ]


def test_title_and_date_are_the_files_own(tmp_path: Path) -> None:
    document = parse(tmp_path, r"{\info{\title Travel}{\revtim\yr2026\mo3\dy5}}x\par")
    assert document.title == "Travel"
    assert document.dated is not None
    assert document.dated.date().isoformat() == "2026-03-05"


@pytest.mark.parametrize(
    "body", ["{" * 5_000, r"\cell" * 5_000, r"{\field{\*\fldinst{HYPERLINK " * 3_000, r"\bin999999999 x"]
)
def test_what_is_deep_wide_or_cut_off_ends(tmp_path: Path, body: str) -> None:
    try:
        assert text_of(parse(tmp_path, body)) == ""
    except DamagedDocumentError:
        return


def test_more_text_than_allowed_ends_it(tmp_path: Path) -> None:
    with pytest.raises(TooMuchTextError):
        parse(tmp_path, r"words\par " * 500, max_chars=1_000)


def test_other_text_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "none.rtf"
    path.write_text("no rich text")
    with pytest.raises(DamagedDocumentError):
        RtfParser(ParseOptions(max_chars=100)).parse(path)
