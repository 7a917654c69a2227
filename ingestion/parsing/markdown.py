"""Markdown: front matter dropped, the rest kept as it is, and cut at its headings.

`split_at_headings` loads LlamaIndex and so belongs to the long-lived parent, never to the parsing child.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion.parsing.base import ParsedDocument, Section
from ingestion.parsing.encoding import clean, decode
from ingestion.parsing.text import read_text_bytes

_FRONT_MATTER = re.compile(r"\A(?:---\n(.*?)\n(?:---|\.\.\.)|\+\+\+\n(.*?)\n\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title\s*[:=]\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FIRST_HEADING = re.compile(r"^#[^\S\n]++(.+)", re.MULTILINE)
_SETEXT = re.compile(r"^(?![#>|\-*+ \t\d])([^\n|]{1,200})\n(=+|-{3,})[ \t]*$", re.MULTILINE)
_HEADING_LINE = re.compile(r"#+\s(.*)")
# What the node parser takes for a heading: any number of marks.
_HEADING_LIKE = re.compile(r"^(#++)[^\S\n](.*)", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+|!?\[([^\]\[]*)\]\([^()\s]*\)|<[^<>]{1,200}>")
# Headings hold any character but this one, so that a path can be taken apart again.
_PATH_SEPARATOR = "\x1f"
_MOST_LEVELS = 6
_MOST_HEADING_CHARS = 200
# Every section is an object that holds the path of its headings; a file of a million '# ' lines is no document.
_MOST_HEADINGS = 10_000


@dataclass(frozen=True)
class MarkdownParser:
    """text/markdown. Gives one section of Markdown, which `split_at_headings` then cuts."""

    max_chars: int

    def parse(self, path: Path) -> ParsedDocument:
        """The Markdown without front matter and comments; the title from either of them."""
        text = clean(decode(read_text_bytes(path, max_chars=self.max_chars)))
        front, body = _without_front_matter(text)
        body = _with_atx_headings(_COMMENT.sub("", body))
        return ParsedDocument(sections=(Section(body),), title=_title(front) or first_heading(body))


def first_heading(markdown: str) -> str:
    """The first level-one heading, or ''."""
    match = _FIRST_HEADING.search(markdown)
    return plain(match.group(1)) if match else ""


def plain(heading: str) -> str:
    """A heading without emphasis, code marks, links and tags, on one line, at most 200 characters."""
    text = _MARKUP.sub(lambda match: match.group(1) or "", heading)
    return " ".join(text.split()).rstrip("#").strip()[:200]


def split_at_headings(parsed: ParsedDocument) -> ParsedDocument:
    """The same document with a section per heading, by LlamaIndex's MarkdownNodeParser."""
    sections = tuple(part for section in parsed.sections for part in _cut(section))
    return ParsedDocument(sections=sections, pages=parsed.pages, title=parsed.title)


def _cut(section: Section) -> Iterator[Section]:
    from llama_index.core.node_parser import MarkdownNodeParser
    from llama_index.core.schema import TextNode

    class UnhashedNode(TextNode):
        """Each part asks for the hash of the whole, which is computed anew and never read."""

        @property
        def hash(self) -> str:
            return ""

    parser = MarkdownNodeParser(header_path_separator=_PATH_SEPARATOR, include_prev_next_rel=False)
    for node in parser.get_nodes_from_node(UnhashedNode(text=_with_bounded_headings(section.text))):
        text = node.get_content().strip()
        above = str(node.metadata.get("header_path", ""))
        if text:
            yield Section(text=text, page=section.page, heading=_heading(above, text=text))


def _with_bounded_headings(text: str) -> str:
    """At most six levels, 200 characters a heading and 10,000 headings; what is beyond loses its mark's place, no word.

    The node parser takes any of them, and keeps with each section the path of all headings above.
    """
    numbers = itertools.count(1)

    def bounded(match: re.Match[str]) -> str:
        marks, words = match.groups()
        if len(marks) > _MOST_LEVELS or next(numbers) > _MOST_HEADINGS:
            # Not at the beginning of its line, it is text.
            return " " + match.group()
        if len(words) <= _MOST_HEADING_CHARS:
            return match.group()
        return f"{marks} {words[:_MOST_HEADING_CHARS]}\n {words[_MOST_HEADING_CHARS:]}"

    return _HEADING_LIKE.sub(bounded, text)


def _heading(above: str, *, text: str) -> str:
    path = [plain(part) for part in above.split(_PATH_SEPARATOR)]
    own = _HEADING_LINE.match(text)
    if own:
        path.append(plain(own.group(1).split("\n", 1)[0]))
    return " > ".join(part for part in path if part)


def _without_front_matter(text: str) -> tuple[str, str]:
    match = _FRONT_MATTER.match(text)
    return (match.group(1) or match.group(2) or "", text[match.end() :]) if match else ("", text)


def _title(front: str) -> str:
    # A title is one plain line; the rest of the YAML is never loaded (aliases and tags are attacks).
    match = _TITLE.search(front)
    return plain(match.group(1).strip().strip("\"'")) if match else ""


def _with_atx_headings(text: str) -> str:
    """Underlined headings as '#' headings: the node parser knows only those."""
    return _SETEXT.sub(lambda match: ("# " if match.group(2)[0] == "=" else "## ") + match.group(1), text)
