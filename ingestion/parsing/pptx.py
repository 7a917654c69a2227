"""Presentations, slide by slide: titles, text, tables, charts, diagrams and speaker notes.

Strict and transitional files alike, as names are compared without their namespaces. Follows nothing outside the file.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.archive_limits import Archive, Part, core_properties, main_part, opened
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.elements import attribute, child, children, content, local, named, reference, whole_number
from ingestion.parsing.tables import Flow, number_text

_UNTITLED = re.compile(r"^(powerpoint|presentation|pr[äe]sentation|untitled|slide 1$)", re.IGNORECASE)
_TITLES = frozenset({"title", "ctrTitle"})
# What the master repeats on every slide and says nothing of its own.
_FURNITURE = frozenset({"sldNum", "dt", "sldImg"})
_OUTLINED = frozenset({"body", "obj", "subTitle", ""})
_TINY_HUNDREDTHS = 200
_MOST_COLUMNS = 1_000
_DEEPEST_BULLET = 8


@dataclass(frozen=True)
class PptxParser:
    """Office Open XML presentations. `page` is the number of the slide, `heading` its title."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError, EncryptedDocumentError, ArchiveLimitError and TooMuchTextError."""
        with opened(path) as archive:
            flow = Flow(max_chars=self.options.max_chars)
            reader = _Reader(archive, flow)
            slides = reader.read()
            properties = core_properties(archive)
        title = " ".join(properties.title.split())
        return ParsedDocument(
            sections=flow.sections(),
            pages=slides,
            title=reader.first_title if _UNTITLED.match(title) or not title else title,
            dated=properties.modified,
            notes=(*reader.remarks(), *flow.notes()),
        )


class _Reader:
    def __init__(self, archive: Archive, flow: Flow) -> None:
        self._archive, self._flow = archive, flow
        self.first_title = ""
        self._relations: dict[str, Part] = {}
        # A part may be referred to from anywhere and any number of times; each is read once.
        self._read: set[str] = set()
        self._footers: set[str] = set()
        self._hidden_slides: list[int] = []
        self._hidden_chars = self._missing = 0

    def read(self) -> int:
        """All slides in the order of the presentation; gives their number."""
        main = main_part(self._archive, usual="ppt/presentation.xml")
        slides = child(self._archive.root(main), "sldIdLst")
        if slides is None:
            raise DamagedDocumentError("no list of slides")
        relations = self._archive.relations(main)
        for number, slide in enumerate(slides, 1):
            part = relations.get(reference(slide))
            if part is None or part.name not in self._archive:
                self._missing += 1
            elif self._is_new(part):
                self._slide(part.name, number=number)
        return len(slides)

    def remarks(self) -> Iterator[str]:
        if self._hidden_slides:
            yield f"Hidden slides were read too: {', '.join(map(str, self._hidden_slides[:20]))}."
        if self._hidden_chars:
            yield f"{self._hidden_chars} characters of hidden text were dropped."
        if self._archive.broken_parts:
            yield f"{self._archive.broken_parts} charts, diagrams or notes are broken, and were left out."
        if self._missing:
            yield f"{self._missing} slides are missing in the file."

    def _slide(self, name: str, *, number: int) -> None:
        root = self._archive.root(name)
        self._relations = self._archive.relations(name)
        if attribute(root, "show") in ("0", "false"):
            self._hidden_slides.append(number)
        shapes = list(self._shapes(child(root, "cSld", "spTree")))
        title = " ".join(" ".join(self._text(shape).split()) for shape in shapes if _placeholder(shape) in _TITLES)
        self.first_title = self.first_title or title.strip()
        self._flow.move(page=number, place=f"slide {number}")
        self._flow.heading(title, level=1)
        for shape in shapes:
            self._shape(shape)
        self._notes(number, title=title)

    def _shapes(self, tree: Iterable[Element] | None) -> Iterator[Element]:
        """What is on the slide, groups taken apart and hidden shapes left out."""
        for shape in tree if tree is not None else ():
            kind = local(shape)
            if kind == "grpSp":
                yield from self._shapes(shape)
            elif kind == "AlternateContent":
                yield from self._shapes(next(iter(shape), None))
            elif kind in ("sp", "graphicFrame", "pic"):
                if _is_hidden(shape):
                    self._hidden_chars += len(self._text(shape))
                else:
                    yield shape

    def _shape(self, shape: Element) -> None:
        kind, holds = local(shape), _placeholder(shape)
        if kind == "graphicFrame":
            self._frame(shape)
        elif kind == "pic":
            self._flow.prose(_described(shape))
        elif holds == "ftr":
            text = " ".join(self._text(shape).split())
            if text not in self._footers:
                self._footers.add(text)
                self._flow.prose(text)
        elif holds not in _TITLES | _FURNITURE:
            self._body(shape, outlined=holds in _OUTLINED)

    def _body(self, shape: Element, *, outlined: bool) -> None:
        paragraphs = [paragraph for body in named(shape, "txBody") for paragraph in named(body, "p")]
        texts = [(paragraph, self._paragraph(paragraph)) for paragraph in paragraphs]
        texts = [(paragraph, text) for paragraph, text in texts if text.strip()]
        for paragraph, text in texts:
            properties = child(paragraph, "pPr")
            level = whole_number(attribute(properties, "lvl")) or 0
            if outlined and len(texts) > 1 and child(properties, "buNone") is None:
                self._flow.item("  " * min(level, _DEEPEST_BULLET) + "- " + " ".join(text.split()))
            else:
                self._flow.item(text.strip())
        # The next shape is no part of this list.
        self._flow.end_list()

    def _frame(self, frame: Element) -> None:
        """A table, a chart or a diagram."""
        for element in children(frame, "graphic", "graphicData"):
            kind = local(element)
            if kind == "tbl":
                self._table(element)
            elif kind == "chart":
                self._chart(self._relations.get(reference(element)))
            elif kind == "relIds":
                self._diagram(self._relations.get(reference(element, "dm")))
        self._flow.prose(_described(frame))

    def _table(self, table: Element) -> None:
        rows: list[list[str]] = []
        for line in named(table, "tr"):
            cells: list[str] = []
            for column, cell in enumerate(named(line, "tc")):
                merged = attribute(cell, "vMerge") in ("1", "true")
                above = rows[-1][column] if merged and rows and column < len(rows[-1]) else ""
                cells.append(self._text(cell) or above[:200])
            rows.append(cells[:_MOST_COLUMNS])
        self._flow.table(rows)

    def _chart(self, part: Part | None) -> None:
        """The numbers that a chart was drawn from, as a table: a row for each category, a column for each series."""
        root = self._root_of(part)
        if root is None:
            return
        series = [element for element in root.iter() if local(element) == "ser"]
        columns = [_points(_first(child(each, "val"), child(each, "yVal"))) for each in series]
        names = [" ".join(_points(child(each, "tx")).values()) or content(child(each, "tx", "v")) for each in series]
        labels: dict[int, str] = {}
        for each in series:
            labels = {**_points(_first(child(each, "cat"), child(each, "xVal"))), **labels}
        title = self._text(child(root, "chart", "title"))
        rows = [[labels.get(index, ""), *(column.get(index, "") for column in columns)] for index in _indexes(columns)]
        self._flow.table([["", *names], *rows], caption=title)
        if not rows:
            self._flow.prose(title)

    def _diagram(self, part: Part | None) -> None:
        root = self._root_of(part)
        for point in root.iter() if root is not None else ():
            if local(point) == "pt":
                self._flow.item("- " + words if (words := " ".join(self._text(point).split())) else "")

    def _notes(self, number: int, *, title: str) -> None:
        part = next((part for part in self._relations.values() if part.kind == "notesSlide"), None)
        root = self._root_of(part)
        shapes = list(self._shapes(child(root, "cSld", "spTree")))
        texts = [self._text(shape).strip() for shape in shapes if _placeholder(shape) not in _FURNITURE]
        if any(texts):
            self._flow.move(page=number, place=f"slide {number}, notes", heading=title)
            for text in texts:
                self._flow.prose(text)

    def _text(self, element: Element | None) -> str:
        if element is None:
            return ""
        paragraphs = (self._paragraph(inner) for inner in element.iter() if local(inner) == "p")
        return "\n".join(text for text in paragraphs if text.strip())

    def _paragraph(self, paragraph: Element) -> str:
        return "".join(self._pieces(paragraph))

    def _pieces(self, element: Element) -> Iterator[str]:
        for inner in element:
            name = local(inner)
            if name == "t":
                yield inner.text or ""
            elif name in ("br", "tab"):
                yield "\n" if name == "br" else " "
            elif name in ("r", "fld") and _is_tiny(child(inner, "rPr")):
                self._hidden_chars += sum(len(text.text or "") for text in named(inner, "t"))
            elif name == "AlternateContent":
                yield from self._pieces(next(iter(inner), inner))
            elif name not in ("pPr", "rPr", "endParaRPr"):
                yield from self._pieces(inner)

    def _root_of(self, part: Part | None) -> Element | None:
        """A part beside the slide, once: None where it was read before, is missing or is broken."""
        return self._archive.optional_root(part.name) if part is not None and self._is_new(part) else None

    def _is_new(self, part: Part) -> bool:
        if part.name in self._read:
            return False
        self._read.add(part.name)
        return True


def _first(*elements: Element | None) -> Element | None:
    return next((element for element in elements if element is not None), None)


def _properties(shape: Element) -> Element | None:
    return next((inner for inner in shape if local(inner).startswith("nv")), None)


def _placeholder(shape: Element) -> str | None:
    """The type of a placeholder, '' for the usual one, None for a shape that is none."""
    holder = child(_properties(shape), "nvPr", "ph")
    return None if holder is None else attribute(holder, "type")


def _is_hidden(shape: Element) -> bool:
    return attribute(child(_properties(shape), "cNvPr"), "hidden") in ("1", "true")


def _described(shape: Element) -> str:
    """The words for whoever does not see a picture."""
    return attribute(child(_properties(shape), "cNvPr"), "descr")


def _is_tiny(properties: Element | None) -> bool:
    size = whole_number(attribute(properties, "sz")) or 0
    return 0 < size <= _TINY_HUNDREDTHS


def _points(data: Element | None) -> dict[int, str]:
    """The cached values of a series by their place in it; of categories in levels the innermost."""
    found: dict[int, str] = {}
    for point in data.iter() if data is not None else ():
        if local(point) == "pt":
            found.setdefault(whole_number(attribute(point, "idx")) or 0, number_text(content(child(point, "v"))))
    return found


def _indexes(columns: Iterable[dict[int, str]]) -> list[int]:
    return sorted({index for column in columns for index in column})
