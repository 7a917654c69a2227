"""Tables on a page, from its words and drawn rules alone: it knows neither PDFium nor text recognition.

| kind | what it takes |
|---|---|
| ruled | crossing rules that make a grid of at least two columns and two rows, with words in a good part of it |
| aligned | rows of short cells over each other, with white columns between them, and figures or rules about them |

When in doubt, it is prose: a missed table is read line by line, a false one tears sentences apart.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingestion.parsing.aligned_tables import MOST_COLUMNS, aligned_tables, regions
from ingestion.parsing.places import Rule, Word
from ingestion.parsing.table_rows import SNAP, TOUCH, Row, Table, distinct, joined, table_of, visual_lines

_MOST_RULES = 400
_MOST_WORDS = 6_000
# A grid with less text than this is a diagram, with more in a cell the frame of a page.
_LEAST_FILLED = 0.2
_MOST_MEAN_CHARS = 300


def tables(words: Sequence[Word], rules: Sequence[Rule]) -> list[Table]:
    """The tables of a page, from its top down; a word is in one of them at most."""
    if not 4 <= len(words) <= _MOST_WORDS:
        return []
    rules = rules if len(rules) <= 20 * _MOST_RULES else ()
    found = list(_ruled(words, rules))
    taken = {word for table in found for word in table.words}
    rest = [word for word in words if word not in taken]
    flat = joined(rule for rule in rules if rule.is_horizontal)
    for region in regions(rest, flat):
        found += aligned_tables(region, flat)
    return sorted(found, key=lambda table: -table.boxes[0].top)


def continued(table: Table, *, above: Table | None) -> Table:
    """The table with the head of the one that ends the page before, if it goes on from there."""
    if above is None or not above.is_headed or len(above.columns) != len(table.columns):
        return table
    if any(abs(one - other) > 4 * SNAP for one, other in zip(above.columns, table.columns, strict=True)):
        return table
    if table.header == above.header:
        return table
    rows, boxes = table.rows, table.boxes
    if table.is_headed:
        # What was taken for its head is a row.
        rows, boxes = (table.header, *rows), (boxes[0], *boxes)
    return replace(table, header=above.header, rows=rows, boxes=boxes)


def _ruled(words: Sequence[Word], rules: Sequence[Rule]) -> Iterator[Table]:
    across = joined(rule for rule in rules if rule.is_horizontal)
    down = joined(rule for rule in rules if not rule.is_horizontal)
    if len(across) < 2 or not down or max(len(across), len(down)) > _MOST_RULES:
        return
    taken: set[Word] = set()
    for grid in _grids(across, down):
        rows = _grid_rows([word for word in words if word not in taken], grid)
        if not _is_grid_of_cells(rows):
            continue
        table = table_of(rows, edges=grid.xs, head_rows=1)
        # Where only some of the rules are drawn, the words show the other columns.
        finer = max(aligned_tables(table.words, across), key=_cells, default=table)
        table = finer if len(finer.header) > len(table.header) and _cells(finer) > _cells(table) else table
        taken |= table.words
        yield table


def _cells(table: Table) -> int:
    return sum(1 for row in table.rows for cell in row if cell)


@dataclass(frozen=True)
class _Grid:
    xs: tuple[float, ...]
    ys: tuple[float, ...]


def _grids(across: Sequence[Rule], down: Sequence[Rule]) -> Iterator[_Grid]:
    """Groups of rules that cross each other."""
    group = list(range(len(across) + len(down)))

    def root(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    for i, flat in enumerate(across):
        for j, upright in enumerate(down):
            meets = flat.start - TOUCH <= upright.at <= flat.end + TOUCH
            if meets and upright.start - TOUCH <= flat.at <= upright.end + TOUCH:
                group[root(i)] = root(len(across) + j)
    members: dict[int, list[Rule]] = {}
    for index, rule in enumerate([*across, *down]):
        members.setdefault(root(index), []).append(rule)
    for rules in members.values():
        grid = _grid(rules)
        if grid is not None:
            yield grid


def _grid(rules: Sequence[Rule]) -> _Grid | None:
    flat = [rule for rule in rules if rule.is_horizontal]
    upright = [rule for rule in rules if not rule.is_horizontal]
    if len(flat) < 2 or not upright:
        return None
    # The outer edges may be open: the rules that cross end there.
    xs = distinct([*(rule.at for rule in upright), min(r.start for r in flat), max(r.end for r in flat)])
    ys = distinct([*(rule.at for rule in flat), min(r.start for r in upright), max(r.end for r in upright)])
    if not (3 <= len(xs) <= MOST_COLUMNS + 1 and len(ys) >= 2):
        return None
    return _Grid(tuple(xs), tuple(ys))


def _grid_rows(words: Sequence[Word], grid: _Grid) -> list[Row]:
    columns, lines = len(grid.xs) - 1, len(grid.ys) - 1
    cells: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        column, line = bisect_right(grid.xs, word.x) - 1, bisect_right(grid.ys, word.y) - 1
        if 0 <= column < columns and 0 <= line < lines:
            cells.setdefault((line, column), []).append(word)
    rows: list[Row] = []
    for line in range(lines - 1, -1, -1):
        row = Row(tuple(tuple(cells.get((line, column), ())) for column in range(columns)))
        if row.filled:
            rows += _split_row(row)
    return _without_empty_columns(rows)


def _split_row(row: Row) -> list[Row]:
    """A row that holds many lines in step in every column is many rows, whose rules were not drawn."""
    lines = [visual_lines(cell) for cell in row.cells]
    counts = [len(each) for each in lines if each]
    if len(counts) < 2 or min(counts) < 3 or max(counts) != min(counts):
        return [row]
    return [Row(tuple(tuple(each[index]) if each else () for each in lines)) for index in range(counts[0])]


def _without_empty_columns(rows: Sequence[Row]) -> list[Row]:
    if not rows:
        return []
    kept = [column for column in range(len(rows[0].cells)) if any(row.cells[column] for row in rows)]
    return [Row(tuple(row.cells[column] for column in kept)) for row in rows]


def _is_grid_of_cells(rows: Sequence[Row]) -> bool:
    if len(rows) < 2 or len(rows[0].cells) < 2:
        return False
    if sum(1 for row in rows if row.filled >= 2) < max(2, len(rows) / 4):
        return False
    filled = [cell for row in rows for cell in row.cells if cell]
    chars = sum(len(word.text) + 1 for cell in filled for word in cell)
    return len(filled) >= _LEAST_FILLED * len(rows) * len(rows[0].cells) and chars <= _MOST_MEAN_CHARS * len(filled)
