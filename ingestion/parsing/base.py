"""The port for parsers: a file in, sections of plain text out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# A PDF may change its page or its heading at every line, and each section is an object and at least one passage.
MOST_SECTIONS = 50_000


@dataclass(frozen=True)
class Section:
    """A run of text that shares a page and a heading. Chunks never cross a section.

    `heading` is the path of headings, outermost first, joined by ' > ', or ''. `page` counts from 1;
    None where the format has no pages.
    """

    text: str
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True)
class ParsedDocument:
    """What a parser found. `pages` is None where the format has none."""

    sections: tuple[Section, ...]
    pages: int | None = None
    title: str = ""


class Parser(Protocol):
    """One format family. Runs inside the limited child process."""

    def parse(self, path: Path) -> ParsedDocument:
        """Read the file at `path`. Raises a ParseError; the caller checks that there is text."""
        ...
