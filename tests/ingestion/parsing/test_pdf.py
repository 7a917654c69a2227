"""PDFs keep page, heading and paragraphs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError, NoTextError
from ingestion.parsing.base import ParsedDocument
from tests.ingestion.parsing import files

Parse = Callable[[Path], ParsedDocument]

LONG = "The company pays for thirty days of leave in every year of service, which"


def test_every_section_knows_its_page(parse: Parse, tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [[("First page.", 11)], [("Second page.", 11)]])
    document = parse(path)
    assert document.pages == 2
    assert [(section.page, section.text) for section in document.sections] == [
        (1, "First page."),
        (2, "Second page."),
    ]


def test_larger_lines_are_headings_that_last_until_the_next(parse: Parse, tmp_path: Path) -> None:
    pages = [[("Handbook", 24), ("Leave", 16), (LONG, 11)], [("Still about leave.", 11), ("Travel", 16), (LONG, 11)]]
    document = parse(files.pdf(tmp_path / "a.pdf", pages))
    assert [(section.page, section.heading) for section in document.sections] == [
        (1, "Handbook"),
        (1, "Handbook > Leave"),
        (2, "Handbook > Leave"),
        (2, "Handbook > Travel"),
    ]


def test_outline_names_the_headings(parse: Parse, tmp_path: Path) -> None:
    pages = [[("Leave", 11), (LONG, 11)], [("no title on this page", 11)], [("1. Travel", 11), (LONG, 11)]]
    outline = [(1, "Leave", 0), (3, "Travel", 1)]
    document = parse(files.pdf(tmp_path / "a.pdf", pages, outline=outline))
    assert [(section.page, section.heading) for section in document.sections] == [
        (1, "Leave"),
        (2, "Leave"),
        (3, "Leave > Travel"),
    ]


def test_wrapped_lines_are_joined_and_lists_are_not(parse: Parse, tmp_path: Path) -> None:
    lines = [(LONG, 11), ("is more than the law asks for.", 11), ("- one item", 11), ("- another item", 11)]
    text = parse(files.pdf(tmp_path / "a.pdf", [lines])).sections[0].text
    assert text == f"{LONG} is more than the law asks for.\n- one item\n- another item"


def test_words_cut_at_line_ends_are_mended_by_the_documents_own_words(parse: Parse, tmp_path: Path) -> None:
    lines = [
        ("Their information about in-network care is kept with the other infor-", 11),
        ("mation, and it says which of the doctors of the whole region are in-", 11),
        ("network doctors.", 11),
    ]
    text = parse(files.pdf(tmp_path / "a.pdf", [lines])).sections[0].text
    assert "other information, and" in text
    assert "are in-network doctors" in text


def test_running_headers_and_page_numbers_are_dropped(parse: Parse, tmp_path: Path) -> None:
    pages = [
        [("Confidential - Handbook", 11), (f"Topic {'abcdefg'[number]} is explained.", 11), (f"Page {number}", 11)]
        for number in range(6)
    ]
    sections = parse(files.pdf(tmp_path / "a.pdf", pages)).sections
    assert [section.text for section in sections] == [f"Topic {letter} is explained." for letter in "abcdef"]


def test_pages_that_hold_nothing_but_like_lines_keep_them(parse: Parse, tmp_path: Path) -> None:
    pages = [[(f"This is page {number} of the form.", 11)] for number in range(6)]
    assert len(parse(files.pdf(tmp_path / "a.pdf", pages)).sections) == 6


def test_title_of_the_file_is_taken_unless_a_program_made_it(parse: Parse, tmp_path: Path) -> None:
    titles = []
    for title in ("Leave policy", "Microsoft Word - draft.docx"):
        canvas = Canvas(str(tmp_path / "a.pdf"))
        canvas.setTitle(title)
        canvas.drawString(60, 700, "words")
        canvas.save()
        titles.append(parse(tmp_path / "a.pdf").title)
    assert titles == ["Leave policy", ""]


def test_password_is_told_apart_from_damage(parse: Parse, tmp_path: Path) -> None:
    path = files.encrypted_pdf(tmp_path / "a.pdf")
    with pytest.raises(EncryptedDocumentError):
        parse(path)


def test_half_a_file_is_damaged(parse: Parse, tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [[("words", 11)]])
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DamagedDocumentError):
        parse(path)


def test_pages_without_text_are_no_text(parse: Parse, tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [[], []])
    with pytest.raises(NoTextError):
        parse(path)
