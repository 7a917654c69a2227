"""What is drawn on a PDF page besides its text: rules, coloured areas and pictures."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from ingestion.parsing.places import Box, Matrix, Rule, shown, times, union

WHITE = (255, 255, 255)
# Drawings of more parts are maps and plots: no tables are looked for, and no ground is known.
_MOST_OBJECTS = 6_000
_MOST_SEGMENTS = 12_000
_FORM_DEPTH = 4
# A filled area this thin is a rule.
_RULE_POINTS = 3.0
_SHORTEST_RULE = 6.0

Colour = tuple[int, int, int]


@dataclass
class Drawn:
    """What was found among a page's objects. `is_whole` is False where there were too many."""

    rules: list[Rule] = field(default_factory=list)
    grounds: list[tuple[Box, Colour | None]] = field(default_factory=list)
    pictures: list[Box] = field(default_factory=list)
    objects: int = 0
    segments: int = 0
    drawings: int = 0
    largest_picture: int = 0

    @property
    def is_whole(self) -> bool:
        return self.objects <= _MOST_OBJECTS and self.segments <= _MOST_SEGMENTS


def page_objects(page: Any) -> Iterator[Any]:
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MOST_OBJECTS * 10)):
        yield pdfium.FPDFPage_GetObject(page, index)


def _form_objects(form: Any) -> Iterator[Any]:
    for index in range(max(0, pdfium.FPDFFormObj_CountObjects(form))):
        yield pdfium.FPDFFormObj_GetObject(form, index)


def collect(objects: Iterator[Any], matrix: Matrix, drawn: Drawn, *, depth: int) -> None:
    for each in objects:
        kind = pdfium.FPDFPageObj_GetType(each)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            continue
        drawn.objects += 1
        if not drawn.is_whole:
            return
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            drawn.drawings += 1
            _path(each, matrix, drawn)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM:
            if depth < _FORM_DEPTH:
                collect(_form_objects(each), times(_matrix(each), matrix), drawn, depth=depth + 1)
        elif kind in {pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING}:
            _picture(each, matrix, drawn, is_image=kind == pdfium.FPDF_PAGEOBJ_IMAGE)


def _picture(each: Any, matrix: Matrix, drawn: Drawn, *, is_image: bool) -> None:
    box = _bounds(each, matrix)
    if box is None:
        return
    drawn.grounds.append((box, None))
    drawn.drawings += 1
    if is_image:
        drawn.pictures.append(box)
        width, height = ctypes.c_uint(), ctypes.c_uint()
        if pdfium.FPDFImageObj_GetImagePixelSize(each, ctypes.byref(width), ctypes.byref(height)):
            drawn.largest_picture = max(drawn.largest_picture, width.value * height.value)


def _path(each: Any, matrix: Matrix, drawn: Drawn) -> None:
    box = _bounds(each, matrix)
    if box is None:
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(each, ctypes.byref(fill), ctypes.byref(stroke)):
        return
    wide, high = box.right - box.left, box.top - box.bottom
    if min(wide, high) <= _RULE_POINTS:
        if max(wide, high) >= _SHORTEST_RULE and (fill.value or stroke.value):
            drawn.rules.append(_rule(box))
        return
    colour = _fill_colour(each) if fill.value else None
    if colour is not None:
        drawn.grounds.append((box, colour))
    if stroke.value or (fill.value and colour != WHITE):
        drawn.rules += _edges(each, times(_matrix(each), matrix), drawn)


def _rule(box: Box) -> Rule:
    if box.right - box.left >= box.top - box.bottom:
        return Rule(True, (box.top + box.bottom) / 2, box.left, box.right)
    return Rule(False, (box.left + box.right) / 2, box.bottom, box.top)


def _fill_colour(each: Any) -> Colour | None:
    parts = [ctypes.c_uint() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(each, *(ctypes.byref(part) for part in parts)):
        return None
    red, green, blue, alpha = (part.value for part in parts)
    return (red, green, blue) if alpha > 200 else None


def _edges(each: Any, matrix: Matrix, drawn: Drawn) -> Iterator[Rule]:
    """The straight parts of a path that lie along an axis."""
    count = pdfium.FPDFPath_CountSegments(each)
    drawn.segments += max(0, count)
    if not drawn.is_whole:
        return
    start: tuple[float, float] | None = None
    before: tuple[float, float] | None = None
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(each, index)
        x, y = ctypes.c_float(), ctypes.c_float()
        if not pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
            continue
        a, b, c, d, e, f = matrix
        here = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO and before is not None:
            yield from _edge(before, here)
        if pdfium.FPDFPathSegment_GetClose(segment) and start is not None:
            yield from _edge(here, start)
        before = here


def _edge(one: tuple[float, float], other: tuple[float, float]) -> Iterator[Rule]:
    wide, high = abs(one[0] - other[0]), abs(one[1] - other[1])
    if max(wide, high) >= _SHORTEST_RULE and min(wide, high) <= 1.0:
        yield _rule(Box(*union((*one, *one), (*other, *other))))


def _matrix(each: Any) -> Matrix:
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(each, ctypes.byref(found)):
        return (1, 0, 0, 1, 0, 0)
    return (found.a, found.b, found.c, found.d, found.e, found.f)


def _bounds(each: Any, matrix: Matrix) -> Box | None:
    parts = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(each, *(ctypes.byref(part) for part in parts)):
        return None
    return shown([part.value for part in parts], matrix)
