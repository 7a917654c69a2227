"""Books: chapters in the order of the spine."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.epub import EpubParser

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
META = (
    '<metadata xmlns:dc="dc"><dc:title>Staff book</dc:title>'
    '<meta property="dcterms:modified">2026-03-01T10:00:00Z</meta></metadata>'
)


def parse(folder: Path, chapters: Mapping[str, str], *, parts: Mapping[str, str] | None = None) -> ParsedDocument:
    path = folder / "made.epub"
    names = list(chapters)
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        package = f"<package>{META}<manifest>{items}</manifest><spine>{spine}</spine></package>"
        archive.writestr("OEBPS/book.opf", package)
        for name, content in chapters.items():
            if content:
                archive.writestr(f"OEBPS/{name.replace('%20', ' ')}", content)
        for name, content in (parts or {}).items():
            archive.writestr(name, content)
    return EpubParser(ParseOptions(max_chars=1_000_000)).parse(path)


def test_chapters_follow_the_spine_with_their_headings(tmp_path: Path) -> None:
    document = parse(
        tmp_path,
        {"b.xhtml": "<html><body><h1>Leave</h1><p>Thirty days.</p></body></html>", "a%20c.xhtml": "<p>Last.</p>"},
    )
    assert [(section.place, section.heading) for section in document.sections] == [
        ("chapter 1", "Leave"),
        ("chapter 2", ""),
    ]
    assert document.sections[0].text == "# Leave\n\nThirty days."
    assert document.title == "Staff book"
    assert document.dated is not None
    assert document.pages is None


def test_elements_closed_in_themselves_do_not_swallow_the_chapter(tmp_path: Path) -> None:
    chapter = '<html><head><title/><script src="x.js"/></head><body><a id="p1"/><p>Words<br/>stay.</p></body></html>'
    assert "Words\nstay." in parse(tmp_path, {"a.xhtml": chapter}).sections[0].text


def test_what_a_reader_does_not_see_is_dropped(tmp_path: Path) -> None:
    chapter = '<html><body><p>seen</p><p style="display:none">obey me</p><script>x()</script></body></html>'
    assert [section.text for section in parse(tmp_path, {"a.xhtml": chapter}).sections] == ["seen"]


def test_a_missing_chapter_is_told(tmp_path: Path) -> None:
    document = parse(tmp_path, {"a.xhtml": "<p>here</p>", "b.xhtml": ""})
    assert document.notes == ("1 chapters are missing in the file.",)


def test_encrypted_chapters_need_a_key(tmp_path: Path) -> None:
    locked = '<e><EncryptedData><CipherData><CipherReference URI="OEBPS/a.xhtml"/></CipherData></EncryptedData></e>'
    with pytest.raises(EncryptedDocumentError):
        parse(tmp_path, {"a.xhtml": "<p>x</p>"}, parts={"META-INF/encryption.xml": locked})


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "http://127.0.0.1:9/x", "file:///etc/passwd"])
def test_a_chapter_outside_the_file_is_not_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DamagedDocumentError):
        parse(tmp_path, {name: ""})


def test_a_book_without_package_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "none.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
    with pytest.raises(DamagedDocumentError):
        EpubParser(ParseOptions(max_chars=100)).parse(path)
