"""Word documents: mammoth makes HTML, which goes the way of HTML. Archive limits are checked before.

The archive is hostile until proven otherwise: bombs by size and ratio, too many parts, DTDs, outside references.
"""

import functools
import re
import xml.dom.minidom
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile, ZipInfo

import defusedxml.minidom  # type: ignore[import-untyped]
import mammoth
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.base import ParsedDocument
from ingestion.parsing.html import html_to_markdown
from ingestion.parsing.markdown import plain

_MOST_UNPACKED_BYTES = 500 * 1024 * 1024
_MOST_PARTS = 5_000
# Real parts of much repeated XML reach about 30 to 1, DEFLATE at most 1032 to 1.
_MOST_RATIO = 200
_RATIO_FROM_BYTES = 10 * 1024 * 1024
_ENCRYPTED_FLAG = 0x1
_STYLE_MAP = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
_CORE_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_UNTITLED = re.compile(r"^(microsoft word|document\d*|untitled)", re.IGNORECASE)


@dataclass(frozen=True)
class DocxParser:
    """Office Open XML text documents. Gives one section of Markdown."""

    max_chars: int

    def parse(self, path: Path) -> ParsedDocument:
        """Check the archive, then convert. Raises DamagedDocumentError and EncryptedDocumentError."""
        try:
            with ZipFile(path) as archive:
                _check(archive.infolist())
                title = _core_title(archive)
            parsed = html_to_markdown(_html(path))
        except DefusedXmlException as exc:
            raise DamagedDocumentError("holds a DTD or entities") from exc
        except (BadZipFile, KeyError, ExpatError, ValueError, NotImplementedError, EOFError, OSError) as exc:
            raise DamagedDocumentError(f"no readable .docx: {type(exc).__name__}") from exc
        return replace(parsed, title=title or parsed.title)


def _check(parts: list[ZipInfo]) -> None:
    if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
        raise EncryptedDocumentError("parts of the archive need a password")
    if len(parts) > _MOST_PARTS:
        raise DamagedDocumentError(f"{len(parts)} parts")
    if sum(part.file_size for part in parts) > _MOST_UNPACKED_BYTES:
        raise DamagedDocumentError("unpacks to more than 500 MB")
    if any(_is_bomb(part) for part in parts):
        raise DamagedDocumentError("packed too densely to be a document")


def _is_bomb(part: ZipInfo) -> bool:
    return part.file_size > _RATIO_FROM_BYTES and part.file_size > part.compress_size * _MOST_RATIO


def _html(path: Path) -> str:
    # mammoth reads its XML by xml.dom.minidom.parse, looked up at each call: here that one refuses DTDs.
    xml.dom.minidom.parse = functools.partial(defusedxml.minidom.parse, forbid_dtd=True)
    with path.open("rb") as file:
        result = mammoth.convert_to_html(
            file,
            style_map=_STYLE_MAP,
            include_embedded_style_map=False,
            external_file_access=False,
            convert_image=_alternative_text,
        )
    return str(result.value)


def _alternative_text(image: Any) -> list[Any]:
    # mammoth's own image converter opens the image; nothing of it is wanted but its words.
    text = image.alt_text or ""
    return [mammoth.html.text(f" {text} ")] if text else []


def _core_title(archive: ZipFile) -> str:
    try:
        element = fromstring(archive.read("docProps/core.xml"), forbid_dtd=True).find(_CORE_TITLE)
    except (KeyError, ElementTree.ParseError):
        return ""
    title = plain(element.text or "") if element is not None else ""
    return "" if _UNTITLED.match(title) else title
