"""The parser's target for HTML: turns what begins and ends into headings, prose and tables of a Flow.

No tree is built: nesting of any depth costs neither stack nor memory. What is hidden is skipped as it goes by.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ingestion.parsing.dates import from_text
from ingestion.parsing.encoding import clean
from ingestion.parsing.html_styles import WHITE, Look, declarations, hides, hiding_selectors, is_same, look_of
from ingestion.parsing.html_tables import PROSE, Table
from ingestion.parsing.markdown import plain
from ingestion.parsing.tables import Flow

_DROPPED = frozenset(
    {
        *("script", "style", "nav", "template", "noscript", "iframe", "object", "embed", "svg", "canvas", "math"),
        *("select", "button", "input", "textarea", "audio", "video", "link", "base", "datalist", "ix:hidden"),
    }
)
_BLOCKS = frozenset(
    {
        *("p", "div", "article", "section", "main", "aside", "header", "footer", "address", "blockquote", "center"),
        *("dd", "dt", "dl", "details", "summary", "dialog", "fieldset", "figure", "figcaption", "form", "hr", "li"),
        *("ol", "ul", "menu", "dir", "pre", "table", "caption", "tr", "td", "th", "thead", "tbody", "tfoot", "legend"),
        *("body", "html", "hgroup", "search", "h1", "h2", "h3", "h4", "h5", "h6", "title", "plaintext", "xmp"),
    }
)
# These follow each other line by line; between all others there is a blank line.
_LINES = frozenset({"li", "dd", "tr", "td", "th"})
_PREFORMATTED = frozenset({"pre", "xmp", "plaintext", "listing"})
_LISTS = frozenset({"ol", "ul", "menu", "dir"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MOST_INDENT = 8
_MOST_HEADING_CHARS = 200
_MOST_SELECTORS = 10_000
# The head of a table, a row and a cell are this close to each other.
_NEAR = 4
_META_NAMES = ("property", "name", "itemprop", "http-equiv")
# From the best word on when the content was changed to the worst.
_LAST_CHANGED = (
    *("article:modified_time", "og:updated_time", "dcterms.modified", "dc.date.modified", "last-modified"),
    *("datemodified", "article:published_time", "datepublished", "dcterms.created", "dc.date", "dcterms.date"),
    *("date", "pubdate"),
)
_BLANKS = re.compile(r"[ \t\r\f\v\n]+")


@dataclass(frozen=True)
class Page:
    """What a page says of itself, and sentences on what was left out of it."""

    title: str = ""
    dated: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Hidden:
    """How many elements are open below a hidden one, and whether there was a word in it."""

    depth: int = 0
    by_style: bool = False
    has_words: bool = False
    is_sheet: bool = False
    places: int = 0


@dataclass
class _Styles:
    """What the page's style sheets say: whether there are any, and what they hide."""

    any: bool = False
    sheet: list[str] = field(default_factory=list)
    hiding: set[str] = field(default_factory=set)
    uncertain: bool = False

    def end_sheet(self) -> None:
        self.any = True
        if len(self.hiding) < _MOST_SELECTORS:
            self.hiding.update(hiding_selectors("".join(self.sheet)))
        self.sheet = []

    def note(self, attributes: Mapping[str, str]) -> None:
        if self.hiding and not self.uncertain:
            names = {f".{name}" for name in attributes.get("class", "").split()}
            self.uncertain = not self.hiding.isdisjoint(names | {f"#{attributes.get('id', '')}"})


@dataclass
class _List:
    numbered: bool
    number: int = 0


class Reader:
    """Takes the events of lxml's parser (`start`, `end`, `data`, `comment`, `pi`, `close`)."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._open: list[tuple[str, Look]] = []
        self._hidden = _Hidden()
        self._styles = _Styles()
        self._lists: list[_List] = []
        self._pieces: list[str] = []
        self._lines: list[str] = []
        self._bullet = ""
        self._preformatted = 0
        self._quoted = 0
        self._table: Table | None = None
        self._title = ""
        self._first_heading = ""
        self._dates: dict[str, str] = {}

    def page(self) -> Page:
        """Title, date and notes, once everything is read."""
        dated = next(filter(None, (from_text(self._dates.get(name, "")) for name in _LAST_CHANGED)), None)
        notes = []
        if self._hidden.places:
            notes.append(f"Hidden text was left out in {self._hidden.places} places.")
        if self._styles.uncertain:
            notes.append("Some text may be hidden by a style sheet, and was kept.")
        return Page(title=self._title or self._first_heading, dated=dated, notes=tuple(notes))

    # ---------------------------------------------------------------------------------------- what the parser calls
    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._hidden.depth:
            self._hidden.depth += 1
            return
        look = around = self._open[-1][1] if self._open else Look()
        by_style = False
        if attributes:
            style = declarations(attributes["style"]) if "style" in attributes else {}
            look = look_of(attributes, style, around=around)
            by_style = "hidden" in attributes or hides(style) or self._is_unseen(look, around=around)
            self._styles.note(attributes)
        if by_style or tag in _DROPPED:
            self._hide(tag, attributes, by_style=by_style)
            return
        self._open.append((tag, look))
        if tag in _BLOCKS:
            self._break(tag, lists_around=len(self._lists))
        self._begin(tag, attributes)

    def end(self, tag: str) -> None:
        if self._hidden.depth:
            self._hidden.depth -= 1
            if not self._hidden.depth:
                self._end_hidden()
        elif self._open and self._open[-1][0] == tag:
            self._finish(tag)
            self._open.pop()

    def data(self, text: str) -> None:
        if self._hidden.is_sheet:
            self._styles.sheet.append(text)
        elif self._hidden.depth:
            self._hidden.has_words = self._hidden.has_words or not text.isspace()
        else:
            self._pieces.append(text if self._preformatted else _BLANKS.sub(" ", text))

    def comment(self, text: str) -> None:
        """Comments are no text."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor are processing instructions."""

    def close(self) -> None:
        self._end_table()
        self._paragraph()

    # ------------------------------------------------------------------------------------------------ what is hidden
    def _is_unseen(self, look: Look, *, around: Look) -> bool:
        """Text in the colour of what is behind it: white, unless it is said or a style sheet may say it."""
        if look == around or look.text is None:
            return False
        if look.behind is not None or not self._styles.any:
            return is_same(look.text, look.behind or WHITE)
        self._styles.uncertain = self._styles.uncertain or is_same(look.text, WHITE)
        return False

    def _hide(self, tag: str, attributes: Mapping[str, str], *, by_style: bool) -> None:
        self._styles.any = self._styles.any or (tag == "link" and "stylesheet" in attributes.get("rel", "").lower())
        self._hidden.depth, self._hidden.by_style, self._hidden.has_words = 1, by_style, False
        self._hidden.is_sheet = tag == "style"

    def _end_hidden(self) -> None:
        if self._hidden.is_sheet:
            self._hidden.is_sheet = False
            self._styles.end_sheet()
        elif self._hidden.by_style and self._hidden.has_words:
            self._hidden.places += 1

    # ------------------------------------------------------------------------------------------------------ elements
    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "br":
            self._pieces.append("\n")
        elif tag == "img":
            self._pieces.append(f" {' '.join(attributes.get('alt', '').split())} ")
        elif tag == "meta":
            self._meta(next((attributes[key] for key in _META_NAMES if key in attributes), ""), attributes, "content")
        elif tag == "time":
            self._meta(attributes.get("itemprop", ""), attributes, "datetime")
        elif tag in _LISTS:
            self._begin_list(tag, attributes)
        elif tag == "li":
            self._item()
        elif tag == "blockquote":
            self._quoted += 1
        elif tag in _PREFORMATTED:
            self._preformatted += 1
        else:
            self._begin_in_table(tag, attributes)

    def _begin_in_table(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "table":
            # A table around another one only places it: what it holds so far is text.
            self._dissolve()
            self._table = Table(is_layout=attributes.get("role") in ("presentation", "none"))
        elif self._table is not None and tag == "tr":
            self._table.begin_row(in_head=any(near == "thead" for near, _ in self._open[-_NEAR:]))
        elif self._table is not None and tag in ("td", "th"):
            self._table.begin_cell(attributes, is_head=tag == "th")

    def _finish(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading(_HEADINGS[tag])
        elif tag == "title" and not any(near == "body" for near, _ in self._open[:_NEAR]):
            self._title = self._title or plain(clean(self._taken()))
        elif tag == "caption" and self._table is not None:
            self._table.caption = " ".join(self._taken().split())
        elif tag in _PREFORMATTED:
            self._end_preformatted()
        elif tag == "dt" and self._table is None:
            # What it means stands right below the term.
            self._line()
        elif tag in _BLOCKS:
            self._break(tag, lists_around=len(self._lists) - 1)
        self._leave(tag)

    def _leave(self, tag: str) -> None:
        if tag in _LISTS:
            self._lists = self._lists[:-1]
        elif tag == "li":
            self._bullet = ""
        elif tag == "blockquote":
            self._quoted -= 1
        elif tag == "table":
            self._end_table()

    def _meta(self, name: str, attributes: Mapping[str, str], value: str) -> None:
        if name.lower() in _LAST_CHANGED:
            self._dates.setdefault(name.lower(), attributes.get(value, ""))

    def _begin_list(self, tag: str, attributes: Mapping[str, str]) -> None:
        start = attributes.get("start", "")
        self._lists.append(_List(tag == "ol", int(start) - 1 if start.isdecimal() and len(start) < 7 else 0))

    def _item(self) -> None:
        own = self._lists[-1] if self._lists else _List(numbered=False)
        own.number += 1
        indent = "  " * min(max(0, len(self._lists) - 1), _MOST_INDENT)
        self._bullet = f"{indent}{own.number}. " if own.numbered else f"{indent}- "

    # -------------------------------------------------------------------------------------------------------- tables
    def _end_table(self) -> None:
        table = self._table
        if table is None or not table.is_data():
            self._dissolve()
            return
        self._table = None
        table.take_title()
        self._flow.table(table.rows(), head_rows=table.head_rows(), caption=table.caption)

    def _dissolve(self) -> None:
        table, self._table = self._table, None
        if table is None:
            return
        self._flow.prose(table.caption)
        for entry in table.entries():
            if entry.level == PROSE:
                self._flow.prose(entry.text)
            else:
                self._head(entry.text, level=entry.level)

    # ---------------------------------------------------------------------------------------------------------- text
    def _break(self, tag: str, *, lists_around: int) -> None:
        is_inner_list = tag in _LISTS and lists_around > 0
        if is_inner_list or (tag in _LINES and (self._table is None or tag == "li")):
            self._line()
        else:
            self._paragraph()

    def _taken(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        return text

    def _line(self) -> None:
        words = "\n".join(filter(None, (" ".join(part.split()) for part in self._taken().split("\n"))))
        if not words:
            return
        self._lines.append(self._bullet + words.replace("\n", "\n" + " " * len(self._bullet)))
        # What follows in the item stands below its first line.
        self._bullet = " " * len(self._bullet)

    def _paragraph(self) -> None:
        self._line()
        text, self._lines = "\n".join(self._lines), []
        if text and not (self._table is not None and self._table.add(text)):
            self._flow.prose("> " + text.replace("\n", "\n> ") if self._quoted else text)

    def _end_preformatted(self) -> None:
        text = self._taken().strip("\n")
        self._preformatted -= 1
        if text.strip() and not (self._table is not None and self._table.add(text)):
            self._flow.prose(f"```\n{text}\n```")

    def _heading(self, level: int) -> None:
        words = " ".join(self._taken().split())
        self._paragraph()
        if words and not (self._table is not None and self._table.add(words, level=level)):
            self._head(words, level=level)

    def _head(self, words: str, *, level: int) -> None:
        if level == 1 and not self._first_heading:
            self._first_heading = plain(clean(words))
        self._flow.heading(words[:_MOST_HEADING_CHARS], level=level)
        self._flow.prose(words[_MOST_HEADING_CHARS:])
