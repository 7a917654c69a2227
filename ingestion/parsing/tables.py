"""Markdown of tables, and the order of reading: prose, headings and tables become sections with their places.

Every parser of a structured format fills a Flow; which elements of a file are what, it alone knows.
"""

from collections.abc import Iterable, Sequence

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import MOST_SECTIONS, Section
from ingestion.parsing.encoding import clean, hidden_characters

_MOST_LEVELS = 6
# As for Markdown: every section keeps the path of its headings.
_MOST_HEADINGS = 10_000
_MOST_HEADING_CHARS = 200
# Even blank they take 8 bytes each, and 4 characters.
_MOST_CELLS = 2_000_000
# Every passage of a table repeats its header; a row of thousands of columns is no header.
_MOST_HEADER_CHARS = 2_000


def row(cells: Sequence[str]) -> str:
    """A row of a Markdown table on one line: blanks and line breaks folded, '|' escaped."""
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def head(cells: Sequence[str]) -> str:
    """The head of a Markdown table: its row and the rule below it."""
    return row(cells) + "\n|" + " --- |" * len(cells)


def number_text(value: str) -> str:
    """A number as a person writes it: a fraction in the 15 digits that a spreadsheet keeps; other text as it is."""
    if value.isdigit():
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


class CellBudget:
    """Counts the cells that merged or repeated ones claim, before they are in memory."""

    def __init__(self, most: int = _MOST_CELLS) -> None:
        self._left = most

    def spend(self, cells: int) -> None:
        """Raises TooMuchTextError once there are more than a document may have."""
        self._left -= cells
        if self._left < 0:
            raise TooMuchTextError("too many cells")


class Flow:
    """What is read, in its order; `sections` gives what came of it.

    Raises TooMuchTextError as soon as there is more than `max_chars` of text or too many sections.
    """

    def __init__(self, *, max_chars: int) -> None:
        self._left = self._max_chars = max_chars
        self._sections: list[Section] = []
        self._blocks: list[str] = []
        self._path: list[tuple[int, str]] = []
        self._headings = 0
        self._page: int | None = None
        self._place = ""
        self._hidden = 0
        self._in_list = False
        # A title for a document that names none.
        self.first_heading = ""

    def move(self, *, page: int | None = None, place: str = "", heading: str = "") -> None:
        """What follows stands on this page and at this place, under no heading or under one that is not repeated."""
        self._close()
        self._page, self._place = page, place
        self._path = [(1, _short(clean(heading)))] if heading else []

    def heading(self, text: str, *, level: int) -> None:
        """A heading; `level` 1 is the outermost. It begins a section, and stands at its beginning."""
        words = " ".join(self._cleaned(text).split())
        if not words:
            return
        level = min(max(level, 1), _MOST_LEVELS)
        if level == 1 and not self.first_heading:
            self.first_heading = _short(words)
        self._headings += 1
        if self._headings > _MOST_HEADINGS:
            self._add(words)
            return
        self._close()
        self._path = [entry for entry in self._path if entry[0] < level] + [(level, _short(words))]
        self._add(f"{'#' * level} {words}")

    def prose(self, text: str) -> None:
        """A paragraph, or lines that belong together. Blank text is nothing."""
        words = self._cleaned(text).strip()
        if words:
            self._add(words)

    def item(self, text: str) -> None:
        """As prose, of one line: it follows the item before it without a blank line."""
        words = self._cleaned(text).rstrip()
        if words:
            self._add(words, after="\n" if self._in_list else "\n\n")
            self._in_list = True

    def end_list(self) -> None:
        """The next item begins a list of its own."""
        self._in_list = False

    def margins(self, lines: Iterable[str]) -> None:
        """What headers and footers say, each line once; page numbers alone are nothing."""
        self.move()
        for line in dict.fromkeys(" ".join(each.split()) for each in lines):
            if any(char.isalpha() for char in line):
                self.prose(line)

    def table(self, rows: Iterable[Sequence[str]], *, head_rows: int = 1, caption: str = "") -> None:
        """Rows of cells, the first `head_rows` of them the head; the caption is a heading of the table alone.

        Rows without text are left out. One row has no head, one column is prose.
        """
        filled = [[self._cleaned(cell) for cell in cells] for cells in rows if any(cells)]
        filled = [cells for cells in filled if any(cell.strip() for cell in cells)]
        if not filled:
            return
        if max(len(cells) for cells in filled) == 1:
            self._prose_column([cells[0] for cells in filled], caption=caption)
            return
        self._close()
        header, body = _parted(filled, head_rows=min(head_rows, len(filled) - 1))
        lines = []
        for cells in body:
            lines.append(row(cells))
            self._count(len(lines[-1]) + 1)
        self._append("\n".join(lines), heading=self._heading(caption), header=header, is_table=True)

    def sections(self) -> tuple[Section, ...]:
        """All that was read so far."""
        self._close()
        return tuple(self._sections)

    def notes(self) -> tuple[str, ...]:
        """A sentence on characters that nobody sees, where there were any."""
        if not self._hidden:
            return ()
        return (f"{self._hidden} invisible characters were dropped.",)

    def _prose_column(self, cells: Sequence[str], *, caption: str) -> None:
        for line in (caption, *cells):
            self.item(" ".join(line.split()))

    def _cleaned(self, text: str) -> str:
        self._hidden += hidden_characters(text)
        return clean(text)

    def _add(self, block: str, *, after: str = "\n\n") -> None:
        self._count(len(block) + len(after))
        self._in_list = False
        self._blocks += [after, block]

    def _count(self, chars: int) -> None:
        self._left -= chars
        if self._left < 0:
            raise TooMuchTextError(f"more than {self._max_chars} characters")

    def _close(self) -> None:
        if self._blocks:
            self._append("".join(self._blocks[1:]), heading=self._heading(), header="", is_table=False)
            self._blocks = []
        self._in_list = False

    def _append(self, text: str, *, heading: str, header: str, is_table: bool) -> None:
        if len(self._sections) >= MOST_SECTIONS:
            raise TooMuchTextError(f"more than {MOST_SECTIONS} sections")
        self._sections.append(
            Section(text, page=self._page, heading=heading, place=self._place, is_table=is_table, header=header)
        )

    def _heading(self, caption: str = "") -> str:
        return " > ".join(part for part in (*(words for _, words in self._path), _short(caption)) if part)


def _parted(rows: list[list[str]], *, head_rows: int) -> tuple[str, list[list[str]]]:
    """The Markdown of the head, '' where there is none or it is too long, and the rows below it."""
    if head_rows < 1:
        return "", rows
    width = max(len(cells) for cells in rows)
    names = _joined_head(rows[:head_rows])
    header = head([*names, *[""] * (width - len(names))]) if width < _MOST_HEADER_CHARS else ""
    return (header, rows[head_rows:]) if header and len(header) <= _MOST_HEADER_CHARS else ("", rows)


def _joined_head(rows: Sequence[Sequence[str]]) -> list[str]:
    """One name for each column: what stands in the rows of the head one above the other, each once."""
    columns: list[dict[str, None]] = [{} for _ in range(max(len(cells) for cells in rows))]
    for cells in rows:
        for column, cell in zip(columns, cells, strict=False):
            column[" ".join(cell.split())] = None
    return [" ".join(word for word in column if word) for column in columns]


def _short(heading: str) -> str:
    return " ".join(heading.split())[:_MOST_HEADING_CHARS].strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
