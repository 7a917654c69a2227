"""The order in which words that are only places on a page are read: columns, then lines.

For recognised text, and for text layers whose lines run across the columns. Knows no PDF library.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from ingestion.parsing.aligned_tables import gutter_of
from ingestion.parsing.pdf_tables import tables
from ingestion.parsing.places import Box, TextLine, Word
from ingestion.parsing.table_rows import Table, in_reading_order, runs_leftward, visual_lines

# Below the recursion limit by far; a page has some hundred lines.
_MOST_DEPTH = 300
_MOST_WORDS = 4_000
# In line heights: how wide the white between columns is at least, and how high between blocks.
_COLUMN_GAP = 0.9
_BLOCK_GAP = 0.25
_LEAST_IN_COLUMN = 3


def ordered_lines(words: Sequence[Word]) -> list[TextLine]:
    """The words as lines in reading order: cut at white strips, upright ones between columns first."""
    if not words:
        return []
    if len(words) > _MOST_WORDS:
        return [_line(line) for line in visual_lines(words)]
    if _is_upright(words):
        return [_upright_line(words)]
    height = median(word.top - word.bottom for word in words)
    leftward = runs_leftward([[word.text for word in words]])
    # A table is read row by row, so it is one thing among the words.
    tables_by_place = {_place(table): table for table in tables(words, ())}
    within = {word for table in tables_by_place.values() for word in table.words}
    things = [*(word for word in words if word not in within), *tables_by_place]
    lines: list[TextLine] = []
    for block in _blocks(things, height, leftward, 0):
        lines += _lines_of_block(block, tables_by_place)
    return lines


def parted_columns(lines: Sequence[TextLine]) -> list[TextLine]:
    """The same lines; where most run across two columns, as some programs write them, each is cut in two.

    Lines in the file's order stay in it, but those of the left column come before those of the right.
    """
    gutter = gutter_of([word for line in lines for word in line.words]) if len(lines) >= 2 * _LEAST_IN_COLUMN else None
    if gutter is None or sum(1 for line in lines if _is_on_both_sides(line, gutter)) * 2 < len(lines):
        return list(lines)
    parted: list[TextLine] = []
    left: list[TextLine] = []
    right: list[TextLine] = []
    for line in lines:
        if any(word.left < gutter < word.right for word in line.words):
            parted += [*left, *right, line]
            left, right = [], []
            continue
        for side, words in (
            (left, [word for word in line.words if word.x < gutter]),
            (right, [word for word in line.words if word.x >= gutter]),
        ):
            side += [TextLine(" ".join(word.text for word in words), tuple(words))] if words else []
    return [*parted, *left, *right]


def _is_on_both_sides(line: TextLine, gutter: float) -> bool:
    box = line_box(line)
    return box.left < gutter < box.right and not any(word.left < gutter < word.right for word in line.words)


def line_box(line: TextLine) -> Box:
    """Around all words of the line."""
    words = line.words
    return Box(
        min(word.left for word in words),
        min(word.bottom for word in words),
        max(word.right for word in words),
        max(word.top for word in words),
    )


def _place(table: Table) -> Word:
    words = table.words
    return Word(
        "",
        min(word.left for word in words),
        min(word.bottom for word in words),
        max(word.right for word in words),
        max(word.top for word in words),
    )


def _lines_of_block(block: Sequence[Word], tables_by_place: Mapping[Word, Table]) -> Iterator[TextLine]:
    """Lines of words; a table's rows stand where its middle is."""
    plain = [word for word in block if word not in tables_by_place]
    placed = sorted((word for word in block if word in tables_by_place), key=lambda word: -word.y)
    for line in visual_lines(plain):
        while placed and placed[0].y > line[0].y:
            yield from _rows(tables_by_place[placed.pop(0)])
        yield _line(line)
    for place in placed:
        yield from _rows(tables_by_place[place])


def _rows(table: Table) -> Iterator[TextLine]:
    for line in visual_lines(list(table.words)):
        yield _line(line)


def _line(words: Sequence[Word]) -> TextLine:
    ordered = in_reading_order(words)
    return TextLine(" ".join(word.text for word in ordered), tuple(ordered))


def _is_upright(words: Sequence[Word]) -> bool:
    """Japanese and Chinese are also set in lines from the top down, the first at the right."""
    chars = sum(len(word.text) for word in words)
    tall = [word for word in words if len(word.text) > 1 and word.top - word.bottom > 1.5 * (word.right - word.left)]
    return sum(len(word.text) for word in tall) * 2 > chars


def _upright_line(words: Sequence[Word]) -> TextLine:
    ordered = sorted(words, key=lambda word: (-word.x, -word.top))
    return TextLine("".join(word.text for word in ordered), tuple(ordered))


def _blocks(words: Sequence[Word], height: float, leftward: bool, depth: int) -> Iterable[Sequence[Word]]:
    if len(words) < 2 * _LEAST_IN_COLUMN or depth > _MOST_DEPTH:
        return [words]
    at = _column_cut(words, height)
    if at is not None:
        left = [word for word in words if word.x < at]
        right = [word for word in words if word.x >= at]
        first, second = (right, left) if leftward else (left, right)
    else:
        at = _block_cut(words, height)
        if at is None:
            return [words]
        first = [word for word in words if word.y > at]
        second = [word for word in words if word.y <= at]
    return [*_blocks(first, height, leftward, depth + 1), *_blocks(second, height, leftward, depth + 1)]


def _column_cut(words: Sequence[Word], height: float) -> float | None:
    spans = _merged((word.left, word.right) for word in words)
    for (_, left), (right, _) in pairwise(spans):
        middle = (left + right) / 2
        before = sum(1 for word in words if word.x < middle)
        if right - left >= height * _COLUMN_GAP and min(before, len(words) - before) >= _LEAST_IN_COLUMN:
            return middle
    return None


def _block_cut(words: Sequence[Word], height: float) -> float | None:
    """In the middle of the highest white strip across all the words."""
    spans = _merged((word.bottom, word.top) for word in words)
    gaps = [(right - left, (left + right) / 2) for (_, left), (right, _) in pairwise(spans)]
    widest, middle = max(gaps, default=(0.0, 0.0))
    return middle if widest >= height * _BLOCK_GAP else None


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
