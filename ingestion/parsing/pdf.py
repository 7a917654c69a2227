"""PDF by PDFium: lines with their places on the page, which `layout` turns into paragraphs under headings.

PDFium ends the process on some malformed files; only the parsing child may run this.
"""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError, ParseError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, Section
from ingestion.parsing.encoding import clean
from ingestion.parsing.layout import Heading, Line, Page, sections
from ingestion.parsing.markdown import plain

_MOST_PAGES = 20_000
_MOST_OUTLINE_ENTRIES = 5_000
_OUTLINE_DEPTH = 6
# PDFium writes a hyphen at a line's end, and the line end with it, as one of these marks.
_LINE = re.compile("[^\r\n\ufffe\x02]*[\ufffe\x02]|[^\r\n\ufffe\x02]+")
_HYPHEN_MARK = re.compile("[\ufffe\x02]$")
_UNTITLED = re.compile(r"^(microsoft (word|powerpoint|excel)\b|untitled|.*\.(docx?|pptx?|xlsx?|indd|tex|dvi)$)", re.I)


@dataclass(frozen=True)
class PdfParser:
    """application/pdf. Gives sections per page and heading; the text of a scanned page is not read."""

    max_chars: int

    def parse(self, path: Path) -> ParsedDocument:
        """Raises EncryptedDocumentError, DamagedDocumentError and TooMuchTextError."""
        document = _opened(path)
        count = len(document)
        if count > _MOST_PAGES:
            raise TooMuchTextError(f"{count} pages")
        pages = self._pages(document, count=count)
        found = sections(pages, outline=_outline(document))
        return ParsedDocument(
            sections=tuple(Section(clean(each.text), page=each.page, heading=each.heading) for each in found),
            pages=count,
            title=_title(document),
        )

    def _pages(self, document: pypdfium2.PdfDocument, *, count: int) -> list[Page]:
        pages: list[Page] = []
        chars = 0
        for index in range(count):
            page = _read(document, index=index)
            chars += sum(len(line.text) for line in page.lines)
            if chars > self.max_chars:
                raise TooMuchTextError(f"more than {self.max_chars} characters")
            pages.append(page)
        return pages


def _opened(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        raise _opening_error(exc) from exc


def _opening_error(exc: pypdfium2.PdfiumError) -> ParseError:
    if getattr(exc, "err_code", None) in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
        return EncryptedDocumentError("the PDF needs a password")
    return DamagedDocumentError(f"no readable PDF: {exc}")


def _read(document: pypdfium2.PdfDocument, *, index: int) -> Page:
    """The lines of one page. A page that PDFium cannot load is empty: the others are still worth having."""
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return Page(number=index + 1, lines=())
    try:
        text_page = page.get_textpage()
        lines = tuple(_lines(text_page))
        text_page.close()
    except (pypdfium2.PdfiumError, AssertionError):
        lines = ()
    finally:
        page.close()
    return Page(number=index + 1, lines=lines)


def _lines(text_page: pypdfium2.PdfTextPage) -> Iterator[Line]:
    text = text_page.get_text_range()
    for part in _LINE.finditer(text):
        if part.group().strip():
            yield _line(text_page, part.group(), start=part.start())


def _line(text_page: pypdfium2.PdfTextPage, text: str, *, start: int) -> Line:
    """The middle character gives the height: the first may be a bullet, the last a footnote's mark."""
    stripped = text.strip()
    first = start + text.index(stripped)
    middle = len(stripped) // 2
    middle += 1 if stripped[middle : middle + 1].isspace() else 0
    left = _box(text_page, first)
    right = _box(text_page, first + len(stripped) - 1)
    _, bottom, _, top = _box(text_page, first + middle)
    words = _HYPHEN_MARK.sub("-", stripped)
    return Line(words, left=min(left[0], right[0]), right=max(left[2], right[2]), bottom=bottom, top=top)


def _box(text_page: pypdfium2.PdfTextPage, text_index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top in points of a character's font box; zeros where PDFium has none."""
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, text_index)
    rect = pdfium.FS_RECTF()
    if index < 0 or not pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(rect)):
        return (0.0, 0.0, 0.0, 0.0)
    return (rect.left, rect.bottom, rect.right, rect.top)


def _outline(document: pypdfium2.PdfDocument) -> list[Heading]:
    headings: list[Heading] = []
    path: list[str] = []
    for number, entry in enumerate(document.get_toc(max_depth=_OUTLINE_DEPTH)):
        if number >= _MOST_OUTLINE_ENTRIES:
            break
        path[entry.level :] = [plain(clean(entry.get_title()))]
        target = entry.get_dest()
        index = target.get_index() if target else None
        if index is not None and path[-1]:
            headings.append(Heading(page=index + 1, path=tuple(part for part in path if part)))
    return headings


def _title(document: pypdfium2.PdfDocument) -> str:
    title = plain(clean(document.get_metadata_value("Title")))
    return "" if _UNTITLED.match(title) else title
