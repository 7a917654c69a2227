"""Books: the chapters of an EPUB in the order of its spine, each read as the HTML that it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.archive_limits import Archive, joined, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.dates import from_text
from ingestion.parsing.elements import attribute, child, children, local
from ingestion.parsing.html import decode_html, read_html
from ingestion.parsing.tables import Flow

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTER_TYPES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document"})
# Markup is at most this many times its text in documents seen.
_MARKUP_TO_TEXT = 8
# XHTML closes any element in its own tag; HTML takes that for an open one, and a script would swallow the chapter.
_CLOSED_IN_ITSELF = re.compile(r"<([A-Za-z][\w:-]*+)([^<>]*+)(?<=/)>")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


@dataclass(frozen=True)
class _Book:
    """The package document: the chapters' parts in order, and what the book says of itself."""

    chapters: list[str]
    title: str = ""
    dated: datetime | None = None
    missing: int = 0


@dataclass(frozen=True)
class EpubParser:
    """EPUB 2 and 3. `place` is the chapter's number in the spine; there are no pages."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError, EncryptedDocumentError, ArchiveLimitError and TooMuchTextError."""
        flow = Flow(max_chars=self.options.max_chars)
        notes: dict[str, None] = {}
        with opened(path) as archive:
            book = _book(archive)
            locked = _locked(archive)
            for number, chapter in enumerate(book.chapters, 1):
                if chapter in locked:
                    raise EncryptedDocumentError("chapters are encrypted")
                html = decode_html(archive.read(chapter, most_bytes=self.options.max_chars * _MARKUP_TO_TEXT))
                flow.move(place=f"chapter {number}")
                notes.update(dict.fromkeys(read_html(_as_html(html), flow=flow).notes))
        if book.missing:
            notes[f"{book.missing} chapters are missing in the file."] = None
        return ParsedDocument(
            sections=flow.sections(), title=book.title, dated=book.dated, notes=(*notes, *flow.notes())
        )


def _as_html(xhtml: str) -> str:
    def opened_and_closed(match: re.Match[str]) -> str:
        name, attributes = match.groups()
        return match.group() if name.lower() in _VOID else f"<{name}{attributes[:-1]}></{name}>"

    return _CLOSED_IN_ITSELF.sub(opened_and_closed, xhtml)


def _book(archive: Archive) -> _Book:
    holder = child(archive.root(_CONTAINER), "rootfiles", "rootfile")
    name = attribute(holder, "full-path")
    package = archive.root(name)
    folder = name.rpartition("/")[0]
    chapters = list(dict.fromkeys(joined(folder, target) for target in _targets(package)))
    present = [chapter for chapter in chapters if chapter in archive]
    if not present:
        raise DamagedDocumentError("no chapter of the spine is in the file")
    values = {local(element): element.text or "" for element in children(package, "metadata")}
    modified = next(
        (
            element.text or ""
            for element in children(package, "metadata")
            if local(element) == "meta" and attribute(element, "property") == "dcterms:modified"
        ),
        values.get("date", ""),
    )
    return _Book(
        chapters=present,
        title=" ".join(values.get("title", "").split()),
        dated=from_text(modified),
        missing=len(chapters) - len(present),
    )


def _targets(package: Element) -> Iterator[str]:
    """Where the chapters are, in reading order."""
    items = {attribute(item, "id"): item for item in children(package, "manifest")}
    for reference in children(package, "spine"):
        item = items.get(attribute(reference, "idref"))
        if item is not None and attribute(item, "media-type") in _CHAPTER_TYPES:
            yield attribute(item, "href")


def _locked(archive: Archive) -> set[str]:
    """The parts that are encrypted. Fonts that are only made hard to copy are among them, and are not read."""
    if _ENCRYPTION not in archive:
        return set()
    found = archive.root(_ENCRYPTION).iter()
    return {joined("", attribute(element, "URI")) for element in found if local(element) == "CipherReference"}
