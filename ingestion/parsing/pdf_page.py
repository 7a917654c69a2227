"""One PDF page as PDFium gives it: the words that a reader sees, and what is drawn around them."""

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingestion.parsing.encoding import clean
from ingestion.parsing.pdf_drawings import WHITE, Colour, Drawn, collect, page_objects
from ingestion.parsing.places import Box, Matrix, Rule, TextLine, Word, shown, union

# PDFium writes a hyphen at a line's end, and the line end with it, as one of these marks.
_LINE = re.compile("[^\r\n\ufffe\x02]*[\ufffe\x02]|[^\r\n\ufffe\x02]+")
_HYPHEN_MARK = re.compile("[\ufffe\x02\xad]+$")
_WORD = re.compile(r"\S+")
# Text that is smaller than a point is for machines; so is what differs from its ground by no more than this.
_SMALLEST_POINTS = 1.0
_LEAST_CONTRAST = 12
_UNKNOWN_GLYPH = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class PdfPage:
    """`number` counts from 1; sizes in points. `hidden` counts words that were dropped, `unmapped` words of no letters.

    `was_read` is False for a page that PDFium cannot load.
    """

    number: int
    width: float = 0.0
    height: float = 0.0
    lines: tuple[TextLine, ...] = ()
    rules: tuple[Rule, ...] = ()
    pictures: tuple[Box, ...] = ()
    drawings: int = 0
    hidden: int = 0
    unmapped: int = 0
    largest_picture: int = 0
    was_read: bool = True


def read_page(document: pypdfium2.PdfDocument, *, number: int) -> PdfPage:
    """The page; empty where PDFium cannot load it: the others are still worth having."""
    try:
        page = document[number - 1]
    except (pypdfium2.PdfiumError, IndexError):
        return PdfPage(number, was_read=False)
    try:
        return _read(page, number=number)
    except (pypdfium2.PdfiumError, AssertionError):
        return PdfPage(number, was_read=False)
    finally:
        page.close()


def _read(page: Any, *, number: int) -> PdfPage:
    view = _view(page)
    drawn = Drawn()
    collect(page_objects(page), view.matrix, drawn, depth=0)
    text_page = page.get_textpage()
    try:
        reader = _WordReader(text_page, view=view, drawn=drawn)
        lines = tuple(reader.lines())
    finally:
        text_page.close()
    if reader.covered and _is_text_of_a_scan(lines, reader.covered, view=view, drawn=drawn):
        lines = tuple(_merged(lines, reader.covered))
        reader.covered = []
    return PdfPage(
        number=number,
        width=view.width,
        height=view.height,
        lines=tuple(line for _, line in sorted(((each.order, each.line) for each in lines), key=lambda pair: pair[0])),
        rules=tuple(drawn.rules) if drawn.is_whole else (),
        pictures=tuple(drawn.pictures),
        drawings=drawn.drawings,
        hidden=reader.hidden + sum(len(each.line.words) for each in reader.covered),
        unmapped=reader.unmapped,
        largest_picture=drawn.largest_picture,
    )


@dataclass(frozen=True)
class _Placed:
    order: int
    line: TextLine


def _merged(visible: Sequence[_Placed], invisible: Sequence[_Placed]) -> Iterator[_Placed]:
    yield from visible
    yield from invisible


def _is_text_of_a_scan(visible: Sequence[_Placed], invisible: Sequence[_Placed], *, view: "View", drawn: Drawn) -> bool:
    """Invisible text over a picture of the page is what somebody's text recognition found in the picture."""
    covered = min(1.0, sum(box.area for box in drawn.pictures) / max(view.width * view.height, 1.0))
    seen = sum(len(each.line.words) for each in visible)
    return covered >= 0.5 and sum(len(each.line.words) for each in invisible) > seen


@dataclass(frozen=True)
class View:
    """How a place in the page's own space is shown; `matrix` as in PDF: x' = a·x + c·y + e."""

    width: float
    height: float
    matrix: Matrix


def _view(page: Any) -> View:
    width, height = page.get_size()
    size = 1_000_000
    corners = [_to_device(page, x, y, size=size) for x, y in ((0, 0), (1000, 0), (0, 1000))]
    (x0, y0), (x1, y1), (x2, y2) = ((x / size * width, height - y / size * height) for x, y in corners)
    matrix = ((x1 - x0) / 1000, (y1 - y0) / 1000, (x2 - x0) / 1000, (y2 - y0) / 1000, x0, y0)
    return View(width, height, matrix)


def _to_device(page: Any, x: float, y: float, *, size: int) -> tuple[int, int]:
    device_x, device_y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, size, size, 0, x, y, ctypes.byref(device_x), ctypes.byref(device_y))
    return device_x.value, device_y.value


class _WordReader:
    """Goes through a text page once. What nobody can see is counted, or kept apart in `covered`."""

    def __init__(self, text_page: Any, *, view: View, drawn: Drawn) -> None:
        self._text_page = text_page
        self._view = view
        self._drawn = drawn
        self._modes: dict[int, int] = {}
        self.hidden = 0
        self.unmapped = 0
        self.covered: list[_Placed] = []

    def lines(self) -> Iterator[_Placed]:
        """Visible lines in the file's order."""
        text = self._text_page.get_text_range()
        for order, part in enumerate(_LINE.finditer(text)):
            visible: list[tuple[str, Word]] = []
            invisible: list[tuple[str, Word]] = []
            dropped = False
            words = list(_WORD.finditer(part.group()))
            for found in words:
                kind, word = self._word(found.group(), start=part.start() + found.start())
                if kind == _SEEN:
                    visible.append((found.group(), word))
                elif kind == _INVISIBLE:
                    invisible.append((found.group(), word))
                else:
                    dropped = True
                    self.hidden += 1
            if visible:
                whole = part.group() if len(visible) == len(words) and not dropped else ""
                yield from _placed(order, visible, whole=whole)
            if invisible:
                self.covered += _placed(order, invisible, whole="")

    def _word(self, text: str, *, start: int) -> tuple[int, Word]:
        first = pdfium.FPDFText_GetCharIndexFromTextIndex(self._text_page, start)
        last = first
        if len(text) > 1:
            last = pdfium.FPDFText_GetCharIndexFromTextIndex(self._text_page, start + len(text) - 1)
        box = self._box(first)
        if last != first:
            end = self._box(last)
            # A mark at the end has no box of its own.
            box = Box(*union(box, end)) if end.area > 0 else box
        word = Word(text, *box)
        if _UNKNOWN_GLYPH.search(text) and not _HYPHEN_MARK.search(text):
            self.unmapped += 1
        return self._kind(first, box), word

    def _box(self, index: int) -> Box:
        """Of a character's font box; zeros where PDFium has none."""
        rect = pdfium.FS_RECTF()
        if index < 0 or not pdfium.FPDFText_GetLooseCharBox(self._text_page, index, ctypes.byref(rect)):
            return Box(0.0, 0.0, 0.0, 0.0)
        return shown((rect.left, rect.bottom, rect.right, rect.top), self._view.matrix)

    def _kind(self, index: int, box: Box) -> int:
        if index < 0 or box.area <= 0:
            return _SEEN
        if box.top - box.bottom < _SMALLEST_POINTS or box.right - box.left < _SMALLEST_POINTS / 4:
            return _HIDDEN
        x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
        if not (-1 <= x <= self._view.width + 1 and -1 <= y <= self._view.height + 1):
            return _HIDDEN
        mode = self._mode(index)
        if mode in {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}:
            return _INVISIBLE
        if mode == pdfium.FPDF_TEXTRENDERMODE_FILL and self._is_of_its_grounds_colour(index, x, y):
            return _HIDDEN
        return _SEEN

    def _mode(self, index: int) -> int:
        text_object = pdfium.FPDFText_GetTextObject(self._text_page, index)
        address = ctypes.addressof(text_object.contents) if text_object else 0
        if not address:
            return int(pdfium.FPDF_TEXTRENDERMODE_FILL)
        if address not in self._modes:
            self._modes[address] = int(pdfium.FPDFTextObj_GetTextRenderMode(text_object))
        return self._modes[address]

    def _is_of_its_grounds_colour(self, index: int, x: float, y: float) -> bool:
        parts = [ctypes.c_uint() for _ in range(4)]
        if not pdfium.FPDFText_GetFillColor(self._text_page, index, *(ctypes.byref(part) for part in parts)):
            return False
        red, green, blue, alpha = (part.value for part in parts)
        if alpha < _LEAST_CONTRAST:
            return True
        if max(red, green, blue) < 200 and not self._drawn.grounds:
            return False
        ground = self._ground(x, y)
        if ground is None:
            return False
        return all(abs(a - b) <= _LEAST_CONTRAST for a, b in zip((red, green, blue), ground, strict=True))

    def _ground(self, x: float, y: float) -> Colour | None:
        """The colour of what lies there on top; None where that is a picture, or too much is drawn."""
        if not self._drawn.is_whole:
            return None
        for box, colour in reversed(self._drawn.grounds):
            if box.holds(x, y):
                return colour
        return WHITE


_SEEN, _INVISIBLE, _HIDDEN = 0, 1, 2


def _placed(order: int, found: Sequence[tuple[str, Word]], *, whole: str) -> list[_Placed]:
    text = whole.strip() or " ".join(raw for raw, _ in found)
    text = clean(_HYPHEN_MARK.sub("-", text)).strip()
    words = [word._replace(text=clean(_HYPHEN_MARK.sub("-", raw)).strip()) for raw, word in found]
    words = [word for word in words if word.text]
    return [_Placed(order, TextLine(text, tuple(words)))] if text else []
