"""Word documents, and archives that pretend to be some."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.base import ParsedDocument
from tests.ingestion.parsing import files

Parse = Callable[[Path], ParsedDocument]


def test_headings_lists_tables_and_title_are_kept(parse: Parse, tmp_path: Path) -> None:
    document = parse(files.word(tmp_path / "leave.docx"))
    assert document.title == "Leave policy"
    assert document.pages is None
    assert [section.heading for section in document.sections] == ["Leave", "Leave > Carry over"]
    assert "thirty days" in document.sections[0].text
    assert "- Five days go" in document.sections[1].text
    assert "Norway" in document.sections[1].text


@pytest.mark.parametrize(
    "dtd",
    [
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d [<!ENTITY a "lol"><!ENTITY x "&a;&a;&a;">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_document_type_declarations_are_refused(parse: Parse, tmp_path: Path, dtd: str) -> None:
    text = "&x;" if "ENTITY" in dtd else "words"
    path = files.word_of_xml(tmp_path / "xxe.docx", files.word_xml(text, dtd=dtd))
    with pytest.raises(DamagedDocumentError, match="DTD"):
        parse(path)


def test_bomb_is_refused_by_its_ratio(parse: Parse, tmp_path: Path) -> None:
    path = files.word_of_xml(tmp_path / "bomb.docx", files.word_xml(" " * 30_000_000))
    with pytest.raises(DamagedDocumentError, match="densely"):
        parse(path)


def test_too_many_parts_are_refused(parse: Parse, tmp_path: Path) -> None:
    path = files.word_of_xml(tmp_path / "parts.docx", files.word_xml("words"), parts=5_000)
    with pytest.raises(DamagedDocumentError, match="parts"):
        parse(path)


@pytest.mark.parametrize("xml", [b"", b"<w:document", b"<p>no word document</p>"])
def test_broken_main_part_is_damaged_or_empty(parse: Parse, tmp_path: Path, xml: bytes) -> None:
    path = files.word_of_xml(tmp_path / "broken.docx", xml)
    with pytest.raises(DamagedDocumentError):
        parse(path)


def test_half_an_archive_is_damaged(parse: Parse, tmp_path: Path) -> None:
    path = files.word(tmp_path / "half.docx")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedDocumentError):
        parse(path)
