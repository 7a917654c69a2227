"""The port for parsers: a file in, sections of plain text and tables out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

# A PDF may change its page or its heading at every line, and each section is an object and at least one passage.
MOST_SECTIONS = 50_000


class Ocr(StrEnum):
    """When text is recognised in images: where a page has no usable text layer, on every page, on none."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class ParseOptions:
    """What a parser is told besides the file. `name` is what the person called the file, '' where unknown."""

    max_chars: int
    ocr: Ocr = Ocr.AUTO
    name: str = ""


@dataclass(frozen=True)
class Line:
    """Where the characters `start`..`end` of a section's text stand on its page.

    The box is in shares of the page's width and height, 0..1, from the page's top left as it is shown.
    """

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Section:
    """A run of text that shares a place and a heading. Chunks never cross a section.

    `heading` is the path of headings, outermost first, joined by ' > ', or ''. `page` counts pages, slides or
    sheets from 1; None where the format has none. `place` says it in words where 'page N' is wrong: 'slide 3',
    'sheet Costs', 'attachment offer.pdf, page 2'.

    In a table every line of `text` is a row, in Markdown ('| a | b |'), which no chunk cuts; `header` is the
    Markdown of its head with the rule below it, which every chunk repeats, or '' where it has none.
    """

    text: str
    page: int | None = None
    heading: str = ""
    place: str = ""
    is_table: bool = False
    header: str = ""
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class ParsedDocument:
    """What a parser found. `pages` is None where the format has none.

    `dated` is when the content was last changed, by the file's own word. `notes` are sentences for an admin on
    what was left out or read otherwise ('3 pages were read by text recognition.'), without content of the file.
    """

    sections: tuple[Section, ...]
    pages: int | None = None
    title: str = ""
    dated: datetime | None = None
    notes: tuple[str, ...] = ()


class Parser(Protocol):
    """One format family, made with ParseOptions. Runs inside the limited child process."""

    def parse(self, path: Path) -> ParsedDocument:
        """Read the file at `path`. Raises a ParseError; the caller checks that there is text."""
        ...
