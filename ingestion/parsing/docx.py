"""Word documents, read part by part: headings, lists, tables, text boxes and notes; what nobody sees is left out.

Strict and transitional files alike, as names are compared without their namespaces. Runs no macro, follows nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from ingestion.parsing.archive_limits import Archive, core_properties, main_part, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.docx_numbering import Numbering
from ingestion.parsing.docx_styles import Look, Style, is_shade, look_of, paragraph_style, styles_of, value_of
from ingestion.parsing.elements import attribute, blocks, child, local, whole_number
from ingestion.parsing.tables import CellBudget, Flow

_UNTITLED = re.compile(r"^(microsoft word|document\d*|untitled)", re.IGNORECASE)
_CONTENTS_STYLE = re.compile(r"toc \d$", re.IGNORECASE)
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
        self._styles = styles_of(styles)
        self._default = look_of(child(styles, "docDefaults", "rPrDefault", "rPr"))
        self._numbering = Numbering(self._optional("numbering"))
        self._notes = {kind: self._note_elements(kind) for kind in ("footnote", "endnote")}
        self._budget = CellBudget()
        self._hidden_chars = 0
        self._contents_left_out = False

    def read(self) -> None:
        """The body block by block, so that only one of them is in memory; then headers and footers, each once."""
        for block in blocks(self._archive.events(self._main), body="body", depth=2):
            self._block(block)
        self._flow.margins(self._margins())

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

    def _margins(self) -> Iterator[str]:
        for name in sorted({part.name for part in self._related if part.kind in ("header", "footer")}):
            root = self._archive.optional_root(name)
            for paragraph in root.iter() if root is not None else ():
                if local(paragraph) == "p":
                    yield self._words(paragraph)

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

    def _say(self, words: str, style: Style) -> None:
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

    def _collect(self, element: Element, pieces: list[str], *, found: _Found, base: Look, on_ground: bool) -> None:
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

    def _run(self, run: Element, pieces: list[str], *, found: _Found, base: Look, on_ground: bool) -> None:
        properties = child(run, "rPr")
        look = base
        if properties is not None:
            named = self._styles.get(value_of(properties, "rStyle"))
            look = look_of(properties).over(named.look.over(base) if named else base)
        if not look.unseen(on_ground=on_ground):
            self._collect(run, pieces, found=found, base=base, on_ground=on_ground)
            return
        self._hidden_chars += sum(len(text.text or "") for text in run.iter() if local(text) == "t")

    def _style(self, paragraph: Element) -> Style:
        properties = child(paragraph, "pPr")
        if properties is None:
            return Style()
        style = self._styles.get(value_of(properties, "pStyle"), Style())
        return replace(paragraph_style(properties).over(style), name=style.name)

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
            span = min(whole_number(value_of(properties, "gridSpan")) or 1, _MOST_COLUMNS)
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
        style = self._styles.get(value_of(child(table, "tblPr"), "tblStyle"))
        return bool(style and style.colored) or any(is_shade(element) for element in table.iter())


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
