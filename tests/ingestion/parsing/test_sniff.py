"""The media type comes from the content."""

from pathlib import Path

import pytest

from ingestion.errors import (
    DamagedDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    ParseError,
    UnsupportedTypeError,
)
from ingestion.parsing.sniff import DOCX, HTML, MARKDOWN, PDF, TEXT, sniff
from tests.ingestion.parsing import files

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def written(folder: Path, content: bytes) -> Path:
    path = folder / "content"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pdf", b"%PDF-1.7\n", PDF),
        ("a.pdf", b"junk\n%PDF-1.7\n", PDF),
        ("a.txt", b"%PDF-1.7\n", PDF),
        ("a.txt", b"how to write %PDF-1.7 headers", TEXT),
        ("a.html", b"<p>words</p>", HTML),
        ("a", b"<!DOCTYPE html><title>x</title>", HTML),
        ("a.txt", b"<!-- c --><html><body>x</body></html>", HTML),
        ("a.md", b"<p align=center>logo</p>\n# Title", MARKDOWN),
        ("a.MARKDOWN", b"# Title", MARKDOWN),
        ("a.txt", b"# Title", TEXT),
        ("a", "Größe".encode("latin-1"), TEXT),
        ("a.txt", "Größe".encode("utf-16"), TEXT),
        ("a.txt", "plain words".encode("utf-16-le"), TEXT),
        ("a.csv", b"a,b\n1,2\n", TEXT),
        ("a.log", b"line\x00line with one stray NUL", TEXT),
    ],
)
def test_type_follows_content_and_name_breaks_ties(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, content), name=name) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<!-- note -->\n" * 1000 + b"hello\n", TEXT),
        (b"<!-- note -->\n" * 1000 + b"<html>hello", HTML),
        (b"<!--" * 4000, TEXT),
        (b" " * 16_000 + b"<!-- x -->" + b" " * 300, TEXT),
    ],
)
def test_comments_are_read_in_one_way_only(tmp_path: Path, content: bytes, expected: str) -> None:
    assert sniff(written(tmp_path, content), name="notes.txt") == expected


def test_word_document_is_known_though_its_part_lies_across_blocks(tmp_path: Path) -> None:
    content = b"PK\x03\x04" + b"." * (1024 * 1024 - 10) + b"word/document.xml"
    assert sniff(written(tmp_path, content), name="a.docx") == DOCX


def test_word_document_is_known_without_its_name(tmp_path: Path) -> None:
    assert sniff(files.word(tmp_path / "file"), name="file.bin") == DOCX


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("a.txt", b"", EmptyDocumentError, "no bytes"),
        ("a.pdf", bytes(range(256)) * 8, DamagedDocumentError, r"named \.pdf but is no PDF"),
        ("a.pdf", b"<html>page</html>", DamagedDocumentError, r"named \.pdf but is no PDF"),
        ("a.docx", b"plain words", DamagedDocumentError, r"named \.docx but is no DOCX"),
        ("a.docx", b"PK\x03\x04", DamagedDocumentError, r"named \.docx but is no DOCX"),
        ("a.doc", OLE + "WordDocument".encode("utf-16-le"), UnsupportedTypeError, "old binary"),
        ("a.docx", OLE + "EncryptedPackage".encode("utf-16-le"), EncryptedDocumentError, "password"),
        ("a.bin", bytes(range(256)) * 8, UnsupportedTypeError, "binary"),
        ("a.md", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, UnsupportedTypeError, "binary"),
        ("a.eml", b"From: a@example.com\n\nhello", UnsupportedTypeError, "format"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedTypeError, "format"),
        ("a.rtf", b"{\\rtf1 hello}", UnsupportedTypeError, "format"),
    ],
)
def test_what_no_parser_takes_is_refused_with_its_reason(
    tmp_path: Path, name: str, content: bytes, error: type[ParseError], words: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(error, match=words):
        sniff(path, name=name)


def test_archive_that_is_no_word_document_is_unsupported(tmp_path: Path) -> None:
    path = written(tmp_path, files.other_zip())
    with pytest.raises(UnsupportedTypeError, match="archive"):
        sniff(path, name="a.zip")
