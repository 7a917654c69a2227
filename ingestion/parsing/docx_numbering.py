"""The labels of a Word document's lists and numbered headings."""

import re
from collections import Counter
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from ingestion.parsing.docx_styles import Style, value_of
from ingestion.parsing.elements import attribute, local, whole_number

_DEEPEST_LIST = 8


class Numbering:
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
            attribute(element, "numId"): value_of(element, "abstractNumId")
            for element in elements
            if local(element) == "num"
        }
        self._restarted = {
            attribute(element, "numId")
            for element in elements
            if any(local(inner) == "startOverride" for inner in element.iter())
        }
        self._counts: dict[str, Counter[int]] = {}

    def label(self, style: Style) -> str:
        """'-' for a bullet, '4.2' or 'a)' for a number, '' for no list; it counts one on."""
        if not style.list_id or style.list_id == "0":
            return ""
        definition = self._levels.get(self._lists.get(style.list_id, ""), {})
        depth = min(style.list_level or 0, _DEEPEST_LIST)
        level = definition.get(str(depth))
        if level is None:
            return "-"
        if value_of(level, "numFmt") in ("bullet", "none", ""):
            return "-" if value_of(level, "numFmt") == "bullet" else ""
        counts = self._count_on(style.list_id, depth, start=whole_number(value_of(level, "start")))
        return re.sub(r"%([1-9])", lambda match: _numeral(counts, definition, int(match.group(1)) - 1), _text(level))

    def _count_on(self, list_id: str, depth: int, *, start: int | None) -> Counter[int]:
        key = list_id if list_id in self._restarted else self._lists.get(list_id, "")
        counts = self._counts.setdefault(key, Counter())
        counts[depth] = counts[depth] + 1 if depth in counts else (1 if start is None else start)
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        return counts


def _text(level: Element) -> str:
    return value_of(level, "lvlText")[:40]


def _numeral(counts: Counter[int], definition: Mapping[str, Element], depth: int) -> str:
    value = counts.get(depth, 1)
    level = definition.get(str(depth))
    kind = value_of(level, "numFmt")
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
