"""From lines on pages to paragraphs under headings. Knows no PDF library: lines come in, text goes out.

| step | rule |
|---|---|
| running lines | the first or last lines of a page that recur, digits aside, on most pages are dropped |
| headings | from the outline where it has some, else lines set larger than the body |
| paragraphs | wrapped lines are joined; list items, table rows and short lines stay lines of their own |
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingestion.parsing.base import Section

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
# A gap this much larger than the usual one, in line heights, sets paragraphs apart.
_APART = 0.3


@dataclass(frozen=True)
class Line:
    """A line as it stands on the page; the box is in points, and zero where unknown."""

    text: str
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0

    @property
    def height(self) -> float:
        """Height of the font's box, to half a point."""
        return round((self.top - self.bottom) * 2) / 2


@dataclass(frozen=True)
class Page:
    """`number` counts from 1."""

    number: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Heading:
    """An entry of the document's own outline: the path of titles, outermost first."""

    page: int
    path: tuple[str, ...]


def sections(pages: Sequence[Page], *, outline: Sequence[Heading]) -> list[Section]:
    """Sections in reading order; each lies on one page and under one heading."""
    pages = _without_running_lines(pages)
    cuts = _cut_by_outline(pages, outline=outline) if outline else _cut_by_size(pages)
    words = _vocabulary(pages)
    found = (Section(_paragraphs(lines, words=words), page, heading) for page, heading, lines in cuts)
    return [section for section in found if section.text]


_Cut = tuple[int, str, list[Line]]


def _without_running_lines(pages: Sequence[Page]) -> Sequence[Page]:
    if len(pages) < _RUNNING_FROM_PAGES:
        return pages
    seen = Counter(key for page in pages for key in {_running_key(line) for line in _edges(page)})
    filled = sum(1 for page in pages if page.lines)
    running = {key for key, count in seen.items() if count > max(2, filled * _RUNNING_SHARE)}
    # A page of running lines alone says what it says in them.
    return [Page(page.number, tuple(_kept(page, running=running)) or page.lines) for page in pages]


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


def _located(page: Page, *, entries: Iterable[Heading]) -> Iterator[tuple[int, str]]:
    """The lines of a page that are titles of the outline's entries, in order."""
    index = 0
    for entry in entries:
        title = _letters(entry.path[-1])
        for number in range(index, len(page.lines)):
            if title and _letters(page.lines[number].text).endswith(title):
                yield number, " > ".join(entry.path)
                index = number + 1
                break


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
            yield page.number, current, lines
            current, lines = starts[index], []
        lines.append(line)
    yield page.number, current, lines


def _vocabulary(pages: Sequence[Page]) -> frozenset[str]:
    """The words of the document, without those that a line end cuts."""
    words: set[str] = set()
    for page in pages:
        for line in page.lines:
            found = _WORD.findall(line.text.casefold())
            words.update(found[:-1] if _HYPHEN_END.search(line.text) else found)
    return frozenset(words)


def _paragraphs(lines: Sequence[Line], *, words: frozenset[str]) -> str:
    width = max((line.right for line in lines), default=0.0)
    usual = _usual_gap(lines)
    # Parts, joined once: a page may hold every line of the document, and its text so far is long.
    parts = [lines[0].text] if lines else []
    for previous, line in pairwise(lines):
        before = "".join(parts[-3:])[-_HYPHENATED_CHARS:]
        if _HYPHEN_END.search(before) and line.text[:1].islower():
            if not _keeps_hyphen(before, line.text, words=words):
                parts[-1] = parts[-1][:-1]
        else:
            parts.append(_joint(previous, line, width=width, usual=usual))
        parts.append(line.text)
    return "".join(parts).strip()


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
    short = width > 0 and previous.right < width * 0.75
    if short and (_SENTENCE_END.search(previous.text) or not line.text[:1].islower()):
        return "\n"
    return " "


def _is_row(text: str) -> bool:
    """Lines of a table: mostly figures, or cells set apart by wide gaps."""
    words = text.split()
    figures = sum(1 for word in words if any(char.isdigit() for char in word))
    return "   " in text or "\t" in text or (len(words) > 1 and figures * 2 > len(words))
