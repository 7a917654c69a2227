"""Which pages of a PDF are pictures of text, and what text recognition finds on them.

| page | read by recognition |
|---|---|
| no usable text layer: little text, or letters that mean nothing | as a whole |
| a text layer, and a large picture with no text over it | the picture |
| blank | no |
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from statistics import median
from typing import Any

import pypdfium2

from ingestion.parsing.base import Ocr
from ingestion.parsing.ocr import LONGEST_SIDE, Budget
from ingestion.parsing.pdf_page import PdfPage
from ingestion.parsing.places import Box, TextLine, Word
from ingestion.parsing.reading_order import line_box, ordered_lines

_DPI = 200
_POINTS_AN_INCH = 72
# A page with fewer letters than this says nothing; a scan may carry a stamp or a page number as text.
_LEAST_LETTERS = 12
_STAMP_LETTERS = 150
_SCAN_SHARE = 0.6
# Where so many words are of no letters, the font does not say what its glyphs mean.
_UNMAPPED_SHARE = 0.4
# Pictures within text: smaller ones are logos, and their number is bounded.
_PICTURE_SHARE = 0.06
_MOST_PICTURES = 60
_PICTURE_LETTERS = 8
# Larger pictures are not decoded: 100 million pixels are 400 MB.
_MOST_PIXELS = 100_000_000
# Boxes around recognised words differ by a pixel here and there; within this they are of one size.
_ONE_SIZE = 0.35
_LETTER = re.compile(r"[^\W_]")


@dataclass
class Scans:
    """Recognition for one document, within its time. `notes` tells what was done and what was not."""

    document: pypdfium2.PdfDocument
    ocr: Ocr
    budget: Budget = field(default_factory=Budget)
    _read: list[int] = field(default_factory=list)
    _pictures: list[int] = field(default_factory=list)
    _unread: list[int] = field(default_factory=list)
    _late: list[int] = field(default_factory=list)
    _kept: list[int] = field(default_factory=list)
    _off: list[int] = field(default_factory=list)

    def with_recognised(self, pages: Sequence[PdfPage]) -> list[PdfPage]:
        """The same pages, with recognised lines where the options want them. Whole pages go before pictures."""
        found = {page.number: self._whole(page) for page in pages}
        for page in pages:
            if self.ocr is Ocr.AUTO and has_usable_text(page):
                found[page.number] = self._with_pictures(page)
        return [found[page.number] for page in pages]

    def notes(self) -> Iterator[str]:
        """Sentences for an admin."""
        for pages, words in (
            (self._read, "read by text recognition"),
            (self._pictures, "read with the text in pictures"),
            (self._unread, "too large to be drawn, and left out"),
            (self._late, "not read: text recognition ran out of time"),
            (self._kept, "read without the text in pictures: text recognition ran out of time"),
            (self._off, "not read: it takes text recognition, which is off"),
        ):
            if pages:
                yield f"{page_numbers(pages)} {'were' if len(pages) > 1 else 'was'} {words}."

    def _whole(self, page: PdfPage) -> PdfPage:
        wanted = self.ocr is Ocr.ALWAYS or not has_usable_text(page)
        if not wanted or not page.was_read or not (page.drawings or page.lines):
            return page
        if self.ocr is Ocr.NEVER:
            self._off.append(page.number)
            return page
        words = self._words(page, Box(0.0, 0.0, page.width, page.height))
        if words is None or not (self._is_wanted_anyway(words) or _is_better(words, page)):
            return page
        self._read.append(page.number)
        return replace(page, lines=tuple(ordered_lines(of_one_size(words))), pictures=())

    def _is_wanted_anyway(self, words: Sequence[Word]) -> bool:
        return self.ocr is Ocr.ALWAYS and letters(words) > 0

    def _with_pictures(self, page: PdfPage) -> PdfPage:
        lines = list(page.lines)
        for box in _text_free_pictures(page):
            if len(self._pictures) >= _MOST_PICTURES:
                break
            words = self._words(page, box)
            if words is not None and letters(words) >= _PICTURE_LETTERS:
                lines = _placed(lines, ordered_lines(of_one_size(words)), box=box)
                self._pictures.append(page.number)
        return replace(page, lines=tuple(lines))

    def _words(self, page: PdfPage, box: Box) -> list[Word] | None:
        """Recognised words in points of the page; None where they were not looked for."""
        if page.largest_picture > _MOST_PIXELS:
            self._unread.append(page.number)
            return None
        if not self.budget.allows_another():
            (self._kept if has_usable_text(page) else self._late).append(page.number)
            return None
        try:
            picture, scale = _drawn(self.document, page, box)
        except (pypdfium2.PdfiumError, ValueError):
            self._unread.append(page.number)
            return None
        found = self.budget.read(picture)
        return [_on_page(word, box, scale=scale) for word in found.words]


def has_usable_text(page: PdfPage) -> bool:
    """Whether the text layer says what the page says."""
    words = [word for line in page.lines for word in line.words]
    count = letters(words)
    # Letters may be drawn as mere outlines, too; a page with a few words beside lines is no scan.
    if count < _LEAST_LETTERS and (page.pictures or (count == 0 and page.drawings)):
        return False
    if count < _STAMP_LETTERS and sum(box.area for box in page.pictures) >= _SCAN_SHARE * page.width * page.height:
        return False
    return page.unmapped <= _UNMAPPED_SHARE * len(words)


def _is_better(words: Sequence[Word], page: PdfPage) -> bool:
    """Whether recognition found more than the text layer has, as far as that means anything."""
    layer = [word for line in page.lines for word in line.words]
    if page.unmapped > _UNMAPPED_SHARE * len(layer):
        return letters(words) > 0
    return letters(words) > letters(layer)


def letters(words: Iterable[Word]) -> int:
    """Letters and figures in all of them."""
    return sum(len(_LETTER.findall(word.text)) for word in words)


def page_numbers(pages: Iterable[int]) -> str:
    """'Page 3', or 'Pages 1-3, 7'; the first ten runs of them."""
    numbers = sorted(set(pages))
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    told = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:10])
    more = ", …" if len(runs) > 10 else ""
    return f"Page {told}" if len(numbers) == 1 else f"Pages {told}{more}"


def _text_free_pictures(page: PdfPage) -> Iterator[Box]:
    least = _PICTURE_SHARE * page.width * page.height
    view = Box(0.0, 0.0, page.width, page.height)
    for box in dict.fromkeys(page.pictures):
        seen = Box(max(box.left, 0.0), max(box.bottom, 0.0), min(box.right, view.right), min(box.top, view.top))
        words = sum(1 for line in page.lines for word in line.words if seen.holds(word.x, word.y))
        if seen.area >= least and words < 2:
            yield seen


def _drawn(document: pypdfium2.PdfDocument, page: PdfPage, box: Box) -> tuple[Any, float]:
    """A part of the page as a picture, and how many pixels a point is."""
    longest = max(box.right - box.left, box.top - box.bottom, 1.0)
    scale = min(_DPI / _POINTS_AN_INCH, LONGEST_SIDE / longest)
    crop = (box.left, box.bottom, page.width - box.right, page.height - box.top)
    drawn = document[page.number - 1]
    try:
        return drawn.render(scale=scale, crop=tuple(max(0.0, each) for each in crop)).to_pil(), scale
    finally:
        drawn.close()


def _on_page(word: Word, box: Box, *, scale: float) -> Word:
    return Word(
        word.text,
        box.left + word.left / scale,
        box.bottom + word.bottom / scale,
        box.left + word.right / scale,
        box.bottom + word.top / scale,
    )


def of_one_size(words: Sequence[Word]) -> list[Word]:
    """The height of each word is that of the usual one, where it differs by the uncertainty of recognition alone."""
    if not words:
        return []
    usual = median(word.top - word.bottom for word in words)
    return [
        _resized(word, usual) if abs(word.top - word.bottom - usual) <= _ONE_SIZE * usual else word for word in words
    ]


def _resized(word: Word, height: float) -> Word:
    if abs(word.top - word.bottom - height) > _ONE_SIZE * height:
        return word
    return word._replace(bottom=word.y - height / 2, top=word.y + height / 2)


def _placed(lines: Sequence[TextLine], found: Sequence[TextLine], *, box: Box) -> list[TextLine]:
    """The recognised lines before the first line of text that stands wholly below their picture."""
    below = next((index for index, line in enumerate(lines) if line_box(line).top <= box.bottom + 1.0), len(lines))
    return [*lines[:below], *found, *lines[below:]]
