"""Word documents, read part by part: headings, lists, tables, text boxes and notes; what nobody sees is left out.

Strict and transitional files alike, as names are compared without their namespaces. Runs no macro, follows nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.archive_limits import Archive, attribute, child, core_properties, local, main_part, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.tables import CellBudget, Flow

_UNTITLED = re.compile(r"^(microsoft word|document\d*|untitled)", re.IGNORECASE)
_HEADING_STYLE = re.compile(r"heading (\d)$", re.IGNORECASE)
_CONTENTS_STYLE = re.compile(r"toc \d$", re.IGNORECASE)
_WHITE = re.compile(r"f[a-f]f[a-f]f[a-f]$", re.IGNORECASE)
_TINY_HALF_POINTS = 2
_DEEPEST_STYLE = 20
_DEEPEST_LIST = 8
# Word's own bound of columns; a merged cell claims any number.
_MOST_COLUMNS = 63
# A cell that is merged over rows is said again in each of them.
_MOST_REPEATED_CHARS = 200

# Text that a reader does not see, or that was taken out with changes tracked.
_UNSEEN = frozenset({"del", "moveFrom", "delText", "instrText", "rPr", "pPr", "sdtPr", "tcPr", "rt", "binData"})
# Signs of a formula: numerator and denominator, raised and lowered.
_SIGNS = {"den": "/", "sup": "^", "sub": "_", "oMath": " "}
_BREAKS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_BLOCK_HOLDERS = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"})


@dataclass(frozen=True)
class _Look:
    """What decides whether characters are seen; None is inherited."""

    hidden: bool | None = None
    color: str | None = None
    half_points: int | None = None
    shaded: bool | None = None

    def over(self, below: "_Look") -> "_Look":
        return _Look(
            below.hidden if self.hidden is None else self.hidden,
            below.color if self.color is None else self.color,
            below.half_points if self.half_points is None else self.half_points,
            below.shaded if self.shaded is None else self.shaded,
        )

    def unseen(self, *, on_ground: bool) -> bool:
        if self.hidden or (self.half_points is not None and self.half_points <= _TINY_HALF_POINTS):
            return True
        return bool(_WHITE.match(self.color or "")) and not self.shaded and not on_ground


@dataclass(frozen=True)
class _Style:
    name: str = ""
    level: int | None = None
    look: _Look = field(default_factory=_Look)
    list_id: str | None = None
    list_level: int | None = None
    colored: bool = False

    def over(self, below: "_Style") -> "_Style":
        return _Style(
            name=self.name,
            level=below.level if self.level is None else self.level,
            look=self.look.over(below.look),
            list_id=below.list_id if self.list_id is None else self.list_id,
            list_level=below.list_level if self.list_level is None else self.list_level,
            colored=self.colored or below.colored,
        )


@dataclass
class _Found:
    """What a paragraph holds besides its words."""

    boxes: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class DocxParser:
    """Office Open XML text documents. Sections follow the headings; each table is one of its own."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError, EncryptedDocumentError, ArchiveLimitError and TooMuchTextError."""
        with opened(path) as archive:
            flow = Flow(max_chars=self.options.max_chars)
            reader = _Reader(archive, flow)
            reader.read()
            properties = core_properties(archive)
        title = " ".join(properties.title.split())
        return ParsedDocument(
            sections=flow.sections(),
            title=flow.first_heading if not title or _UNTITLED.match(title) else title,
            dated=properties.modified,
            notes=(*reader.remarks(), *flow.notes()),
        )


class _Reader:
    def __init__(self, archive: Archive, flow: Flow) -> None:
        self._archive, self._flow = archive, flow
        self._main = main_part(archive, usual="word/document.xml")
        self._related = list(archive.relations(self._main).values())
        self._parts = {part.kind: part.name for part in self._related}
        styles = self._optional("styles")
        self._styles = _styles(styles)
        self._default = _look(child(styles, "docDefaults", "rPrDefault", "rPr"))
        self._numbering = _Numbering(self._optional("numbering"))
        self._notes = {kind: self._note_elements(kind) for kind in ("footnote", "endnote")}
        self._budget = CellBudget()
        self._hidden_chars = 0
        self._contents_left_out = False

    def read(self) -> None:
        """The body block by block, so that only one of them is in memory; then headers and footers, each once."""
        body: Element | None = None
        depth = 0
        for event, element in self._archive.events(self._main):
            depth += 1 if event == "start" else -1
            if event == "start" and depth == 2 and local(element) == "body":
                body = element
            elif event == "end" and depth == 2 and body is not None:
                self._block(element)
                body.clear()
        if body is None:
            raise DamagedDocumentError("no document body")
        self._margins()

    def remarks(self) -> Iterator[str]:
        if self._hidden_chars:
            yield f"{self._hidden_chars} characters of hidden text were dropped."
        if self._contents_left_out:
            yield "The table of contents was left out."
        if self._archive.broken_parts:
            yield f"{self._archive.broken_parts} parts (styles, notes, headers) are broken, and were left out."

    def _optional(self, kind: str) -> Element | None:
        return self._archive.optional_root(self._parts.get(kind, ""))

    def _note_elements(self, kind: str) -> dict[str, Element]:
        part = self._optional(kind + "s")
        return {attribute(note, "id"): note for note in part if local(note) == kind} if part is not None else {}

    def _margins(self) -> None:
        """What headers and footers say, each line once; page numbers alone are nothing."""
        lines: dict[str, None] = {}
        for name in sorted({part.name for part in self._related if part.kind in ("header", "footer")}):
            root = self._archive.optional_root(name)
            for paragraph in root.iter() if root is not None else ():
                if local(paragraph) == "p":
                    lines[" ".join(self._words(paragraph).split())] = None
        self._flow.move()
        for line in lines:
            if any(char.isalpha() for char in line):
                self._flow.prose(line)

    # ---- blocks

    def _block(self, element: Element, *, on_ground: bool = False) -> None:
        name = local(element)
        if not len(element):
            return
        if name == "p":
            self._paragraph(element, on_ground=on_ground)
        elif name == "tbl":
            self._table(element)
        elif name == "AlternateContent":
            self._blocks(_chosen(element), on_ground=on_ground)
        elif name in _BLOCK_HOLDERS:
            self._blocks(element, on_ground=on_ground)

    def _blocks(self, elements: Iterable[Element], *, on_ground: bool = False) -> None:
        for element in elements:
            self._block(element, on_ground=on_ground)

    def _paragraph(self, element: Element, *, on_ground: bool) -> None:
        style = self._style(element)
        if _CONTENTS_STYLE.match(style.name):
            self._contents_left_out = True
            return
        found = _Found()
        words = self._words(element, found=found, on_ground=on_ground).strip()
        if words:
            self._say(words, style)
        for box in found.boxes:
            self._blocks(box, on_ground=True)
        for kind, number in found.notes:
            self._note(kind, number)

    def _say(self, words: str, style: _Style) -> None:
        label = self._numbering.label(style)
        if style.level is not None:
            self._flow.heading(f"{label} {words}" if label not in ("", "-") else words, level=style.level)
        elif label:
            self._flow.item("  " * (style.list_level or 0) + f"{label} {' '.join(words.split())}")
        else:
            self._flow.prose(words)

    def _note(self, kind: str, number: str) -> None:
        # Each once: what refers to it again must not say it again.
        note = self._notes[kind].pop(number, None)
        if note is not None:
            words = " ".join(self._words(note).split())
            self._flow.prose(f"[^{number}]: {words}" if words else "")

    # ---- words

    def _words(self, element: Element, *, found: _Found | None = None, on_ground: bool = False) -> str:
        """What is written in an element; text boxes and notes go into `found`, or are left where there is none."""
        pieces: list[str] = []
        base = self._style(element).look.over(self._default) if local(element) == "p" else self._default
        self._collect(element, pieces, found=found or _Found(), base=base, on_ground=on_ground)
        return "".join(pieces)

    def _collect(self, element: Element, pieces: list[str], *, found: _Found, base: _Look, on_ground: bool) -> None:
        for inner in element:
            name = local(inner)
            if name == "t":
                pieces.append(inner.text or "")
            elif name in _BREAKS:
                pieces.append(_BREAKS[name])
            elif name == "r":
                self._run(inner, pieces, found=found, base=base, on_ground=on_ground)
            elif name in ("footnoteReference", "endnoteReference"):
                number = attribute(inner, "id")
                pieces.append(f"[^{number}]")
                found.notes.append((name.removesuffix("Reference"), number))
            elif name == "txbxContent":
                found.boxes.append(inner)
            elif name == "docPr" and attribute(inner, "descr"):
                pieces.append(f" {attribute(inner, 'descr')} ")
            elif name not in _UNSEEN:
                pieces.append(_SIGNS.get(name, ""))
                holder = _chosen(inner) if name == "AlternateContent" else inner
                self._collect(holder, pieces, found=found, base=base, on_ground=on_ground)
                if name == "p":
                    pieces.append("\n")

    def _run(self, run: Element, pieces: list[str], *, found: _Found, base: _Look, on_ground: bool) -> None:
        properties = child(run, "rPr")
        look = base
        if properties is not None:
            named = self._styles.get(_value(properties, "rStyle"))
            look = _look(properties).over(named.look.over(base) if named else base)
        if not look.unseen(on_ground=on_ground):
            self._collect(run, pieces, found=found, base=base, on_ground=on_ground)
            return
        self._hidden_chars += sum(len(text.text or "") for text in run.iter() if local(text) == "t")

    def _style(self, paragraph: Element) -> _Style:
        properties = child(paragraph, "pPr")
        if properties is None:
            return _Style()
        style = self._styles.get(_value(properties, "pStyle"), _Style())
        return replace(_paragraph_style(properties).over(style), name=style.name)

    # ---- tables

    def _table(self, table: Element) -> None:
        colored = self._is_colored(table)
        rows: list[list[str]] = []
        above: dict[int, str] = {}
        heads = 0
        for line in _inner(table, "tr"):
            if heads == len(rows) and child(line, "trPr", "tblHeader") is not None:
                heads += 1
            cells = list(self._cells(line, above, on_ground=colored))
            rows.append(cells)
        if sum(any(cells) for cells in rows) == 1:
            # A box around text, or pictures side by side: no table to a reader.
            for cell in (cell for line in _inner(table, "tr") for cell in _inner(line, "tc")):
                self._blocks(cell, on_ground=colored)
        else:
            self._flow.table(rows, head_rows=min(max(heads, 1), 3))

    def _cells(self, line: Element, above: dict[int, str], *, on_ground: bool) -> Iterator[str]:
        column = 0
        for cell in _inner(line, "tc"):
            properties = child(cell, "tcPr")
            text = self._cell(cell, on_ground=on_ground)
            merged = child(properties, "vMerge")
            if merged is not None and attribute(merged, "val") in ("", "continue"):
                text = text or above.get(column, "")
            above[column] = text if merged is not None and len(text) <= _MOST_REPEATED_CHARS else ""
            yield text
            span = min(_number(_value(properties, "gridSpan")) or 1, _MOST_COLUMNS)
            self._budget.spend(span)
            for _ in range(span - 1):
                column += 1
                yield ""
            column += 1

    def _cell(self, cell: Element, *, on_ground: bool) -> str:
        """The words of a cell; tables in it are told row by row."""
        pieces: list[str] = []
        for inner in cell:
            name = local(inner)
            if name == "tbl":
                for line in _inner(inner, "tr"):
                    words = [self._cell(nested, on_ground=on_ground) for nested in _inner(line, "tc")]
                    pieces.append(", ".join(word for word in words if word) + ";")
            elif name == "p":
                pieces.append(self._in_cell(inner, on_ground=on_ground))
            elif name in _BLOCK_HOLDERS:
                pieces.append(self._cell(inner, on_ground=on_ground))
        return " ".join(" ".join(pieces).split())

    def _in_cell(self, paragraph: Element, *, on_ground: bool) -> str:
        found = _Found()
        words = self._words(paragraph, found=found, on_ground=on_ground)
        label = self._numbering.label(self._style(paragraph)) if words.strip() else ""
        boxes = (self._cell(box, on_ground=True) for box in found.boxes)
        notes = (self._notes[kind].pop(number, None) for kind, number in found.notes)
        return " ".join((label, words, *boxes, *(self._words(note) for note in notes if note is not None)))

    def _is_colored(self, table: Element) -> bool:
        """Whether white words can be seen in it: a cell or the table's style has a color."""
        style = self._styles.get(_value(child(table, "tblPr"), "tblStyle"))
        return bool(style and style.colored) or any(_is_shade(element) for element in table.iter())


def _value(properties: Element | None, name: str) -> str:
    """The value of a property, or ''."""
    element = child(properties, name)
    return attribute(element, "val") if element is not None else ""


def _chosen(alternatives: Element) -> Element:
    """Of the ways to say one thing the first; the fallback where the first says nothing."""
    for alternative in alternatives:
        if any(local(inner) in ("t", "txbxContent", "docPr") for inner in alternative.iter()):
            return alternative
    return alternatives


def _inner(element: Element, name: str) -> Iterator[Element]:
    """Rows of a table, or cells of a row, also within content controls and tracked insertions."""
    for inner in element:
        if local(inner) == name:
            yield inner
        elif local(inner) in _BLOCK_HOLDERS:
            yield from _inner(inner, name)


def _is_on(element: Element | None) -> bool | None:
    return None if element is None else attribute(element, "val").lower() not in ("0", "false", "off")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _is_shade(element: Element) -> bool:
    fill = attribute(element, "fill") if local(element) == "shd" else ""
    return bool(fill) and fill.lower() != "auto" and not _WHITE.match(fill)


def _look(properties: Element | None) -> _Look:
    if properties is None:
        return _Look()
    shade = child(properties, "shd")
    highlight = _value(properties, "highlight")
    return _Look(
        hidden=_is_on(child(properties, "vanish")),
        color=_value(properties, "color") or None,
        half_points=_number(_value(properties, "sz")),
        shaded=None if shade is None and not highlight else highlight not in ("", "none", "white") or _shades(shade),
    )


def _shades(shade: Element | None) -> bool:
    return shade is not None and _is_shade(shade)


def _paragraph_style(properties: Element, *, name: str = "") -> _Style:
    """What the properties of a paragraph or of a style say."""
    outline = _number(_value(properties, "outlineLvl"))
    shade = child(properties, "shd")
    numbering = child(properties, "numPr")
    return _Style(
        name=name,
        level=outline + 1 if outline is not None and outline < 9 else None,
        look=_Look(shaded=True) if _shades(shade) else _Look(),
        list_id=_value(numbering, "numId") or None,
        list_level=_number(_value(numbering, "ilvl")),
    )


def _styles(part: Element | None) -> dict[str, _Style]:
    """The styles by id, each with what it inherits."""
    if part is None:
        return {}
    elements = {attribute(style, "styleId"): style for style in part if local(style) == "style"}
    found: dict[str, _Style] = {}
    for name in elements:
        _inherit(elements, name, found=found, depth=0)
    return found


def _inherit(elements: Mapping[str, Element], name: str, *, found: dict[str, _Style], depth: int) -> _Style:
    """Each style is put together once, also where styles rest on each other in a circle."""
    element = elements.get(name)
    if name in found or element is None or depth > _DEEPEST_STYLE:
        return found.get(name, _Style())
    own = _own_style(element)
    below = _value(element, "basedOn")
    found[name] = own.over(_inherit(elements, below, found=found, depth=depth + 1)) if below else own
    return found[name]


def _own_style(element: Element) -> _Style:
    name = _value(element, "name")
    properties = child(element, "pPr")
    style = _paragraph_style(properties, name=name) if properties is not None else _Style(name=name)
    heading = _HEADING_STYLE.match(name)
    level = int(heading.group(1)) if heading else 1 if name.lower() == "title" else style.level
    colored = attribute(element, "type") == "table" and any(_is_shade(inner) for inner in element.iter())
    return replace(style, level=level, look=_look(child(element, "rPr")).over(style.look), colored=colored)


class _Numbering:
    """The labels of lists and of numbered headings, counted as Word counts them."""

    def __init__(self, part: Element | None) -> None:
        elements = list(part) if part is not None else []
        self._levels = {
            attribute(element, "abstractNumId"): {
                attribute(level, "ilvl"): level for level in element if local(level) == "lvl"
            }
            for element in elements
            if local(element) == "abstractNum"
        }
        self._lists = {
            attribute(element, "numId"): _value(element, "abstractNumId")
            for element in elements
            if local(element) == "num"
        }
        self._restarted = {
            attribute(element, "numId")
            for element in elements
            if any(local(inner) == "startOverride" for inner in element.iter())
        }
        self._counts: dict[str, Counter[int]] = {}

    def label(self, style: _Style) -> str:
        """'-' for a bullet, '4.2' or 'a)' for a number, '' for no list; it counts one on."""
        if not style.list_id or style.list_id == "0":
            return ""
        definition = self._levels.get(self._lists.get(style.list_id, ""), {})
        depth = min(style.list_level or 0, _DEEPEST_LIST)
        level = definition.get(str(depth))
        if level is None:
            return "-"
        if _value(level, "numFmt") in ("bullet", "none", ""):
            return "-" if _value(level, "numFmt") == "bullet" else ""
        counts = self._count_on(style.list_id, depth, start=_number(_value(level, "start")))
        return re.sub(r"%([1-9])", lambda match: _numeral(counts, definition, int(match.group(1)) - 1), _text(level))

    def _count_on(self, list_id: str, depth: int, *, start: int | None) -> Counter[int]:
        key = list_id if list_id in self._restarted else self._lists.get(list_id, "")
        counts = self._counts.setdefault(key, Counter())
        counts[depth] = counts[depth] + 1 if depth in counts else (1 if start is None else start)
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        return counts


def _text(level: Element) -> str:
    return _value(level, "lvlText")[:40]


def _numeral(counts: Counter[int], definition: Mapping[str, Element], depth: int) -> str:
    value = counts.get(depth, 1)
    level = definition.get(str(depth))
    kind = _value(level, "numFmt") if level is not None else ""
    if kind in ("lowerLetter", "upperLetter") and 1 <= value <= 26:
        letter = chr(ord("a") + value - 1)
        return letter if kind == "lowerLetter" else letter.upper()
    if kind in ("lowerRoman", "upperRoman") and 1 <= value < 400:
        roman = _roman(value)
        return roman if kind == "lowerRoman" else roman.upper()
    return str(value)


def _roman(value: int) -> str:
    signs = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
    found = ""
    for size, sign in signs:
        count, value = divmod(value, size)
        found += sign * count
    return found
