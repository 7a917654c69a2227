"""Media type by content. The name only breaks the tie among text types, and convicts a false .pdf or .docx.

Opens no archive and runs no parser: it runs in the server's own process, on bytes nobody has checked.
"""

import re
from pathlib import Path

from ingestion.errors import (
    DamagedDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    UnsupportedTypeError,
)
from ingestion.parsing.encoding import decode

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
MEDIA_TYPES = frozenset({PDF, DOCX, HTML, MARKDOWN, TEXT})

_HEAD_BYTES = 16 * 1024
_BLOCK_BYTES = 1024 * 1024
# Readers take a PDF header that begins within the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
_PDF_HEADER_WITHIN = 1024
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
# Text by its bytes, but a format of its own that would be stored as noise.
_FOREIGN_TEXT_SUFFIXES = frozenset({".eml", ".mbox", ".mht", ".mhtml", ".rtf", ".svg", ".ps", ".eps", ".ics"})
# Possessive throughout: a file of comments must not be read in every way in which they can be told apart.
_HTML_START = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s++html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_BINARY_STARTS = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"MZ",
)  # fmt: skip
_CONTROL_SHARE = 0.05
_FEW_CONTROLS = 4
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def sniff(path: Path, *, name: str) -> str:
    """The media type of the file at `path`, one of MEDIA_TYPES; `name` is what the person called it.

    Raises EmptyDocumentError, EncryptedDocumentError (an Office file behind a password),
    DamagedDocumentError (named .pdf or .docx and is none) and UnsupportedTypeError.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise EmptyDocumentError("the file has no bytes")
    suffix = Path(name).suffix.lower()
    if _is_pdf(head, suffix=suffix):
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _zip_type(path, suffix=suffix)
    if head.startswith(_OLE):
        raise _ole_error(path)
    _refuse_false_name(suffix)
    return _text_type(head, suffix=suffix)


def _is_pdf(head: bytes, *, suffix: str) -> bool:
    if head.lstrip().startswith(b"%PDF-"):
        return True
    return suffix == ".pdf" and b"%PDF-" in head[:_PDF_HEADER_WITHIN]


def _refuse_false_name(suffix: str) -> None:
    if suffix in {".pdf", ".docx"}:
        raise DamagedDocumentError(f"named {suffix} but is no {suffix[1:].upper()}")


def _zip_type(path: Path, *, suffix: str) -> str:
    if _contains(path, b"word/document"):
        return DOCX
    _refuse_false_name(suffix)
    raise UnsupportedTypeError("an archive, or an Office file that is no .docx")


def _ole_error(path: Path) -> Exception:
    if _contains(path, "EncryptedPackage".encode("utf-16-le")):
        return EncryptedDocumentError("an Office file behind a password")
    return UnsupportedTypeError("an Office file of the old binary format")


def _contains(path: Path, needle: bytes) -> bool:
    """Block by block: other threads of the server run in between."""
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if needle in tail + block:
                return True
            tail = block[1 - len(needle) :]
    return False


def _text_type(head: bytes, *, suffix: str) -> str:
    text = _head_text(head)
    if suffix in _MARKDOWN_SUFFIXES:
        return MARKDOWN
    if suffix in _HTML_SUFFIXES or _HTML_START.match(text):
        return HTML
    if suffix in _FOREIGN_TEXT_SUFFIXES or text.lstrip("\ufeff \r\n\t").startswith(("<?xml", "{\\rtf", "<svg")):
        raise UnsupportedTypeError("text of a format that no parser takes")
    return TEXT


def _head_text(head: bytes) -> str:
    try:
        text = decode(head)
    except DamagedDocumentError as exc:
        raise UnsupportedTypeError("binary content") from exc
    # Random bytes are a tenth control characters; a stray NUL in a log is still text.
    controls = len(_CONTROL.findall(text))
    if head.startswith(_BINARY_STARTS) or controls > max(_FEW_CONTROLS, len(text) * _CONTROL_SHARE):
        raise UnsupportedTypeError("binary content")
    return text
