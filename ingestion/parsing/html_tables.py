"""A table of a page while it is read: its cells, whether it holds data or only places things, and its rows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# A cell with more is a column of the page, not of a table.
_MOST_CELL_CHARS = 2_000
_MOST_COLUMNS = 1_000
_MOST_SPAN = 100
_MOST_HEAD_ROWS = 4
# Text that spans cells is repeated in each of them, so that every row tells all; not without bound.
_MOST_REPEATED_CHARS = 200
_MOST_CELLS_FOR_ONE = 8
_SHORT_ROW_CHARS = 200

# Accounts put these into columns of their own, to stand one below the other.
_BEFORE = frozenset({"$", "€", "£", "¥", "US$", "(", "$(", "€(", "£("})
_AFTER = frozenset({")", "%", ")%", "€"})

_AMOUNT = re.compile(r"[$€£¥(]?[-+]?\d")

PROSE = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """Text in its place: a heading of that level, or PROSE."""

    level: int
    text: str


@dataclass(slots=True)
class _Cell:
    is_head: bool
    columns: int
    rows: int
    entries: list[Entry] = field(default_factory=list)
    chars: int = 0

    def text(self) -> str:
        return " ".join(entry.text for entry in self.entries)


@dataclass(slots=True)
class _Row:
    in_head: bool
    cells: list[_Cell] = field(default_factory=list)

    def is_head(self) -> bool:
        filled = [cell for cell in self.cells if cell.chars]
        return self.in_head or (bool(filled) and all(cell.is_head for cell in filled))


@dataclass
class Table:
    """Filled in the order of the page. A table around another one is never data."""

    is_layout: bool = False
    caption: str = ""
    _rows: list[_Row] = field(default_factory=list)

    def begin_row(self, *, in_head: bool) -> None:
        self._rows.append(_Row(in_head))

    def begin_cell(self, attributes: Mapping[str, str], *, is_head: bool) -> None:
        if not self._rows:
            self.begin_row(in_head=False)
        columns, rows = (_span(attributes.get(name, "")) for name in ("colspan", "rowspan"))
        self._rows[-1].cells.append(_Cell(is_head, columns=columns, rows=rows))

    def add(self, text: str, *, level: int = PROSE) -> bool:
        """Into the open cell; False where there is none, and the text stands before the table."""
        if not self._rows or not self._rows[-1].cells:
            return False
        cell = self._rows[-1].cells[-1]
        cell.entries.append(Entry(level, text))
        cell.chars += len(text)
        return True

    def is_data(self) -> bool:
        """At least two rows and two columns with text, and no cell so long that it is prose."""
        if self.is_layout or sum(any(cell.chars for cell in row.cells) for row in self._rows) < 2:
            return False
        if any(cell.chars > _MOST_CELL_CHARS for row in self._rows for cell in row.cells):
            return False
        return any(sum(bool(cell.chars) for cell in row.cells) > 1 for row in self._rows)

    def take_title(self) -> None:
        """A first row of one cell above a row of names is the caption, where the table has none."""
        first, *rest = [row for row in self._rows if any(cell.chars for cell in row.cells)] or [_Row(in_head=False)]
        cells = [cell for cell in first.cells if cell.chars]
        if self.caption or len(rest) < 2 or len(cells) != 1 or cells[0].columns < 2:
            return
        names = [cell.text() for cell in rest[0].cells if cell.chars]
        if len(names) > 1 and not any(_AMOUNT.match(name) for name in names):
            self.caption = cells[0].text()
            self._rows.remove(first)

    def head_rows(self) -> int:
        """How many of `rows` are the head: those marked so, or the first."""
        count = 0
        for row in self._filled():
            if not row.is_head():
                break
            count += 1
        return min(count, _MOST_HEAD_ROWS) or 1

    def rows(self) -> list[list[str]]:
        """The grid, without rows and columns that have no text."""
        grid = self._grid()
        used = sorted({column for cells in grid for column, text in enumerate(cells) if text})
        filled = [[cells[column] if column < len(cells) else "" for column in used] for cells in grid]
        return _with_whole_amounts(filled, head_rows=self.head_rows())

    def entries(self) -> Iterator[Entry]:
        """What it holds as text in the order of the page; the cells of a short row on one line."""
        for row in self._rows:
            filled = [cell for cell in row.cells if cell.chars]
            plain = all(len(cell.entries) == 1 and cell.entries[0].level == PROSE for cell in filled)
            if plain and sum(cell.chars for cell in filled) <= _SHORT_ROW_CHARS:
                yield Entry(PROSE, " ".join(cell.text() for cell in filled))
            else:
                yield from (entry for cell in filled for entry in cell.entries)

    def _filled(self) -> list[_Row]:
        return [row for row in self._rows if any(cell.chars for cell in row.cells)]

    def _grid(self) -> list[list[str]]:
        rows = self._filled()
        left = _MOST_CELLS_FOR_ONE * sum(len(row.cells) for row in rows) + _MOST_COLUMNS
        below: dict[int, tuple[int, str]] = {}
        grid: list[list[str]] = []
        for row in rows:
            cells, below = _laid_out(row, below, most=min(_MOST_COLUMNS, max(left, len(row.cells))))
            left -= len(cells)
            grid.append(cells)
        return grid


def _laid_out(
    row: _Row, above: dict[int, tuple[int, str]], *, most: int
) -> tuple[list[str], dict[int, tuple[int, str]]]:
    """The texts of a row by column, with those that reach into it from above, and what reaches into the next."""
    cells: list[str] = []
    below: dict[int, tuple[int, str]] = {}
    waiting = iter(row.cells)
    last = max(above, default=-1)
    while len(cells) < most:
        column = len(cells)
        if column in above:
            rows, text = above[column]
            cells.append(text)
            if rows > 1:
                below[column] = (rows - 1, text)
            continue
        cell = next(waiting, None)
        if cell is None:
            if column > last:
                break
            cells.append("")
            continue
        _place(cell, cells, below, is_head=row.is_head(), most=most)
    # Beyond the last column that is kept: their words stay.
    rest = " ".join(cell.text() for cell in waiting)
    return ([*cells[:-1], f"{cells[-1]} {rest}"] if rest.strip() and cells else cells), below


def _with_whole_amounts(grid: list[list[str]], *, head_rows: int) -> list[list[str]]:
    """Without columns that hold only the '$' before or the ')' after the amounts beside them, or only their head."""
    columns: list[list[str]] = []
    for column in ([cells[number] for cells in grid] for number in range(len(grid[0]))):
        if columns and (_is_one_amount(columns[-1], column, head_rows=head_rows) or _is_head(columns[-1], of=column)):
            columns[-1] = [_joined(left, right) for left, right in zip(columns[-1], column, strict=True)]
        else:
            columns.append(column)
    return [[column[row] for column in columns] for row in range(len(grid))]


def _is_one_amount(left: list[str], right: list[str], *, head_rows: int) -> bool:
    has_mark = False
    for row, (before, after) in enumerate(zip(left, right, strict=True)):
        is_mark = bool(before and after) and (before in _BEFORE or after in _AFTER)
        has_mark = has_mark or is_mark
        if before and after and not is_mark and not (row < head_rows and before == after):
            return False
    return has_mark


def _is_head(column: list[str], *, of: list[str]) -> bool:
    """Whether all of the one stands above all of the other: a head over several columns, of which one is used."""
    last = max((row for row, text in enumerate(column) if text), default=-1)
    first = next((row for row, text in enumerate(of) if text), -1)
    return 0 <= last < first


def _joined(left: str, right: str) -> str:
    return left if left == right else left + right


def _place(cell: _Cell, cells: list[str], below: dict[int, tuple[int, str]], *, is_head: bool, most: int) -> None:
    text = cell.text()
    repeated = text if len(text) <= _MOST_REPEATED_CHARS else ""
    for number in range(min(cell.columns, most - len(cells))):
        if cell.rows > 1:
            below[len(cells)] = (cell.rows - 1, repeated)
        # A head over several columns names each of them; a value is there once.
        cells.append(text if number == 0 else repeated if is_head else "")


def _span(value: str) -> int:
    return max(1, min(int(value), _MOST_SPAN)) if value.isdecimal() and len(value) < 7 else 1
