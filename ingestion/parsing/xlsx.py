"""Workbooks, sheet by sheet and row by row: what the cells show, as tables with their headers.

Values are those that the file keeps; no formula is evaluated, no macro run, nothing outside the file followed. The
sheet's own word for its size is not believed: rows and cells are read as they come.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ingestion.errors import DamagedDocumentError, TooMuchTextError, UnsupportedTypeError
from ingestion.parsing.archive_limits import Archive, core_properties, main_part, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.elements import attribute, child, children, content, local, reference, whole_number
from ingestion.parsing.tables import Flow, number_text

# Excel's own bounds.
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
# Shared strings that no cell shows cost memory all the same.
_MOST_STRINGS = 2_000_000
_SHARED_TO_TEXT = 4
_MOST_LABEL_CHARS = 200
_MOST_NAME_CHARS = 120
_YEAR = re.compile(r"(19|20)\d\d$")
# A name that the program gave, in the languages of Excel that are most used.
_GIVEN_NAME = re.compile(r"(sheet|tabelle|feuil|hoja|foglio|planilha|blad|лист|arkusz)\s*\d*$", re.IGNORECASE)
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?\d")


class _Kind(Enum):
    """How a number is shown."""

    PLAIN = 0
    DATE = 1
    TIME = 2
    MOMENT = 3
    DURATION = 4
    PERCENT = 5
    NOTHING = 6


class _Format(NamedTuple):
    kind: _Kind
    decimals: int = 0
    sign: str = ""


class _Cell(NamedTuple):
    column: int
    text: str
    is_number: bool


class _Row(NamedTuple):
    number: int
    cells: list[_Cell]


_PLAIN = _Format(_Kind.PLAIN)
# ECMA-376, 18.8.30: formats that are not written into the file; 27-36 and 50-58 are dates of East Asian locales.
_BUILT_IN: Mapping[int, _Format] = {
    **dict.fromkeys((*range(14, 18), *range(27, 37), *range(50, 59)), _Format(_Kind.DATE)),
    **dict.fromkeys((18, 19, 20, 21, 45, 47), _Format(_Kind.TIME)),
    22: _Format(_Kind.MOMENT),
    46: _Format(_Kind.DURATION),
    9: _Format(_Kind.PERCENT),
    10: _Format(_Kind.PERCENT, 2),
}
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.')
_CURRENCY = re.compile(r"\[\$([^\]\-]{1,5})[^\]]*\]|\"?([€$£¥₹])\"?")
_BRACKETED = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class XlsxParser:
    """Office Open XML workbooks. `page` is the number of the sheet, `place` its name."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError, EncryptedDocumentError, ArchiveLimitError and TooMuchTextError."""
        with opened(path) as archive:
            reader = _Reader(archive, max_chars=self.options.max_chars)
            sheets = reader.read()
            properties = core_properties(archive)
        return ParsedDocument(
            sections=reader.flow.sections(),
            pages=sheets,
            title=" ".join(properties.title.split()),
            dated=properties.modified,
            notes=(*reader.remarks(), *reader.flow.notes()),
        )


class _Reader:
    def __init__(self, archive: Archive, *, max_chars: int) -> None:
        self._archive, self._max_chars = archive, max_chars
        self.flow = Flow(max_chars=max_chars)
        self._main = main_part(archive, usual="xl/workbook.xml")
        if self._main.endswith(".bin") or (self._main not in archive and "xl/workbook.bin" in archive):
            raise UnsupportedTypeError("a workbook of the binary format")
        self._workbook = archive.root(self._main)
        self._relations = archive.relations(self._main)
        self._strings = _shared_strings(archive, self._part("sharedStrings"), max_chars=max_chars)
        self._formats = _formats(archive.root(styles) if (styles := self._part("styles")) else None)
        properties = child(self._workbook, "workbookPr")
        self._from_1904 = properties is not None and attribute(properties, "date1904") in ("1", "true")
        self._hidden_sheets = self._hidden_rows = self._hidden_columns = self._hidden_cells = self._left_out = 0

    def read(self) -> int:
        """All worksheets in the order of their tabs; gives the number of sheets."""
        sheets = child(self._workbook, "sheets")
        seen: set[str] = set()
        for number, sheet in enumerate(sheets if sheets is not None else (), 1):
            part = self._relations.get(reference(sheet))
            if part is None or part.kind != "worksheet" or part.name not in self._archive:
                self._left_out += 1
            elif part.name not in seen:
                seen.add(part.name)
                self._hidden_sheets += attribute(sheet, "state") in ("hidden", "veryHidden")
                self._sheet(part.name, name=attribute(sheet, "name"), number=number)
        return len(sheets) if sheets is not None else 0

    def remarks(self) -> Iterator[str]:
        for count, what in (
            (self._hidden_sheets, "hidden sheets were read too"),
            (self._hidden_rows, "hidden rows were read too"),
            (self._hidden_columns, "hidden columns were read too"),
            (self._hidden_cells, "cells of hidden text were dropped"),
            (self._archive.broken_parts, "comments or drawings are broken, and were left out"),
            (self._left_out, "sheets hold no cells (charts, macros) or are missing, and were left out"),
        ):
            if count:
                yield f"{count} {what}."

    def _part(self, kind: str) -> str:
        names = (part.name for part in self._relations.values() if part.kind == kind)
        return next((name for name in names if name in self._archive), "")

    def _sheet(self, part: str, *, name: str, number: int) -> None:
        self.flow.move(page=number, place=f"sheet {name}", heading="" if _GIVEN_NAME.match(name) else name)
        tables = _Tables(self.flow)
        gathered = 0
        block: list[_Row] = []
        for row in self._rows(part):
            if block and row.number > block[-1].number + 1:
                tables.block(block)
                block, gathered = [], 0
            block.append(row)
            gathered += sum(len(cell.text) + 3 for cell in row.cells)
            if gathered > self._max_chars:
                raise TooMuchTextError(f"more than {self._max_chars} characters")
        if block:
            tables.block(block)
        tables.end()
        self._beside(part)

    def _rows(self, part: str) -> Iterator[_Row]:
        """Rows with text. Whatever was read is let go at once."""
        holder: Element | None = None
        number = cells = 0
        for event, element in self._archive.events(part):
            name = local(element)
            if event == "start":
                if name == "sheetData":
                    holder = element
                elif name == "row":
                    number, cells = _row_number(element, after=number), 0
                elif name == "c":
                    cells += 1
                    if cells > _MOST_COLUMNS or number > _MOST_ROWS:
                        raise DamagedDocumentError("more rows or columns than a sheet has")
            elif name == "row" and holder is not None:
                row = _Row(number, self._cells(element))
                holder.clear()
                if row.cells:
                    self._hidden_rows += attribute(element, "hidden") in ("1", "true")
                    yield row
            elif name == "col":
                self._hidden_columns += attribute(element, "hidden") in ("1", "true")

    def _cells(self, row: Element) -> list[_Cell]:
        found: list[_Cell] = []
        column = 0
        for cell in row:
            place = _REFERENCE.match(cell.get("r", ""))
            column = _column(place.group(1)) if place else column + 1
            text, is_number = self._shown(cell)
            if text:
                found.append(_Cell(column, text, is_number))
        return found

    def _shown(self, cell: Element) -> tuple[str, bool]:
        """What the cell shows, and whether it is a number or a date."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            holder = child(cell, "is")
            text = _rich_text(holder) if holder is not None else ""
        else:
            text = content(child(cell, "v")).strip()
        if not text:
            return "", False
        style = self._formats.get(cell.get("s", ""), _PLAIN)
        if style.kind is _Kind.NOTHING:
            self._hidden_cells += 1
            return "", False
        if kind == "s":
            return self._shared(text), False
        if kind == "b":
            return ("TRUE" if text == "1" else "FALSE"), False
        return (self._number(text, style), True) if kind == "n" else (text, kind == "d")

    def _shared(self, index: str) -> str:
        try:
            return self._strings[int(index)]
        except (ValueError, IndexError) as exc:
            raise DamagedDocumentError("a cell refers to a text that is not there") from exc

    def _number(self, text: str, style: _Format) -> str:
        if style.kind is _Kind.PLAIN:
            shown = number_text(text)
            return f"{shown} {style.sign}" if style.sign else shown
        try:
            value = float(text)
        except ValueError:
            return text
        if style.kind is _Kind.PERCENT:
            return f"{value * 100:.{style.decimals}f}%"
        return _moment(value, style.kind, from_1904=self._from_1904) or number_text(text)

    def _beside(self, part: str) -> None:
        """What stands on the sheet outside its cells: comments, and the words of text boxes and charts' titles."""
        for relation in self._archive.relations(part).values():
            if relation.kind not in ("comments", "drawing"):
                continue
            root = self._archive.optional_root(relation.name)
            if root is None:
                continue
            if relation.kind == "comments":
                for comment in root.iter():
                    if local(comment) == "comment":
                        words = " ".join(_rich_text(comment).split())
                        self.flow.prose(f"{attribute(comment, 'ref')}: {words}" if words else "")
            else:
                for paragraph in root.iter():
                    if local(paragraph) == "p":
                        self.flow.prose(_rich_text(paragraph))


class _Tables:
    """Blocks of rows of one sheet, taken apart into tables, their captions and prose."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._label = ""
        # The table before, which goes on where one blank row was only put in for the eye.
        self._columns: list[int] = []
        self._head: list[str] = []
        self._last_row = -1

    def block(self, rows: list[_Row]) -> None:
        """Rows that follow each other without a blank one."""
        runs = _runs({cell.column for row in rows for cell in row.cells})
        if len(runs) > 1 and all(len(run) > 1 for run in runs):
            for run in runs:
                columns = frozenset(run)
                parts = (_Row(row.number, [cell for cell in row.cells if cell.column in columns]) for row in rows)
                for part in _unbroken(parts):
                    self._segment(part)
        else:
            self._segment(rows)

    def end(self) -> None:
        """The sheet ends: a label without a table below it is prose."""
        self._flow.prose(self._label)
        self._label = ""

    def _segment(self, rows: list[_Row]) -> None:
        columns = sorted({cell.column for row in rows for cell in row.cells})
        labels: list[str] = []
        while len(columns) > 1 and len(rows) > 1 and len(rows[0].cells) == 1 and not rows[0].cells[0].is_number:
            labels.append(rows[0].cells[0].text)
            rows = rows[1:]
        if len(rows) == 1 and len(rows[0].cells) == 1:
            self.end()
            self._label = rows[0].cells[0].text
            return
        if not labels and self._goes_on(rows, columns):
            self._flow.table([self._head, *_grid(rows, self._columns)])
        else:
            self._caption(labels)
            grid = list(_grid(rows, columns))
            has_head = _is_head(rows)
            self._flow.table(grid, head_rows=int(has_head), caption=self._label)
            self._columns, self._head, self._label = (columns if has_head else []), grid[0], ""
        self._last_row = rows[-1].number

    def _caption(self, labels: list[str]) -> None:
        """The first label above a table is its heading, where it is short; the others are prose."""
        labels = [label for label in (self._label, *labels) if label]
        self._label = labels.pop(0) if labels and len(labels[0]) <= _MOST_LABEL_CHARS else ""
        for label in labels:
            self._flow.prose(label)

    def _goes_on(self, rows: Sequence[_Row], columns: Sequence[int]) -> bool:
        """One blank row below a table, within its columns, and begins with numbers, as no header does."""
        below = rows[0].number == self._last_row + 2 and len(self._columns) > 1 and not self._label
        return below and set(columns) <= set(self._columns) and any(cell.is_number for cell in rows[0].cells)


def _is_head(rows: Sequence[_Row]) -> bool:
    """Whether the first row names the columns: no sentences, and no numbers with numbers below them but years."""
    below = {cell.column for cell in rows[1].cells if cell.is_number} if len(rows) > 1 else set()
    return not any(
        len(cell.text) > _MOST_NAME_CHARS or (cell.is_number and cell.column in below and not _YEAR.match(cell.text))
        for cell in rows[0].cells
    )


def _grid(rows: Iterable[_Row], columns: Sequence[int]) -> Iterator[list[str]]:
    """The rows with a place for each of the columns, up to the last that is filled."""
    places = {column: place for place, column in enumerate(columns)}
    for row in rows:
        cells: list[str] = []
        for cell in row.cells:
            place = places[cell.column]
            if place >= len(cells):
                cells.extend([""] * (place + 1 - len(cells)))
            cells[place] = cell.text
        yield cells


def _runs(columns: set[int]) -> list[list[int]]:
    """The columns in groups that a blank column parts."""
    runs: list[list[int]] = []
    for column in sorted(columns):
        if runs and column == runs[-1][-1] + 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    return runs


def _unbroken(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    part: list[_Row] = []
    for row in rows:
        if row.cells:
            part.append(row)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _row_number(row: Element, *, after: int) -> int:
    told = whole_number(row.get("r", ""))
    return after + 1 if told is None else told


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _rich_text(element: Element) -> str:
    """The text of runs, without the reading aids of East Asian scripts."""
    pieces: list[str] = []
    for inner in element:
        if local(inner) == "t":
            pieces.append(inner.text or "")
        elif local(inner) not in ("rPh", "rPr"):
            pieces.append(_rich_text(inner))
    return "".join(pieces)


def _shared_strings(archive: Archive, name: str, *, max_chars: int) -> list[str]:
    """The texts that cells share; what the part says of their number is not believed."""
    strings: list[str] = []
    chars = depth = 0
    root: Element | None = None
    for event, element in archive.events(name) if name else ():
        depth += 1 if event == "start" else -1
        root = element if root is None else root
        if event == "end" and depth == 1 and local(element) == "si":
            strings.append(_rich_text(element))
            root.clear()
            chars += len(strings[-1])
            if chars > max_chars * _SHARED_TO_TEXT or len(strings) > _MOST_STRINGS:
                raise TooMuchTextError("too many shared texts")
    return strings


def _moment(value: float, kind: _Kind, *, from_1904: bool) -> str:
    """A serial number of days as ISO 8601; '' where it is no date."""
    if kind is _Kind.DURATION:
        minutes = round(abs(value) * 24 * 60)
        return f"{'-' if value < 0 else ''}{minutes // 60}:{minutes % 60:02}"
    # Excel takes 1900 for a leap year, as Lotus 1-2-3 did: up to 60 its days are one behind.
    start = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30) + timedelta(days=value < 60)
    try:
        moment = start + timedelta(seconds=round(value * 86400))
    except (OverflowError, ValueError):
        return ""
    has_time = (moment.hour, moment.minute, moment.second) != (0, 0, 0)
    if kind is _Kind.TIME and 0 <= value < 1:
        return moment.strftime("%H:%M:%S").removesuffix(":00") if moment.second == 0 else moment.strftime("%H:%M:%S")
    if kind is _Kind.DATE or not has_time:
        return moment.date().isoformat()
    return moment.isoformat(sep=" ", timespec="seconds" if moment.second else "minutes")


def _formats(styles: Element | None) -> dict[str, _Format]:
    """How each cell style shows a number, by its index as it is written in cells."""
    if styles is None:
        return {}
    codes = {attribute(code, "numFmtId"): attribute(code, "formatCode") for code in children(styles, "numFmts")}
    fonts = [_is_unseen_font(font) for font in children(styles, "fonts")]
    fills = [_is_blank_fill(fill) for fill in children(styles, "fills")]
    found: dict[str, _Format] = {}
    for index, style in enumerate(children(styles, "cellXfs")):
        code = attribute(style, "numFmtId")
        found[str(index)] = _format_of(codes[code]) if code in codes else _BUILT_IN.get(whole_number(code) or 0, _PLAIN)
        font, fill = whole_number(attribute(style, "fontId")) or 0, whole_number(attribute(style, "fillId")) or 0
        if fonts[font : font + 1] == [True] and fills[fill : fill + 1] in ([True], []):
            found[str(index)] = _Format(_Kind.NOTHING)
    return found


def _is_unseen_font(font: Element) -> bool:
    """White (the first color of the theme is the paper), or of no size."""
    color, size = child(font, "color"), child(font, "sz")
    tiny = size is not None and attribute(size, "val") in ("0", "1", "0.5")
    white = color is not None and (
        attribute(color, "rgb").lower().endswith("ffffff")
        or (attribute(color, "theme") == "0" and not color.get("tint"))
    )
    return tiny or white


def _is_blank_fill(fill: Element) -> bool:
    pattern = child(fill, "patternFill")
    if pattern is None:
        return child(fill, "gradientFill") is None
    color = child(pattern, "fgColor")
    is_white = color is not None and attribute(color, "rgb").lower().endswith("ffffff")
    return attribute(pattern, "patternType") in ("", "none") or is_white


def _format_of(code: str) -> _Format:
    """Of a format's code the first section: 'yyyy-mm-dd', '0.0%', '#,##0.00 [$€-407]'."""
    if code.replace(" ", "") == ";;;":
        return _Format(_Kind.NOTHING)
    section = code[:255].split(";", 1)[0]
    letters = _BRACKETED.sub(lambda match: match.group() if match.group()[1:2].lower() in "hms" else "", section)
    letters = _QUOTED.sub("", letters).lower()
    if "general" in letters:
        return _PLAIN
    if "%" in letters:
        return _Format(_Kind.PERCENT, decimals=_decimals(letters))
    if any(opened in letters for opened in ("[h", "[m", "[s")):
        return _Format(_Kind.DURATION)
    has_day, has_time = "y" in letters or "d" in letters, "h" in letters or "s" in letters
    if has_day or has_time:
        return _Format(_Kind.MOMENT if has_day and has_time else _Kind.DATE if has_day else _Kind.TIME)
    if "m" in letters:
        return _Format(_Kind.DATE)
    currency = _CURRENCY.search(section)
    return _Format(_Kind.PLAIN, sign=(currency.group(1) or currency.group(2)).strip() if currency else "")


def _decimals(letters: str) -> int:
    digits = re.search(r"\.([0#?]{1,10})", letters)
    return len(digits.group(1)) if digits else 0
