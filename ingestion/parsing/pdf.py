"""PDF by PDFium: what a reader sees on each page, as prose and tables with their places.

PDFium ends the process on some malformed files; only the parsing child may run this.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError, ParseError, TooMuchTextError
from ingestion.parsing import dates
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.encoding import clean
from ingestion.parsing.layout import Heading, Line, Page, sections, without_running_lines
from ingestion.parsing.markdown import plain
from ingestion.parsing.pdf_page import PdfPage, read_page
from ingestion.parsing.pdf_scans import Scans
from ingestion.parsing.pdf_tables import tables
from ingestion.parsing.places import Rule, TextLine
from ingestion.parsing.reading_order import line_box, parted_columns
from ingestion.parsing.table_rows import Table

_MOST_PAGES = 20_000
_MOST_OUTLINE_ENTRIES = 5_000
_OUTLINE_DEPTH = 6
_PROGRAM_FILE = r".*\.(docx?|pptx?|xlsx?|od[tps]|indd|tex|dvi|png|jpe?g|tiff?)"
_UNTITLED = re.compile(rf"^(microsoft (word|powerpoint|excel)\b|untitled|{_PROGRAM_FILE}$)", re.I)
# D:YYYYMMDDHHmmSSOHH'mm' (ISO 32000-1, 7.9.4); all after the year may be missing, and often is wrong.
_DATE = re.compile(r"^\s*(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*(?:([+\-Z])(\d\d)?'?(\d\d)?)?")


@dataclass(frozen=True)
class PdfParser:
    """application/pdf. Gives sections per page and heading; text of scans is recognised as the options say."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises EncryptedDocumentError, DamagedDocumentError and TooMuchTextError."""
        document = _opened(path)
        count = len(document)
        if count > _MOST_PAGES:
            raise TooMuchTextError(f"{count} pages")
        read = self._pages(document, count=count)
        scans = Scans(document, ocr=self.options.ocr)
        read = scans.with_recognised(read)
        pages = [
            as_page(page.number, parted_columns(page.lines), width=page.width, height=page.height) for page in read
        ]
        pages = [
            with_tables(page, rules=each.rules) for page, each in zip(without_running_lines(pages), read, strict=True)
        ]
        return ParsedDocument(
            sections=tuple(sections(pages, outline=_outline(document))),
            pages=count,
            title=_title(document),
            dated=_dated(document),
            notes=(*_notes(read), *scans.notes()),
        )

    def _pages(self, document: pypdfium2.PdfDocument, *, count: int) -> list[PdfPage]:
        pages: list[PdfPage] = []
        chars = 0
        for number in range(1, count + 1):
            page = read_page(document, number=number)
            chars += sum(len(line.text) for line in page.lines)
            if chars > self.options.max_chars:
                raise TooMuchTextError(f"more than {self.options.max_chars} characters")
            pages.append(page)
        return pages


def _opened(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        raise opening_error(exc) from exc


def opening_error(exc: pypdfium2.PdfiumError) -> ParseError:
    """What it means that PDFium does not open a file."""
    if getattr(exc, "err_code", None) in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
        return EncryptedDocumentError("the PDF needs a password")
    return DamagedDocumentError(f"no readable PDF: {exc}")


def as_page(number: int, lines: Iterable[TextLine], *, width: float, height: float) -> Page:
    """A page of lines, as layout takes it; sizes in the units of the words' places."""
    return Page(number, tuple(_line(line) for line in lines if line.words), width, height)


def _line(line: TextLine) -> Line:
    """The middle word gives the height: the first may be a bullet, the last a footnote's mark."""
    box = line_box(line)
    middle = line.words[len(line.words) // 2]
    return Line(
        line.text, left=box.left, right=box.right, bottom=middle.bottom, top=middle.top, box=box, words=line.words
    )


def with_tables(page: Page, *, rules: Sequence[Rule]) -> Page:
    """The page with tables in the place of the lines that they are made of."""
    found = tables([word for line in page.lines for word in line.words], rules)
    return replace(page, lines=tuple(_around(page.lines, found))) if found else page


def _around(lines: Sequence[Line], found: Sequence[Table]) -> Iterator[Line]:
    """The lines without the words of tables; each table stands where the first of its words did."""
    tables_by_word = {word: table for table in found for word in table.words}
    told: set[int] = set()
    for line in lines:
        rest = tuple(word for word in line.words if word not in tables_by_word)
        for table in (tables_by_word[word] for word in line.words if word in tables_by_word):
            if id(table) not in told:
                told.add(id(table))
                yield Line("", table=table)
        if len(rest) == len(line.words):
            yield line
        elif rest:
            yield _line(TextLine(" ".join(word.text for word in rest), rest))


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


def _dated(document: pypdfium2.PdfDocument) -> datetime | None:
    for key in ("ModDate", "CreationDate"):
        found = pdf_date(document.get_metadata_value(key))
        if found is not None:
            return found
    return None


def pdf_date(text: str) -> datetime | None:
    """A date as PDF writes it, or as ISO 8601 or a mail would; None where it is none."""
    match = _DATE.match(text)
    found = None if text.lstrip().startswith("D:") else dates.from_text(text)
    if found is not None or not match:
        return found
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups()[:6])
    sign, hours, minutes = match.groups()[6:]
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        zone = timezone(offset)
        moment = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=zone)
        return dates.in_utc(moment)
    except (ValueError, OverflowError):
        return None


def _notes(pages: Iterable[PdfPage]) -> Iterator[str]:
    pages = list(pages)
    hidden = sum(page.hidden for page in pages)
    if hidden:
        yield f"{hidden} words that nobody can see on the page were dropped."
    lost = sum(1 for page in pages if not page.was_read)
    if lost:
        yield f"{lost} of {len(pages)} pages are damaged and were left out."
