"""Rows, cells and tables, as `pdf_tables` finds them and `layout` writes them down. Knows no PDF library."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ingestion.parsing.places import Box, Rule, Word

# In points: places that differ by less are one; rules that come as near touch.
SNAP = 2.5
TOUCH = 4.0
FIGURE = re.compile(r"^[^\w\s]{0,3}\d[\d.,:%/\u2019'\u00a0+\-\u2013eE\u20ac$]*[^\w\s]{0,3}[a-zA-Z%]{0,3}$")
YEAR = re.compile(r"^(19|20)\d\d$")
_LEFTWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


@dataclass(frozen=True)
class Table:
    """`header` is '' for each column where it has none. `boxes` has one for each row; `words` are those within."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[Box, ...]
    columns: tuple[float, ...]
    words: frozenset[Word]

    @property
    def is_headed(self) -> bool:
        """Whether any column has a name."""
        return any(self.header)


@dataclass(frozen=True)
class Row:
    """Cells as words, and where they lie."""

    cells: tuple[tuple[Word, ...], ...]

    @property
    def box(self) -> Box:
        words = [word for cell in self.cells for word in cell]
        return Box(
            min(word.left for word in words),
            min(word.bottom for word in words),
            max(word.right for word in words),
            max(word.top for word in words),
        )

    @property
    def filled(self) -> int:
        return sum(1 for cell in self.cells if cell)

    def texts(self) -> tuple[str, ...]:
        return tuple(_text(cell) for cell in self.cells)


def table_of(rows: Sequence[Row], *, edges: Sequence[float], head_rows: int) -> Table:
    texts = [row.texts() for row in rows]
    if runs_leftward(texts):
        texts = [text[::-1] for text in texts]
    count = head_rows if len(rows) > head_rows and _may_be_head(texts[:head_rows]) else 0
    header = tuple(
        " ".join(dict.fromkeys(part for part in column if part)) for column in zip(*texts[:count], strict=True)
    )
    if not count:
        header = ("",) * len(texts[0])
    body = rows[count:]
    boxes = [row.box for row in body]
    if count and boxes:
        # The head is lit up with the first row, of which it is part in every passage.
        boxes[0] = _around([boxes[0], *(row.box for row in rows[:count])])
    words = frozenset(word for row in rows for cell in row.cells for word in cell)
    return Table(header, tuple(texts[count:]), tuple(boxes), tuple(edges), words)


def _may_be_head(head: Sequence[Sequence[str]]) -> bool:
    """Names of columns: mostly no figures, unless they are years."""
    cells = [text for row in head for text in row if text]
    if len(cells) < 2:
        return False
    figures = sum(1 for text in cells if FIGURE.match(text) and not YEAR.match(text))
    return figures * 2 < len(cells)


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min(box.left for box in boxes),
        min(box.bottom for box in boxes),
        max(box.right for box in boxes),
        max(box.top for box in boxes),
    )


def _text(cell: Sequence[Word]) -> str:
    text = ""
    for line in visual_lines(cell):
        words = " ".join(word.text for word in in_reading_order(line))
        if text.endswith("-") and words[:1].islower() and text[-2:-1].isalpha():
            text = text[:-1] + words
        else:
            text = f"{text} {words}" if text else words
    return text


def in_reading_order(line: Sequence[Word]) -> Sequence[Word]:
    """Words from the right where most are of a script that runs that way."""
    leftward = sum(1 for word in line if _LEFTWARD.search(word.text))
    return line[::-1] if leftward * 2 > len(line) else line


def runs_leftward(texts: Sequence[Sequence[str]]) -> bool:
    """Whether most cells are of a script that runs from the right."""
    filled = [text for row in texts for text in row if text]
    return sum(1 for text in filled if _LEFTWARD.search(text)) * 2 > len(filled)


def visual_lines(words: Sequence[Word]) -> list[list[Word]]:
    """Words side by side, from the top down, each line from the left."""
    if not words:
        return []
    usual = median(word.top - word.bottom for word in words)
    lines: list[list[Word]] = []
    middle = 0.0
    for word in sorted(words, key=lambda each: -each.y):
        if lines and middle - word.y <= usual * 0.5:
            lines[-1].append(word)
        else:
            lines.append([word])
            middle = word.y
    return [sorted(line, key=lambda each: each.left) for line in lines]


def joined(rules: Iterable[Rule]) -> list[Rule]:
    """Rules on one line that touch become one: cells are often drawn each with edges of its own."""
    joined: list[Rule] = []
    for rule in sorted(rules, key=lambda each: (round(each.at / SNAP), each.start)):
        last = joined[-1] if joined else None
        if last and abs(last.at - rule.at) <= SNAP and rule.start <= last.end + TOUCH:
            joined[-1] = last._replace(end=max(last.end, rule.end))
        else:
            joined.append(rule)
    return joined


def distinct(places: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > TOUCH:
            kept.append(place)
    return kept
