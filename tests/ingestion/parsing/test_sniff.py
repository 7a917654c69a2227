"""The media type comes from the content."""

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingestion.errors import (
    DamagedDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    ParseError,
    UnsupportedTypeError,
)
from ingestion.parsing import media_types as types
from ingestion.parsing.sniff import sniff
from tests.ingestion.parsing import files

ODT = b"application/vnd.oasis.opendocument.text"
OFFICE = ("[Content_Types].xml", "_rels/.rels")
MAIL = b"From: a@example.com\nTo: b@example.com\nSubject: Leave\n\nDear all"
HTML_LETTER = b"MIME-Version: 1.0\nContent-Type: text/html\n\n<html><body>x</body></html>"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "content"
    path.write_bytes(content)
    return path


def zipped(names: Sequence[str], *, declared: bytes = b"") -> bytes:
    """An archive of these entries; `declared` is its first entry 'mimetype'."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if declared:
            archive.writestr("mimetype", declared)
        for name in names:
            archive.writestr(name, "<x/>")
    return buffer.getvalue()


def ole(*names: str) -> bytes:
    """An OLE container whose root holds empty streams of these names."""
    entries = [_entry("Root Entry", kind=5, child=1 if names else 0xFFFFFFFF)]
    for number, name in enumerate(names, 1):
        entries.append(_entry(name, kind=2, right=number + 1 if number < len(names) else 0xFFFFFFFF))
    directory = b"".join(entries)
    directory += b"\0" * (-len(directory) % 512)
    sectors = len(directory) // 512
    chain = [*range(2, sectors + 1), 0xFFFFFFFE]
    fat = struct.pack("<128L", 0xFFFFFFFD, *chain, *[0xFFFFFFFF] * (127 - len(chain)))
    magic = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header = magic + struct.pack(
        "<HHHHH6xLLLLLLLLL", 62, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )
    return header + struct.pack("<109L", 0, *[0xFFFFFFFF] * 108) + fat + directory


def _entry(name: str, *, kind: int, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF) -> bytes:
    wide = name.encode("utf-16-le")
    head = wide.ljust(64, b"\0") + struct.pack("<HBBLLL", len(wide) + 2, kind, 1, 0xFFFFFFFF, right, child)
    return head.ljust(116, b"\0") + struct.pack("<LQ", 0xFFFFFFFE, 0)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pdf", b"%PDF-1.7\n", types.PDF),
        ("a.pdf", b"junk\n%PDF-1.7\n", types.PDF),
        ("a.txt", b"%PDF-1.7\n", types.PDF),
        ("a.docx", b"%PDF-1.7\n", types.PDF),
        ("a.txt", b"how to write %PDF-1.7 headers", types.TEXT),
        ("a.rtf", b"{\\rtf1 hello}", types.RTF),
        ("a.html", b"<p>words</p>", types.HTML),
        ("a", b"<!DOCTYPE html><title>x</title>", types.HTML),
        ("a.txt", b"<!-- c --><html><body>x</body></html>", types.HTML),
        ("a.xls", b"<html><table><tr><td>an old export</table>", types.HTML),
        ("a.md", b"<p align=center>logo</p>\n# Title", types.MARKDOWN),
        ("a.MARKDOWN", b"# Title", types.MARKDOWN),
        ("a.txt", b"# Title", types.TEXT),
        ("a", "Größe".encode("latin-1"), types.TEXT),
        ("a.txt", "Größe".encode("utf-16"), types.TEXT),
        ("a.txt", "plain words".encode("utf-16-le"), types.TEXT),
        ("a.csv", b"a,b\n1,2\n", types.CSV),
        ("a.tsv", b"a\tb\n1\t2\n", types.CSV),
        ("a.txt", b"a,b\n1,2\n", types.TEXT),
        ("a.json", b'{"a": 1}', types.JSON),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', types.JSON),
        ("a.json", b"no JSON at all", types.TEXT),
        ("a", b' [{"a": 1}]', types.JSON),
        ("a", b"[1] Smith, A. On leave.", types.TEXT),
        ("a.txt", b'{"a": 1}', types.TEXT),
        ("a.log", b"line\x00line with one stray NUL", types.TEXT),
    ],
)
def test_type_follows_content_and_name_breaks_ties(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, content), name=name) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.eml", MAIL),
        ("a.eml", b"\xef\xbb\xbf" + MAIL),
        ("a.eml", MAIL.decode().encode("utf-16")),
        ("a.eml", MAIL.decode().encode("utf-16-be")),
        ("a.eml", b"no message at all"),
        ("a.eml", b"Subject: only this\n\nx"),
        ("a.eml", b"From MAILER Fri Apr  6 16:46:09 2001\n" + MAIL),
        ("a.eml", MAIL + b"\n" + bytes(range(256)) * 20),
        ("message", MAIL),
        ("message", b"\r\n" + MAIL.replace(b"\n", b"\r\n")),
        ("message", HTML_LETTER),
        ("saved.mht", HTML_LETTER),
        ("a.txt", b"Received: from x\n\tby y\n" + MAIL),
    ],
)
def test_messages_are_known_by_their_headers(tmp_path: Path, name: str, content: bytes) -> None:
    assert sniff(written(tmp_path, content), name=name) == types.EML


@pytest.mark.parametrize(
    "content",
    [
        b"To: all\nFrom: the office\nSubject: leave\n\nDear all",
        b"Note: this is prose.\nIt goes on: and on.\n",
        b"Title: A story\nOnce upon a time",
        b"From: here to there\nwe went by train.",
    ],
)
def test_prose_is_no_message(tmp_path: Path, content: bytes) -> None:
    assert sniff(written(tmp_path, content), name="notes.txt") == types.TEXT


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zipped((*OFFICE, "word/document.xml")), types.DOCX),
        (zipped((*OFFICE, "word\\document.xml")), types.DOCX),
        (zipped((*OFFICE, "word/document.xml", "word/vbaProject.bin")), types.DOCX),
        (zipped((*OFFICE, "ppt/presentation.xml")), types.PPTX),
        (zipped((*OFFICE, "xl/workbook.xml")), types.XLSX),
        (zipped(("content.xml",), declared=ODT), types.ODT),
        (zipped(("content.xml", "META-INF/manifest.xml")), types.ODT),
        (zipped(("a.xhtml",), declared=b"application/epub+zip"), types.EPUB),
        (zipped(("META-INF/container.xml", "a.xhtml")), types.EPUB),
        (zipped(("word/a.txt", "report.pdf")), types.ZIP),
        (zipped(("a.txt",), declared=b"application/other"), types.ZIP),
        (zipped(()), types.ZIP),
        (ole("__properties_version1.0", "__substg1.0_0037001F"), types.MSG),
        (ole("__nameid_version1.0", "__substg1.0_0037001F"), types.MSG),
    ],
)
def test_containers_are_known_by_what_is_in_them(tmp_path: Path, content: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, content), name="upload") == expected


def test_word_document_is_known_without_its_name(tmp_path: Path) -> None:
    assert sniff(files.word(tmp_path / "file"), name="file.bin") == types.DOCX


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", types.PNG),
        (b"\xff\xd8\xff\xe0", types.JPEG),
        (b"GIF89a", types.GIF),
        (b"II*\x00", types.TIFF),
        (b"MM\x00*", types.TIFF),
        (b"RIFF\x10\x00\x00\x00WEBP", types.WEBP),
        (b"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", types.BMP),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", types.HEIC),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", types.HEIC),
    ],
)
def test_images_are_known_by_their_first_bytes(tmp_path: Path, start: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, start + b"\0" * 100), name="scan") == expected


def test_a_text_that_begins_like_a_bitmap_is_text(tmp_path: Path) -> None:
    assert sniff(written(tmp_path, b"BM is short for benchmark."), name="a.txt") == types.TEXT


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<!-- note -->\n" * 1000 + b"hello\n", types.TEXT),
        (b"<!-- note -->\n" * 1000 + b"<html>hello", types.HTML),
        (b"<!--" * 4000, types.TEXT),
        (b" " * 16_000 + b"<!-- x -->" + b" " * 300, types.TEXT),
        (b"[" * 16_000, types.TEXT),
        (b"a:" * 8_000, types.TEXT),
        (b"a: b\n" * 4_000, types.TEXT),
    ],
)
def test_hostile_beginnings_are_read_in_one_way_only(tmp_path: Path, content: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, content), name="notes") == expected


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("a.txt", b"", EmptyDocumentError, "no bytes"),
        ("a.pdf", bytes(range(256)) * 8, DamagedDocumentError, r"named \.pdf but is no PDF"),
        ("a.pdf", b"<html>page</html>", DamagedDocumentError, r"named \.pdf but is no PDF"),
        ("a.docx", b"plain words", DamagedDocumentError, r"named \.docx but is no DOCX"),
        ("a.docx", zipped(("a.txt",)), DamagedDocumentError, r"named \.docx but is no DOCX"),
        ("a.png", b"<html><script>x</script>", DamagedDocumentError, r"named \.png but is no PNG"),
        ("a.zip", b"plain words", DamagedDocumentError, r"named \.zip but is no ZIP"),
        ("a.msg", b"plain words", DamagedDocumentError, r"named \.msg but is no MSG"),
        ("a.docx", b"PK\x03\x04", DamagedDocumentError, "cut off"),
        ("a.msg", ole("x")[:600], DamagedDocumentError, "cut off"),
        ("a.doc", ole("WordDocument", "1Table"), UnsupportedTypeError, "old binary"),
        ("a.xls", ole("Workbook")[:600], UnsupportedTypeError, "old binary"),
        ("a.docx", ole("EncryptionInfo", "EncryptedPackage"), EncryptedDocumentError, "password"),
        ("a.xlsb", zipped((*OFFICE, "xl/workbook.bin")), UnsupportedTypeError, "binary kind"),
        ("a.vsdx", zipped((*OFFICE, "visio/document.xml")), UnsupportedTypeError, "another program"),
        (
            "a.ods",
            zipped((), declared=b"application/vnd.oasis.opendocument.spreadsheet"),
            UnsupportedTypeError,
            "no text",
        ),
        ("a.bin", bytes(range(256)) * 8, UnsupportedTypeError, "binary"),
        ("a.lzma", b"\x5d\x00\x00\x80\x00" + b"\xff" * 14, UnsupportedTypeError, "binary"),
        ("a.mbox", b"From a@b.c Mon Jun 01 10:00:00 2009\n\nx", UnsupportedTypeError, "format"),
        ("mails", b"From a@b.c Mon Jun 01 10:00:00 2009\nSubject: x\n\nx", UnsupportedTypeError, "format"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedTypeError, "format"),
        ("a.xml", b"<?xml version='1.0'?><a/>", UnsupportedTypeError, "format"),
    ],
)
def test_what_no_parser_takes_is_refused_with_its_reason(
    tmp_path: Path, name: str, content: bytes, error: type[ParseError], words: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(error, match=words):
        sniff(path, name=name)


def test_a_directory_that_points_to_itself_ends(tmp_path: Path) -> None:
    content = bytearray(ole("a", "b", "c", "d", "e"))
    # The chain of the directory's sectors, and the tree of its siblings, lead back to their beginning.
    content[512 + 4 : 512 + 8] = struct.pack("<L", 1)
    content[1024 + 128 + 72 : 1024 + 128 + 76] = struct.pack("<L", 1)
    with pytest.raises(UnsupportedTypeError):
        sniff(written(tmp_path, bytes(content)), name="a.doc")


@pytest.mark.parametrize("seed", range(40))
def test_no_broken_container_breaks_the_sniffer(tmp_path: Path, seed: int) -> None:
    content = bytearray(ole("__substg1.0_0037001F", "b") if seed % 2 else zipped((*OFFICE, "word/a.xml"), declared=ODT))
    for step in range(8):
        content[(seed * 7919 + step * 104_729) % (len(content) - 8) + 8] = (seed * 31 + step * 17) % 256
    try:
        sniff(written(tmp_path, bytes(content)), name="upload")
    except ParseError:
        return
