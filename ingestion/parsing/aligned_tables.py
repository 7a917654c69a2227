"""Tables without a grid of rules: rows of short cells over each other, with white columns between them."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingestion.parsing.places import Rule, Word
from ingestion.parsing.table_rows import FIGURE, YEAR, Row, Table, distinct, table_of, visual_lines

MOST_COLUMNS = 40
# Aligned cells are short; the longest of prose in two columns are not.
_MOST_ALIGNED_CHARS = 32
_LEAST_ALIGNED_ROWS = 3
_LEAST_FIGURES = 0.25
# A gap between cells, in line heights: justified prose has up to one.
_CELL_GAP = 1.2
_NARROW_GAP = 0.7
# Lines of one cell overlap or nearly touch; rows of a table seldom do.
_CLOSE = 0.15
_MOST_NAME_CHARS = 30
_MOST_LINES = 200
# A page is set in two columns if so many lines have so much text on both sides of a gap.
_LEAST_PROSE_CHARS = 24
_LEAST_PROSE_LINES = 6
_LEADER = re.compile(r"\.{4,}|(?:\. ){4,}|\u2026{2,}|_{4,}")


@dataclass(frozen=True)
class _Segment:
    """Words with no wide gap between them."""

    words: tuple[Word, ...]

    @property
    def left(self) -> float:
        return min(word.left for word in self.words)

    @property
    def right(self) -> float:
        return max(word.right for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


Columns = list[tuple[float, float]]


def regions(words: Sequence[Word], rules: Sequence[Rule]) -> list[list[Word]]:
    """The columns of a page that is set in two: a table in one of them is no table with the prose of the other."""
    gutter = gutter_of(words)
    if gutter is None:
        return [list(words)]
    across = [rule.at for rule in rules if rule.start < gutter - 20 and rule.end > gutter + 20]
    top, bottom = max(across, default=0.0), min(across, default=0.0)
    wide, left, right = [], [], []
    for word in words:
        if len(across) > 1 and bottom <= word.y <= top + 20:
            wide.append(word)
        elif word.x < gutter:
            left.append(word)
        else:
            right.append(word)
    return [wide, left, right]


def gutter_of(words: Sequence[Word]) -> float | None:
    """Where the white strip between two columns of prose runs, if there is one."""
    lines = [_segments(line) for line in visual_lines(words)]
    gaps = [
        (one.right, other.left)
        for line in lines
        for one, other in pairwise(line)
        if min(len(one.text), len(other.text)) >= _LEAST_PROSE_CHARS
    ]
    if len(gaps) < _LEAST_PROSE_LINES:
        return None
    middle = median((left + right) / 2 for left, right in gaps)
    return middle if sum(1 for left, right in gaps if left < middle < right) >= 0.8 * len(gaps) else None


def aligned_tables(words: Iterable[Word], rules: Sequence[Rule]) -> Iterator[Table]:
    visual = visual_lines(list(words))
    wide = [_segments(line) for line in visual]
    narrow = [_segments(line, gap=_NARROW_GAP) for line in visual] if rules else wide
    index, effort = 0, 5 * len(visual) + _MOST_LINES
    while index < len(visual) and effort > 0:
        runs = [_try(lines, index, rules) for lines in (wide, narrow)]
        effort -= sum(run.end - index for run in runs)
        # With narrow gaps prose falls apart too: only a head over a rule is to be believed.
        run = runs[1] if runs[1].has_ruled_head and len(runs[1].columns) > len(runs[0].columns) else runs[0]
        if run.has_ruled_head or _is_table(run.rows, ruled=_ruled_about(run.rows, rules)):
            edges = [left for left, _ in run.columns]
            yield table_of(run.rows, edges=edges, head_rows=_head_rows(run.rows, rules))
            index = run.end
        else:
            index += 1


@dataclass(frozen=True)
class _Run:
    """Lines up to `end` with white columns between; no rows where they cannot be a table."""

    end: int
    columns: Columns
    rows: list[Row]
    has_ruled_head: bool


def _try(lines: Sequence[Sequence[_Segment]], start: int, rules: Sequence[Rule]) -> _Run:
    end, columns = _run(lines, start=start)
    rows = _run_rows(lines[start:end], columns, rules) if 2 <= len(columns) <= MOST_COLUMNS else []
    return _Run(end, columns, rows, len(rows) > 1 and _has_ruled_head(rows, rules))


def _segments(line: Sequence[Word], *, gap: float = _CELL_GAP) -> list[_Segment]:
    height = median(word.top - word.bottom for word in line)
    parts: list[list[Word]] = []
    for word in line:
        if parts and word.left - max(each.right for each in parts[-1][-3:]) <= height * gap:
            parts[-1].append(word)
        else:
            parts.append([word])
    return [_Segment(tuple(part)) for part in parts]


def _run(lines: Sequence[Sequence[_Segment]], *, start: int) -> tuple[int, Columns]:
    """How far the lines from `start` on keep their white columns, and the columns."""
    columns: Columns = [(each.left, each.right) for each in lines[start]]
    most, end, last = len(columns), start + 1, start + 1
    while most >= 2 and end < min(len(lines), start + _MOST_LINES):
        segments = lines[end]
        merged = _merged([*columns, *((each.left, each.right) for each in segments)])
        if _far_below(lines[end - 1], segments) or len(merged) < max(2, most - 1):
            break
        if len(segments) == 1 and not _goes_on(segments[0], columns):
            break
        columns, most, end = merged, max(most, len(merged)), end + 1
        last = end if len(segments) > 1 or merged == columns else last
    return last, _merged([(each.left, each.right) for line in lines[start:last] for each in line])


def _goes_on(segment: _Segment, columns: Columns) -> bool:
    """The rest of a cell that did not fit on one line: within a column, and not the first alone at the margin."""
    return any(left - 2.0 <= segment.left and segment.right <= right + 40.0 for left, right in columns)


def _far_below(above: Sequence[_Segment], below: Sequence[_Segment]) -> bool:
    top = max(word.top for each in below for word in each.words)
    bottom = min(word.bottom for each in above for word in each.words)
    height = median(word.top - word.bottom for each in below for word in each.words)
    return bottom - top > 2.5 * height


def _merged(spans: Iterable[tuple[float, float]]) -> Columns:
    merged: Columns = []
    for left, right in sorted(spans):
        if merged and left <= merged[-1][1] + 1.0:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _run_rows(lines: Sequence[Sequence[_Segment]], columns: Columns, rules: Sequence[Rule]) -> list[Row]:
    """A line whose first cell is empty goes on in the row above it, if it has fewer cells than that."""
    starts = [left for left, _ in columns]
    rows: list[Row] = []
    for line in lines:
        cells: list[tuple[Word, ...]] = [() for _ in columns]
        for segment in line:
            column = max(0, bisect_right(starts, segment.left + 1.0) - 1)
            cells[column] += segment.words
        row = Row(tuple(cells))
        above = rows[-1] if rows else None
        if above and _is_rest(row, above) and not _rule_between(above, row, rules):
            rows[-1] = Row(tuple(upper + lower for upper, lower in zip(above.cells, cells, strict=True)))
        else:
            rows.append(row)
    return rows


def _is_rest(row: Row, above: Row) -> bool:
    """Whether it is what did not fit on the lines above: no first cell, or that alone and close below."""
    if row.filled >= above.filled:
        return False
    gap = above.box.bottom - row.box.top
    return not row.cells[0] or (row.filled == 1 and gap < _CLOSE * (row.box.top - row.box.bottom))


def _rule_between(above: Row, below: Row, rules: Sequence[Rule]) -> bool:
    upper, lower = above.box, below.box
    wide = 0.5 * (upper.right - upper.left)
    return any(lower.top - 3.0 <= rule.at <= upper.bottom + 3.0 and rule.end - rule.start >= wide for rule in rules)


def _has_ruled_head(rows: Sequence[Row], rules: Sequence[Rule]) -> bool:
    """Short names of at least three columns over a rule, and rows below them."""
    names = [text for text in rows[0].texts() if text]
    if len(names) < max(3, 0.6 * len(rows[0].cells)) or max(map(len, names)) > _MOST_NAME_CHARS:
        return False
    if any(FIGURE.match(name) and not YEAR.match(name) for name in names):
        return False
    full = sum(1 for row in rows[1:] if row.filled >= 2)
    return full >= max(1, 0.6 * (len(rows) - 1)) and _rule_between(rows[0], rows[1], rules)


def _is_table(rows: Sequence[Row], *, ruled: bool) -> bool:
    if len(rows) < _LEAST_ALIGNED_ROWS:
        return False
    columns = len(rows[0].cells)
    full = sum(1 for row in rows if row.filled >= max(2, columns * 0.6))
    if full < _LEAST_ALIGNED_ROWS or full < 0.6 * len(rows):
        return False
    texts = [text for row in rows for text in row.texts() if text]
    if sum(map(len, texts)) > _MOST_ALIGNED_CHARS * len(texts) or any(_LEADER.search(text) for text in texts):
        return False
    if _is_list_of_contents(rows):
        return False
    bare = sum(1 for row in rows for text in row.texts()[1:] if FIGURE.match(text))
    figures = bare / max(1, sum(1 for row in rows for text in row.texts()[1:] if text))
    if ruled:
        return columns >= 3 or figures >= _LEAST_FIGURES
    return columns >= 3 and figures >= _LEAST_FIGURES


def _is_list_of_contents(rows: Sequence[Row]) -> bool:
    """The last column counts up: page numbers."""
    last = [text for text in (row.texts()[-1] for row in rows) if text]
    if len(last) < _LEAST_ALIGNED_ROWS or not all(text.isdecimal() and len(text) <= 4 for text in last):
        return False
    numbers = [int(text) for text in last]
    return numbers == sorted(numbers) and len(set(numbers)) > 1 and len(rows[0].cells) <= 3


def _ruled_about(rows: Sequence[Row], rules: Sequence[Rule]) -> bool:
    """Rules across the table close above its first row or below its last, two of them at least."""
    if not rows:
        return False
    first, last = rows[0].box, rows[-1].box
    left, right = min(row.box.left for row in rows), max(row.box.right for row in rows)
    height = first.top - first.bottom
    wide = [rule.at for rule in rules if min(rule.end, right) - max(rule.start, left) >= 0.8 * (right - left)]
    return len(distinct(at for at in wide if last.bottom - 1.5 * height <= at <= first.top + 1.5 * height)) >= 2


def _head_rows(rows: Sequence[Row], rules: Sequence[Rule]) -> int:
    """Rows above a rule below the first few are the head; else the first is."""
    counts = range(1, min(4, len(rows)))
    return next((count for count in counts if _rule_between(rows[count - 1], rows[count], rules)), 1)
