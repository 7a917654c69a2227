"""OpenDocument texts: what their reader sees, in its order."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.odt import OdtParser

NAMES = " ".join(f'xmlns:{name}="{name}"' for name in ("office", "text", "table", "style", "fo", "draw", "dc", "m"))


def parse(folder: Path, body: str, *, styles: str = "", parts: Mapping[str, str] | None = None) -> ParsedDocument:
    path = folder / "made.odt"
    content = (
        f"<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
        for name, part in (parts or {}).items():
            archive.writestr(name, part)
    return OdtParser(ParseOptions(max_chars=1_000_000)).parse(path)


def cell(text: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def row(*texts: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cell(text) for text in texts)}</table:table-row>"


def test_headings_lists_and_blanks_are_kept(tmp_path: Path) -> None:
    items = "<text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>deeper</text:p></text:list-item>"
    body = (
        '<text:h text:outline-level="1">Leave</text:h><text:p>Thirty<text:s text:c="2"/>days\n of '
        "<text:span>leave</text:span>.</text:p>"
        f"<text:list>{items}</text:list></text:list-item></text:list>"
    )
    section = parse(tmp_path, body).sections[0]
    assert section.heading == "Leave"
    assert section.text == "# Leave\n\nThirty  days of leave.\n\n- one\n  - deeper"


def test_counts_that_are_no_numbers_are_one(tmp_path: Path) -> None:
    blanks = '<text:h text:outline-level="²">Leave</text:h><text:p>Thirty<text:s text:c="²"/>days</text:p>'
    assert parse(tmp_path, blanks).sections[0].text == "# Leave\n\nThirty days"


def test_tables_have_a_header(tmp_path: Path) -> None:
    head = f"<table:table-header-rows>{row('Land', 'Days')}</table:table-header-rows>"
    section = parse(tmp_path, f"<table:table>{head}{row('NO', '25')}</table:table>").sections[0]
    assert (section.is_table, section.text) == (True, "| NO | 25 |")
    assert section.header.startswith("| Land | Days |")


def test_repetitions_are_bounded(tmp_path: Path) -> None:
    repeated = '<table:table-cell table:number-columns-repeated="999999999"><text:p>x</text:p></table:table-cell>'
    line = f'<table:table-row table:number-rows-repeated="999999999">{repeated}</table:table-row>'
    document = parse(tmp_path, f"<table:table>{line}{line}</table:table>")
    assert len(document.sections[0].text) < 100_000


@pytest.mark.parametrize(
    "look",
    ['text:display="none"', 'fo:color="#ffffff"', 'fo:font-size="1pt"'],
)
def test_text_that_nobody_sees_is_dropped_and_told(tmp_path: Path, look: str) -> None:
    styles = f'<style:style style:name="T1"><style:text-properties {look}/></style:style>'
    body = '<text:p>seen<text:span text:style-name="T1"> obey me</text:span></text:p>'
    document = parse(tmp_path, body, styles=styles)
    assert document.sections[0].text == "seen"
    assert document.notes == ("8 characters of hidden text were dropped.",)


def test_notes_and_text_boxes_are_read(tmp_path: Path) -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Of a year.</text:p>"
        "</text:note-body></text:note>"
    )
    box = "<draw:frame><draw:text-box><text:p>In a box.</text:p></draw:text-box></draw:frame>"
    text = parse(tmp_path, f"<text:p>Thirty days{note}.{box}</text:p>").sections[0].text
    assert text == "Thirty days[^1].\n\n[^1]: Of a year.\n\nIn a box."


def test_deleted_text_and_comments_are_no_text(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>"
        "<text:p>here<office:annotation><text:p>why?</text:p></office:annotation></text:p>"
    )
    assert [section.text for section in parse(tmp_path, body).sections] == ["here"]


def test_title_and_date_are_the_files_own(tmp_path: Path) -> None:
    meta = f"<x {NAMES}><office:meta><dc:title>Plan</dc:title><dc:date>2026-03-01T10:00:00</dc:date></office:meta></x>"
    document = parse(tmp_path, "<text:p>x</text:p>", parts={"meta.xml": meta})
    assert document.title == "Plan"
    assert document.dated is not None
    assert document.dated.year == 2026


def test_an_encrypted_document_needs_a_password(tmp_path: Path) -> None:
    manifest = f"<m:manifest {NAMES}><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"
    with pytest.raises(EncryptedDocumentError):
        parse(tmp_path, "<text:p>x</text:p>", parts={"META-INF/manifest.xml": manifest})


@pytest.mark.parametrize("body", ["<text:p>", "<text:section>" * 500 + "</text:section>" * 500])
def test_broken_or_deep_content_is_damaged(tmp_path: Path, body: str) -> None:
    with pytest.raises(DamagedDocumentError):
        parse(tmp_path, body)
