"""What the styles of a Word document say: heading levels, lists, and whether a reader sees the text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from ingestion.parsing.elements import attribute, child, local, whole_number

_HEADING_STYLE = re.compile(r"heading (\d)$", re.IGNORECASE)
_WHITE = re.compile(r"f[a-f]f[a-f]f[a-f]$", re.IGNORECASE)
_TINY_HALF_POINTS = 2
_DEEPEST_STYLE = 20


@dataclass(frozen=True)
class Look:
    """What decides whether characters are seen; None is inherited."""

    hidden: bool | None = None
    color: str | None = None
    half_points: int | None = None
    shaded: bool | None = None

    def over(self, below: "Look") -> "Look":
        """What is said here, and of the rest what is said below."""
        return Look(
            below.hidden if self.hidden is None else self.hidden,
            below.color if self.color is None else self.color,
            below.half_points if self.half_points is None else self.half_points,
            below.shaded if self.shaded is None else self.shaded,
        )

    def unseen(self, *, on_ground: bool) -> bool:
        """Whether no reader sees it; `on_ground`: white shows on what is behind it."""
        if self.hidden or (self.half_points is not None and self.half_points <= _TINY_HALF_POINTS):
            return True
        return bool(_WHITE.match(self.color or "")) and not self.shaded and not on_ground


@dataclass(frozen=True)
class Style:
    """A style, or a paragraph's own properties. `level` of a heading is 1 for the outermost."""

    name: str = ""
    level: int | None = None
    look: Look = field(default_factory=Look)
    list_id: str | None = None
    list_level: int | None = None
    colored: bool = False

    def over(self, below: "Style") -> "Style":
        """What is said here, and of the rest what it is based on."""
        return Style(
            name=self.name,
            level=below.level if self.level is None else self.level,
            look=self.look.over(below.look),
            list_id=below.list_id if self.list_id is None else self.list_id,
            list_level=below.list_level if self.list_level is None else self.list_level,
            colored=self.colored or below.colored,
        )


def value_of(properties: Element | None, name: str) -> str:
    """The value of a property, or ''."""
    return attribute(child(properties, name), "val")


def is_shade(element: Element) -> bool:
    """A colour behind text that is not the paper's."""
    fill = attribute(element, "fill") if local(element) == "shd" else ""
    return bool(fill) and fill.lower() != "auto" and not _WHITE.match(fill)


def look_of(properties: Element | None) -> Look:
    """Of the properties of a run or of a style."""
    if properties is None:
        return Look()
    shade = child(properties, "shd")
    highlight = value_of(properties, "highlight")
    return Look(
        hidden=_is_on(child(properties, "vanish")),
        color=value_of(properties, "color") or None,
        half_points=whole_number(value_of(properties, "sz")),
        shaded=None if shade is None and not highlight else highlight not in ("", "none", "white") or _shades(shade),
    )


def _shades(shade: Element | None) -> bool:
    return shade is not None and is_shade(shade)


def paragraph_style(properties: Element, *, name: str = "") -> Style:
    """What the properties of a paragraph or of a style say."""
    outline = whole_number(value_of(properties, "outlineLvl"))
    shade = child(properties, "shd")
    numbering = child(properties, "numPr")
    return Style(
        name=name,
        level=outline + 1 if outline is not None and outline < 9 else None,
        look=Look(shaded=True) if _shades(shade) else Look(),
        list_id=value_of(numbering, "numId") or None,
        list_level=whole_number(value_of(numbering, "ilvl")),
    )


def styles_of(part: Element | None) -> dict[str, Style]:
    """The styles by id, each with what it inherits."""
    if part is None:
        return {}
    elements = {attribute(style, "styleId"): style for style in part if local(style) == "style"}
    found: dict[str, Style] = {}
    for name in elements:
        _inherit(elements, name, found=found, depth=0)
    return found


def _inherit(elements: Mapping[str, Element], name: str, *, found: dict[str, Style], depth: int) -> Style:
    """Each style is put together once, also where styles rest on each other in a circle."""
    element = elements.get(name)
    if name in found or element is None or depth > _DEEPEST_STYLE:
        return found.get(name, Style())
    own = _own_style(element)
    below = value_of(element, "basedOn")
    found[name] = own.over(_inherit(elements, below, found=found, depth=depth + 1)) if below else own
    return found[name]


def _own_style(element: Element) -> Style:
    name = value_of(element, "name")
    properties = child(element, "pPr")
    style = paragraph_style(properties, name=name) if properties is not None else Style(name=name)
    heading = _HEADING_STYLE.match(name)
    level = int(heading.group(1)) if heading else 1 if name.lower() == "title" else style.level
    colored = attribute(element, "type") == "table" and any(is_shade(inner) for inner in element.iter())
    return replace(style, level=level, look=look_of(child(element, "rPr")).over(style.look), colored=colored)


def _is_on(element: Element | None) -> bool | None:
    return None if element is None else attribute(element, "val").lower() not in ("0", "false", "off")
