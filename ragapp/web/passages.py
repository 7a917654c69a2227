"""A passage as a page shows it: its text as safe HTML or as it stands, and the picture of its page with its boxes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString

from ingestion.models import Chunk, DocumentVersion
from ingestion.parsing import media_types as types
from ragapp.page_images import WIDTHS, can_be_drawn
from ragapp.web.markdown import heading_path, render_passage

# Of these the parser gives lines as they stand in the file; of the others, Markdown.
_PLAIN = {types.PDF, types.TEXT, types.JSON, types.EML, types.MSG} | types.IMAGES
# The drawing's own units: whole numbers, whatever the locale makes of fractions.
_SCALE = 10_000


@dataclass(frozen=True)
class Box:
    """A rectangle over a page, in ten-thousandths of its width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Mark:
    """Where the passage of that ordinal stands on a page."""

    ordinal: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class PagePicture:
    """A page's address in two widths, and what is marked on it."""

    number: int
    url: str
    wide_url: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class ShownPassage:
    """A passage in a list. `html` is None where `chunk.text` is shown as it is."""

    chunk: Chunk
    where: str
    heading: str
    html: SafeString | None


@dataclass(frozen=True)
class Sheet:
    """Passages that follow each other on one page, with its picture where it has one."""

    picture: PagePicture | None
    passages: tuple[ShownPassage, ...]


def html_of(chunk: Chunk, text: str, *, media_type: str) -> SafeString | None:
    """The text as HTML; None where it is shown as it is. A table is a table in every format."""
    if media_type in _PLAIN and not chunk.is_table:
        return None
    return render_passage(text)


def where_of(chunk: Chunk) -> str:
    """'slide 3', 'Page 4', or ''."""
    if chunk.place:
        return chunk.place[:1].upper() + chunk.place[1:]
    return f"Page {chunk.page}" if chunk.page else ""


def picture_of(version: DocumentVersion, *, page: int | None, chunks: Iterable[Chunk]) -> PagePicture | None:
    """The page with the boxes of these passages; None where it cannot be drawn."""
    if not can_be_drawn(version.media_type):
        return None
    number = page or 1
    address = reverse("web:document_page_image", args=[version.document_id, number])
    narrow, wide, _ = (f"{address}?{urlencode({'version': version.number, 'width': width})}" for width in WIDTHS)
    marks = (Mark(chunk.ordinal, tuple(box for given in chunk.boxes if (box := _box(given)))) for chunk in chunks)
    return PagePicture(number=number, url=narrow, wide_url=wide, marks=tuple(mark for mark in marks if mark.boxes))


def sheets_of(chunks: Sequence[Chunk], *, version: DocumentVersion) -> list[Sheet]:
    """The passages by page, in reading order."""
    sheets = []
    for page, group in groupby(chunks, key=lambda chunk: chunk.page):
        members = list(group)
        shown = tuple(_shown(chunk, media_type=version.media_type) for chunk in members)
        sheets.append(Sheet(picture=picture_of(version, page=page, chunks=members), passages=shown))
    return sheets


def _shown(chunk: Chunk, *, media_type: str) -> ShownPassage:
    return ShownPassage(
        chunk=chunk,
        where=where_of(chunk),
        heading=heading_path(chunk.heading),
        html=html_of(chunk, chunk.text, media_type=media_type),
    )


def _box(given: object) -> Box | None:
    """From [left, top, right, bottom] in shares of the page; None for anything that is no such box."""
    if not isinstance(given, list) or len(given) != 4 or not all(isinstance(side, int | float) for side in given):
        return None
    left, top, right, bottom = (round(min(max(side, 0), 1) * _SCALE) for side in given)
    if right <= left or bottom <= top:
        return None
    return Box(x=left, y=top, width=right - left, height=bottom - top)
