"""Markdown: front matter and comments dropped, the rest kept as it is, cut at its headings and tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.dates import from_text
from ingestion.parsing.encoding import clean, decode, hidden_characters
from ingestion.parsing.tables import Flow
from ingestion.parsing.text import read_text_bytes

_FRONT_MATTER = re.compile(r"\A(?:---\n(.*?)\n(?:---|\.\.\.)|\+\+\+\n(.*?)\n\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title\s*[:=]\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_DATED = re.compile(
    r"^(?:last_?modified|updated|lastmod|modified|date)\s*[:=]\s*(.{4,60})$", re.MULTILINE | re.IGNORECASE
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]++(.*)|)$")
_UNDERLINE = re.compile(r"(?:(=+)|-{3,})[ \t]*$")
# What stands above an underline is a heading, unless it is a list, a quotation, a table or another heading.
_UNDERLINED = re.compile(r"(?![#>|\-*+ \t\d])[^\n|]{1,200}$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Possessive: a line of dashes or blanks is read in one way.
_RULE = re.compile(r"(?=[^-]*+-)[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*$")
_UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")
_MARKUP = re.compile(r"[*_`]+|!?\[([^\]\[]*)\]\([^()\s]*\)|<[^<>]{1,200}>")
_MOST_HEADING_CHARS = 200
# A file of a million headings or tables is no document; what is beyond is text.
_MOST_BLOCKS = 10_000


@dataclass(frozen=True)
class _Heading:
    level: int
    words: str
    lines: int = 1


@dataclass(frozen=True)
class _Table:
    rows: tuple[list[str], ...]
    lines: int


@dataclass(frozen=True)
class MarkdownParser:
    """text/markdown."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """The Markdown without front matter and comments; title and date from the front matter."""
        raw = decode(read_text_bytes(path, max_chars=self.options.max_chars))
        front, body = _without_front_matter(clean(raw))
        flow = Flow(max_chars=self.options.max_chars)
        heading = read_markdown(_COMMENT.sub("", body), flow=flow)
        dated, hidden = _DATED.search(front), hidden_characters(raw)
        return ParsedDocument(
            sections=flow.sections(),
            title=_title(front) or heading,
            dated=from_text(dated.group(1).strip("\"' ")) if dated else None,
            notes=(f"{hidden} invisible characters were dropped.",) if hidden else (),
        )


def read_markdown(markdown: str, *, flow: Flow) -> str:
    """Read Markdown into `flow`, after what is in it already; gives its first heading of level one, or ''.

    Raises TooMuchTextError.
    """
    first = ""
    for block in _blocks(markdown):
        if isinstance(block, _Heading):
            first = first or (plain(block.words) if block.level == 1 else "")
            flow.heading(block.words[:_MOST_HEADING_CHARS], level=block.level)
            flow.prose(block.words[_MOST_HEADING_CHARS:])
        elif isinstance(block, _Table):
            flow.table(block.rows)
        else:
            flow.prose(block)
    return first


def plain(heading: str) -> str:
    """A heading without emphasis, code marks, links and tags, on one line, at most 200 characters."""
    return _plain(heading)[:_MOST_HEADING_CHARS]


def _plain(heading: str) -> str:
    text = _MARKUP.sub(lambda match: match.group(1) or "", heading)
    return " ".join(text.split()).rstrip("#").strip()


def _blocks(markdown: str) -> Iterator["_Heading | _Table | str"]:
    """Headings and tables outside of code, and the text between them."""
    lines = markdown.split("\n")
    text: list[str] = []
    fence = ""
    at = count = 0
    while at < len(lines):
        line = lines[at]
        found = None
        if not fence and count < _MOST_BLOCKS:
            found = _heading(line) or _underlined(line, above=text) or _table(lines, at)
        if found is None:
            fence = _fence(line, fence)
            text.append(line)
            at += 1
            continue
        yield "\n".join(text)
        text = []
        yield found
        at += found.lines
        count += 1
    yield "\n".join(text)


def _heading(line: str) -> _Heading | None:
    match = _HEADING.match(line) if "#" in line[:4] else None
    words = _plain(match.group(2) or "") if match else ""
    return _Heading(len(match.group(1)), words) if match and words else None


def _underlined(line: str, *, above: list[str]) -> _Heading | None:
    """The heading that the last line above becomes by this one, which is taken from there."""
    if line[:1] not in ("=", "-") or not above or not _UNDERLINE.match(line) or not _UNDERLINED.match(above[-1]):
        return None
    words = _plain(above[-1])
    if not words:
        return None
    above.pop()
    return _Heading(1 if line.startswith("=") else 2, words)


def _fence(line: str, fence: str) -> str:
    """The mark of the code block that is open after the line, or ''."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match.group(1)
    closes = match.group(1).startswith(fence) and not line.strip(" `~")
    return "" if closes else fence


def _table(lines: list[str], at: int) -> _Table | None:
    """The table (GFM 4.10) whose head is at this line; None where there is none, or none with rows."""
    if at + 2 >= len(lines) or "|" not in lines[at] or not _RULE.match(lines[at + 1]):
        return None
    head = _cells(lines[at])
    if len(head) != len(_cells(lines[at + 1])):
        return None
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    rows = [_cells(line) for line in lines[at + 2 : end]]
    return _Table((head, *rows), lines=end - at) if rows else None


def _cells(line: str) -> list[str]:
    """The cells of a row; marks at its ends are left to the writer, and one that is escaped is text."""
    row = line.strip().removeprefix("|")
    cells = _UNESCAPED_PIPE.split(row)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _without_front_matter(text: str) -> tuple[str, str]:
    match = _FRONT_MATTER.match(text)
    return (match.group(1) or match.group(2) or "", text[match.end() :]) if match else ("", text)


def _title(front: str) -> str:
    # A title is one plain line; the rest of the YAML is never loaded (aliases and tags are attacks).
    match = _TITLE.search(front)
    return plain(match.group(1).strip().strip("\"'")) if match else ""
