"""OpenDocument texts: headings, lists, tables, text boxes and notes; what nobody sees is left out."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from ingestion.errors import EncryptedDocumentError
from ingestion.parsing.archive_limits import Archive, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.dates import from_text
from ingestion.parsing.elements import Event, attribute, blocks, child, children, local, named, whole_number
from ingestion.parsing.tables import CellBudget, Flow

_MANIFEST, _CONTENT, _STYLES, _META = "META-INF/manifest.xml", "content.xml", "styles.xml", "meta.xml"
_BODY_DEPTH = 3
_HOLDERS = frozenset({"section", "text-box", "frame", "index-body", "g", "custom-shape", "list-header"})
_CONTENTS = frozenset({"table-of-content", "alphabetical-index", "illustration-index", "table-index"})
_UNSEEN = frozenset(
    {"annotation", "annotation-end", "tracked-changes", "hidden-text", "hidden-paragraph", "note-citation", "ruby-text"}
)
_BREAKS = {"tab": " ", "line-break": "\n"}
_POINTS = re.compile(r"([\d.]{1,10})pt$")
_DEEPEST_LIST = 8
# A cell or a row claims any number of repetitions; a blank one is worth nothing, one with text hardly repeats.
_MOST_REPEATED = 60
_MOST_BLANKS = 100


@dataclass(frozen=True)
class OdtParser:
    """OpenDocument texts (ISO/IEC 26300). Sections follow the headings; each table is one of its own."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError, EncryptedDocumentError, ArchiveLimitError and TooMuchTextError."""
        flow = Flow(max_chars=self.options.max_chars)
        with opened(path) as archive:
            manifest = archive.optional_root(_MANIFEST)
            if manifest is not None and any(local(element) == "encryption-data" for element in manifest.iter()):
                raise EncryptedDocumentError("the document needs a password")
            reader = _Reader(archive, flow)
            reader.read()
            values = {local(element): element.text or "" for element in children(archive.optional_root(_META), "meta")}
        return ParsedDocument(
            sections=flow.sections(),
            title=" ".join(values.get("title", "").split()) or flow.first_heading,
            dated=from_text(values.get("date") or values.get("creation-date", "")),
            notes=(*reader.remarks(), *flow.notes()),
        )


class _Reader:
    def __init__(self, archive: Archive, flow: Flow) -> None:
        self._archive, self._flow = archive, flow
        self._styles = archive.optional_root(_STYLES)
        self._unseen = _unseen_styles(self._styles.iter() if self._styles is not None else ())
        self._budget = CellBudget()
        self._hidden_chars = 0
        self._contents_left_out = False

    def read(self) -> None:
        """The body block by block, so that only one of them is in memory; then headers and footers, each line once."""
        for block in blocks(self._events(), body="text", depth=_BODY_DEPTH):
            self._block(block)
        self._flow.margins(self._margins())

    def remarks(self) -> Iterator[str]:
        if self._hidden_chars:
            yield f"{self._hidden_chars} characters of hidden text were dropped."
        if self._contents_left_out:
            yield "The table of contents was left out."
        if self._archive.broken_parts:
            yield "Parts beside the text (styles, properties) are broken, and were left out."

    def _events(self) -> Iterator[Event]:
        """Those of the content, whose own styles are noted as they pass: they stand before the body."""
        for event, element in self._archive.events(_CONTENT):
            if event == "end" and local(element) == "automatic-styles":
                self._unseen |= _unseen_styles(element.iter())
            yield event, element

    def _margins(self) -> Iterator[str]:
        for element in self._styles.iter() if self._styles is not None else ():
            if local(element) in ("header", "footer", "header-first", "footer-first", "header-left", "footer-left"):
                yield from (self._words(paragraph) for paragraph in named(element, "p"))

    def _block(self, element: Element, *, depth: int = 0) -> None:
        name = local(element)
        if name == "h":
            self._say(element, level=whole_number(attribute(element, "outline-level")) or 1)
        elif name == "p":
            self._say(element, level=None)
        elif name in ("list", "numbered-paragraph"):
            self._list(element, depth=depth)
        elif name == "table":
            self._table(element)
        elif name in _CONTENTS:
            self._contents_left_out = True
        elif name in _HOLDERS:
            self._blocks(element)

    def _blocks(self, elements: Iterable[Element], *, depth: int = 0) -> None:
        for element in elements:
            self._block(element, depth=depth)

    def _say(self, paragraph: Element, *, level: int | None) -> None:
        boxes: list[Element] = []
        notes: list[str] = []
        words = self._words(paragraph, boxes=boxes, notes=notes).strip()
        if level is None:
            self._flow.prose(words)
        else:
            self._flow.heading(words, level=level)
        for note in notes:
            self._flow.prose(note)
        self._blocks(boxes)

    def _list(self, element: Element, *, depth: int) -> None:
        for item in element if local(element) == "list" else (element,):
            bullet = "- "
            for inner in item:
                if local(inner) == "list":
                    self._list(inner, depth=depth + 1)
                elif local(inner) == "h":
                    # Numbered headings are items of a list to the file, not to its reader.
                    self._block(inner)
                elif local(inner) == "p":
                    words = " ".join(self._words(inner).split())
                    self._flow.item("  " * min(depth, _DEEPEST_LIST) + bullet + words if words else "")
                    bullet = "  "
                else:
                    self._block(inner, depth=depth)

    # ---- words

    def _words(
        self,
        element: Element,
        *,
        boxes: list[Element] | None = None,
        notes: list[str] | None = None,
    ) -> str:
        """What is written in an element. Text boxes and notes go into the lists, or stand where they are met."""
        pieces: list[str] = []
        self._collect(element, pieces, boxes=boxes, notes=notes)
        return "".join(pieces)

    def _collect(
        self, element: Element, pieces: list[str], *, boxes: list[Element] | None, notes: list[str] | None
    ) -> None:
        if attribute(element, "style-name") in self._unseen:
            self._hidden_chars += sum(len(text) for text in element.itertext())
            return
        pieces.append(_folded(element.text))
        for inner in element:
            name = local(inner)
            if name in _BREAKS:
                pieces.append(_BREAKS[name])
            elif name == "s":
                count = whole_number(attribute(inner, "c"))
                pieces.append(" " * (1 if count is None else min(count, _MOST_BLANKS)))
            elif name == "text-box" and boxes is not None:
                boxes.append(inner)
            elif name == "note" and notes is not None:
                pieces.append(self._note(inner, notes))
            elif name not in _UNSEEN:
                self._collect(inner, pieces, boxes=boxes, notes=notes)
                if name in ("p", "h", "desc", "title"):
                    pieces.append("\n")
            pieces.append(_folded(inner.tail))

    def _note(self, note: Element, notes: list[str]) -> str:
        """The mark of a note; what it says is put into `notes`."""
        citation, body = child(note, "note-citation"), child(note, "note-body")
        mark = f"[^{''.join(citation.itertext()) if citation is not None else ''}]"
        if body is not None:
            notes.append(f"{mark}: {' '.join(self._words(body).split())}")
        return mark

    # ---- tables

    def _table(self, table: Element) -> None:
        rows: list[list[str]] = []
        heads = 0
        for row, is_head in _rows(table):
            heads += is_head and heads == len(rows)
            cells = self._cells(row)
            count = _repeated(row, "number-rows-repeated") if any(cells) else 1
            self._budget.spend(count * len(cells))
            rows.extend([cells] * count)
        filled = sum(any(cells) for cells in rows)
        if filled == 1:
            for row, _ in _rows(table):
                for cell in row:
                    self._blocks(cell)
        else:
            self._flow.table(rows, head_rows=min(max(heads, 1), 3))

    def _cells(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell in row:
            if local(cell) in ("table-cell", "covered-table-cell"):
                text = " ".join(self._words(cell).split())
                count = _repeated(cell, "number-columns-repeated")
                self._budget.spend(count)
                cells.extend([text] * count)
        while cells and not cells[-1]:
            cells.pop()
        return cells


def _rows(table: Element) -> Iterator[tuple[Element, bool]]:
    """The rows of a table, and whether each is of its head."""
    for inner in table:
        name = local(inner)
        if name == "table-row":
            yield inner, False
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            for row, is_head in _rows(inner):
                yield row, is_head or name == "table-header-rows"


def _repeated(element: Element, name: str) -> int:
    return min(whole_number(attribute(element, name)) or 1, _MOST_REPEATED)


def _folded(text: str | None) -> str:
    """Blanks and line breaks of the file are one blank; those that are meant have elements of their own."""
    return re.sub(r"[ \t\r\n]+", " ", text) if text else ""


def _unseen_styles(elements: Iterable[Element]) -> set[str]:
    """The names of styles whose text no reader sees: hidden, tiny, or white on nothing."""
    return {attribute(style, "name") for style in elements if local(style) == "style" and _is_unseen(style)}


def _is_unseen(style: Element) -> bool:
    text = child(style, "text-properties")
    if text is None:
        return False
    if attribute(text, "display") == "none":
        return True
    size = _POINTS.match(attribute(text, "font-size"))
    if size and size.group(1).count(".") < 2 and size.group(1) != "." and float(size.group(1)) <= 1:
        return True
    return attribute(text, "color").lower() == "#ffffff" and not any(
        attribute(inner, "background-color") not in ("", "transparent", "#ffffff") for inner in style
    )
