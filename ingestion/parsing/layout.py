"""From lines on pages to paragraphs and tables under headings. Knows no PDF library: lines come in, text goes out.

| step | rule |
|---|---|
| running lines | the first or last lines of a page that recur, digits aside, on most pages are dropped |
| headings | from the outline where it has some, else lines set larger than the body |
| paragraphs | wrapped lines are joined; list items, table rows and short lines stay lines of their own |
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from ingestion.parsing import base, tables
from ingestion.parsing.base import Section
from ingestion.parsing.pdf_tables import continued
from ingestion.parsing.places import Box, Word
from ingestion.parsing.table_rows import Table

# A running header or footer is within this many lines of the page's edge.
_EDGE_LINES = 3
_RUNNING_FROM_PAGES = 4
_RUNNING_SHARE = 0.5
# Set at least this much larger than the body, a short line is a heading.
_HEADING_SCALE = 1.12
_MOST_HEADING_CHARS = 150
_MOST_HEADING_LEVELS = 6
_BULLETS = "\u2022\u25e6\u25aa\u25cf\u25cb\u25a0\u25a1\u2023\u2043\u2219\u00b7o\u2013\u2014*-"
_HYPHENS = "\u2010\u2011-"
_LIST_ITEM = re.compile(rf"^(?:[{_BULLETS}]|\(?\d{{1,3}}[.)]|\(?[a-zA-Z][.)])\s")
_SENTENCE_END = re.compile("[.!?:;\u3002\uff01\uff1f\u2026][\"')\\]\u201d\u2019]*$")
_HYPHEN_END = re.compile(f"(?<=[^\\W\\d_])[\u00ad{_HYPHENS}]$")
_WORD = re.compile(f"[^\\W\\d_]+(?:[{_HYPHENS}][^\\W\\d_]+)*")
_LETTER = re.compile(r"[^\W\d_]")
# Enough for the word, or what there is of it, before a line's end.
_HYPHENATED_CHARS = 80
# Two boxes whose heights differ by less are of one font size.
_SAME_HEIGHT = 0.1
# A table is at the edge of its page with as many lines, a page number, beyond it.
_TABLE_NEAR_EDGE = 2
# Titles of an outline are cut off at 200 letters; blanks do not count.
_MOST_TITLE_CHARS = 500
_WIDE_SCRIPT = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]")
# A gap this much larger than the usual one, in line heights, sets paragraphs apart.
_APART = 0.3


@dataclass(frozen=True)
class Line:
    """A line as it stands on the page; places are in points, and zero where unknown.

    `bottom` and `top` are those of its font, `box` is around all of it. A table stands in the order of lines as one
    without text.
    """

    text: str
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0
    box: Box | None = None
    words: tuple[Word, ...] = ()
    table: Table | None = None

    @property
    def height(self) -> float:
        """Height of the font's box, to half a point."""
        return round((self.top - self.bottom) * 2) / 2


@dataclass(frozen=True)
class Page:
    """`number` counts from 1, sizes are in points."""

    number: int
    lines: tuple[Line, ...]
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class Heading:
    """An entry of the document's own outline: the path of titles, outermost first."""

    page: int
    path: tuple[str, ...]


def sections(pages: Sequence[Page], *, outline: Sequence[Heading]) -> list[Section]:
    """Sections in reading order; each lies on one page and under one heading, and is prose or a table.

    The pages are without running lines.
    """
    pages = _with_continued_tables(pages)
    cuts = _cut_by_outline(pages, outline=outline) if outline else _cut_by_size(pages)
    words = _vocabulary(pages)
    return [section for page, heading, lines in cuts for section in _of_cut(page, heading, lines, words=words)]


_Cut = tuple[Page, str, list[Line]]


def _of_cut(page: Page, heading: str, lines: Sequence[Line], *, words: frozenset[str]) -> Iterator[Section]:
    for table, run in groupby(lines, key=lambda line: line.table):
        if table is not None:
            yield _table(page, heading, table)
        else:
            section = _prose(page, heading, list(run), words=words)
            if section.text:
                yield section


def _prose(page: Page, heading: str, lines: Sequence[Line], *, words: frozenset[str]) -> Section:
    text, spans = _paragraphs(lines, words=words)
    places = [
        _on_page(page, line.box, start=start, end=end)
        for line, (start, end) in zip(lines, spans, strict=True)
        if line.box is not None and start < end
    ]
    return Section(text, page=page.number, heading=heading, lines=tuple(places))


def _table(page: Page, heading: str, table: Table) -> Section:
    rows = [tables.row(cells) for cells in table.rows]
    places, start = [], 0
    for row, box in zip(rows, table.boxes, strict=True):
        places.append(_on_page(page, box, start=start, end=start + len(row)))
        start += len(row) + 1
    header = tables.head(table.header) if table.is_headed else ""
    return Section(
        "\n".join(rows),
        page=page.number,
        heading=heading,
        is_table=True,
        header=header,
        lines=tuple(places),
    )


def _on_page(page: Page, box: Box, *, start: int, end: int) -> base.Line:
    width, height = max(page.width, 1.0), max(page.height, 1.0)
    return base.Line(
        start,
        end,
        left=_share(box.left / width),
        top=_share(1 - box.top / height),
        right=_share(box.right / width),
        bottom=_share(1 - box.bottom / height),
    )


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)


def _with_continued_tables(pages: Sequence[Page]) -> list[Page]:
    """A table that ends one page and begins the next is one table with one head."""
    found: list[Page] = []
    above: Table | None = None
    for page in pages:
        lines = list(page.lines)
        near = [index for index, line in enumerate(lines[:_TABLE_NEAR_EDGE]) if line.table]
        for index in near[:1]:
            table = lines[index].table
            lines[index] = replace(lines[index], table=continued(table, above=above) if table else None)
        above = next((line.table for line in lines[-_TABLE_NEAR_EDGE:][::-1] if line.table), None)
        found.append(replace(page, lines=tuple(lines)))
    return found


def without_running_lines(pages: Sequence[Page]) -> Sequence[Page]:
    """The pages without the headers and footers that recur on most of them."""
    if len(pages) < _RUNNING_FROM_PAGES:
        return pages
    seen = Counter(key for page in pages for key in {_running_key(line) for line in _edges(page)})
    filled = sum(1 for page in pages if page.lines)
    running = {key for key, count in seen.items() if count > max(2, filled * _RUNNING_SHARE)}
    # A page of running lines alone says what it says in them.
    return [replace(page, lines=tuple(_kept(page, running=running)) or page.lines) for page in pages]


def _running_key(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def _edges(page: Page) -> tuple[Line, ...]:
    return page.lines[:_EDGE_LINES] + page.lines[_EDGE_LINES:][-_EDGE_LINES:]


def _kept(page: Page, *, running: set[str]) -> Iterator[Line]:
    last = len(page.lines) - _EDGE_LINES
    for index, line in enumerate(page.lines):
        at_edge = index < _EDGE_LINES or index >= last
        if not (at_edge and _running_key(line) in running):
            yield line


def _cut_by_outline(pages: Sequence[Page], *, outline: Sequence[Heading]) -> Iterator[_Cut]:
    by_page: dict[int, list[Heading]] = {}
    for entry in outline:
        by_page.setdefault(entry.page, []).append(entry)
    current = ""
    for page in pages:
        entries = by_page.get(page.number, [])
        starts = dict(_located(page, entries=entries))
        if entries and not starts:
            current = " > ".join(entries[0].path)
        yield from _cut_page(page, starts=starts, current=current)
        if entries:
            current = " > ".join(entries[-1].path)


def _located(page: Page, *, entries: Sequence[Heading]) -> Iterator[tuple[int, str]]:
    """The lines of a page that are titles of the outline's entries, in order."""
    places = _lines_by_title(page, titles={_letters(entry.path[-1]) for entry in entries} - {""})
    index = 0
    for entry in entries:
        numbers = places.get(_letters(entry.path[-1]), [])
        found = bisect_left(numbers, index)
        if found < len(numbers):
            yield numbers[found], " > ".join(entry.path)
            index = numbers[found] + 1


def _lines_by_title(page: Page, *, titles: set[str]) -> dict[str, list[int]]:
    """Title → the lines that end with it; each line is looked at once for each length of a title."""
    lengths = sorted({len(title) for title in titles})
    places: dict[str, list[int]] = {}
    for number, line in enumerate(page.lines):
        letters = _letters(line.text[-_MOST_TITLE_CHARS:])
        for length in lengths:
            if length > len(letters):
                break
            if letters[-length:] in titles:
                places.setdefault(letters[-length:], []).append(number)
    return places


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()


def _cut_by_size(pages: Sequence[Page]) -> Iterator[_Cut]:
    levels = _heading_levels(pages, body=_body_height(pages))
    path: dict[int, str] = {}
    for page in pages:
        current = _path(path)
        starts: dict[int, str] = {}
        run: int | None = None
        for index, line in enumerate(page.lines):
            level = levels.get(line.height) if _may_be_heading(line) else None
            if level is None:
                run = None
                continue
            wrapped = run is not None and page.lines[index - 1].height == line.height
            run = run if wrapped and run is not None else index
            title = f"{path[level]} {line.text}"[: 2 * _MOST_HEADING_CHARS] if wrapped else line.text
            path = {depth: text for depth, text in path.items() if depth < level} | {level: title}
            starts[run] = _path(path)
        yield from _cut_page(page, starts=starts, current=current)


def _path(path: dict[int, str]) -> str:
    return " > ".join(path[level] for level in sorted(path))


def _body_height(pages: Sequence[Page]) -> float:
    weights: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            weights[line.height] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 0.0


def _heading_levels(pages: Sequence[Page], *, body: float) -> dict[float, int]:
    """Font height → depth; the rarest big sizes of a title page share the first level with the next."""
    if body <= 0:
        return {}
    heights = {line.height for page in pages for line in page.lines if _may_be_heading(line)}
    larger = sorted((height for height in heights if height >= body * _HEADING_SCALE), reverse=True)
    return {height: min(depth, _MOST_HEADING_LEVELS) for depth, height in enumerate(larger)}


def _may_be_heading(line: Line) -> bool:
    return len(line.text) <= _MOST_HEADING_CHARS and bool(_LETTER.search(line.text))


def _cut_page(page: Page, *, starts: dict[int, str], current: str) -> Iterator[_Cut]:
    lines: list[Line] = []
    for index, line in enumerate(page.lines):
        if index in starts:
            yield page, current, lines
            current, lines = starts[index], []
        lines.append(line)
    yield page, current, lines


def _vocabulary(pages: Sequence[Page]) -> frozenset[str]:
    """The words of the document, without those that a line end cuts."""
    words: set[str] = set()
    for page in pages:
        for line in page.lines:
            found = _WORD.findall(line.text.casefold())
            words.update(found[:-1] if _HYPHEN_END.search(line.text) else found)
    return frozenset(words)


def _paragraphs(lines: Sequence[Line], *, words: frozenset[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text, and where in it each line stands."""
    width = max((line.right for line in lines), default=0.0)
    usual = _usual_gap(lines)
    # Parts, joined once: a page may hold every line of the document, and its text so far is long.
    parts = [lines[0].text] if lines else []
    length = len(parts[0]) if parts else 0
    spans = [(0, length)] if parts else []
    for previous, line in pairwise(lines):
        before = "".join(parts[-3:])[-_HYPHENATED_CHARS:]
        joint = ""
        if _HYPHEN_END.search(before) and line.text[:1].islower():
            if not _keeps_hyphen(before, line.text, words=words):
                parts[-1] = parts[-1][:-1]
                length -= 1
                spans[-1] = (spans[-1][0], length)
        else:
            joint = _joint(previous, line, width=width, usual=usual)
        parts += [joint, line.text]
        spans.append((length + len(joint), length + len(joint) + len(line.text)))
        length = spans[-1][1]
    return "".join(parts), spans


def _keeps_hyphen(text: str, following: str, *, words: frozenset[str]) -> bool:
    """Is the hyphen at a line end part of the word? Asked of the document's own words."""
    cut = _WORD.findall(text[:-1].casefold())
    tail = _WORD.match(following.casefold())
    if not cut or not tail:
        return True
    head, rest = cut[-1], tail.group()
    if f"{head}-{rest}" in words:
        return True
    return head + rest not in words and head in words


def _usual_gap(lines: Sequence[Line]) -> float:
    """The gap between lines of one paragraph: the lower quartile of those seen."""
    gaps = sorted(gap for gap in (before.bottom - line.top for before, line in pairwise(lines)) if gap > -50)
    return gaps[len(gaps) // 4] if gaps else 0.0


def _joint(previous: Line, line: Line, *, width: float, usual: float) -> str:
    """What stands between two lines: a blank within a paragraph, a line end, or an empty line."""
    height = previous.height
    if abs(line.height - height) > height * _SAME_HEIGHT:
        return "\n\n"
    if height > 0 and previous.bottom - line.top > usual + height * _APART:
        return "\n\n"
    if _LIST_ITEM.match(line.text) or _is_row(previous.text) or _is_row(line.text):
        return "\n"
    if _WIDE_SCRIPT.match(previous.text[-1:]) and _WIDE_SCRIPT.match(line.text[:1]):
        # No blanks between words there, and none at a line's end.
        return "" if not _SENTENCE_END.search(previous.text) else "\n"
    short = width > 0 and previous.right < width * 0.75
    if short and (_SENTENCE_END.search(previous.text) or not line.text[:1].islower()):
        return "\n"
    return " "


def _is_row(text: str) -> bool:
    """Lines of a table: mostly figures, or cells set apart by wide gaps."""
    words = text.split()
    figures = sum(1 for word in words if any(char.isdigit() for char in word))
    return "   " in text or "\t" in text or (len(words) > 1 and figures * 2 > len(words))
