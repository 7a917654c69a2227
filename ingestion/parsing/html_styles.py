"""What inline styles and style sheets hide from a reader. Knows CSS by the few properties that hide text.

Inline styles are believed. A style sheet's rule may be lifted by another or by a script, so it is only reported.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
_NAMED: Mapping[str, Colour] = {
    "white": WHITE, "black": (0, 0, 0), "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255),
    "yellow": (255, 255, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "silver": (192, 192, 192),
    "navy": (0, 0, 128), "maroon": (128, 0, 0), "whitesmoke": (245, 245, 245), "snow": (255, 250, 250),
    "ivory": (255, 255, 240), "ghostwhite": (248, 248, 255), "lightgray": (211, 211, 211),
    "lightgrey": (211, 211, 211), "darkblue": (0, 0, 139), "orange": (255, 165, 0), "purple": (128, 0, 128),
}  # fmt: skip
_HEX = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})(?:[0-9a-f]{2}|[0-9a-f])?$")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})")
_CLEAR = re.compile(r"rgba\([^)]*,\s*0?\.?0+\s*\)$|transparent$")
_LENGTH = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|ex|%|vw|vh)?")
# The largest size, in its unit, that nobody can read.
_UNREADABLE = {"px": 1.0, "pt": 1.0, "em": 0.1, "rem": 0.1, "ex": 0.2, "%": 10.0, "vw": 0.1, "vh": 0.1, None: 1.0}
_OFF_SCREEN = -900.0
# Nobody tells apart what differs by less than this in every channel.
_SAME_WITHIN = 12
_MOST_STYLE_CHARS = 2_000
_MOST_SHEET_CHARS = 1_000_000
_BRACE = re.compile(r"[{}]")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SIMPLE_SELECTOR = re.compile(r"(?:[a-z][a-z0-9]*)?([.#][\w-]+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Look:
    """The colour of text and of what is behind it; None where nothing says it."""

    text: Colour | None = None
    behind: Colour | None = None


def declarations(style: str) -> dict[str, str]:
    """The declarations of a style attribute, in lower case, without '!important'."""
    found: dict[str, str] = {}
    for part in style[:_MOST_STYLE_CHARS].lower().split(";"):
        name, _, value = part.partition(":")
        if value:
            found[name.strip()] = value.replace("!important", "").strip()
    return found


def hides(style: Mapping[str, str]) -> bool:
    """Whether these declarations leave nothing to see, whatever is around the element."""
    return (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or _is_zero(style.get("opacity", ""))
        or _is_unreadable(style.get("font-size", ""))
        or _is_off_screen(style)
        or _is_clipped(style)
    )


def look_of(attributes: Mapping[str, str], style: Mapping[str, str], *, around: Look) -> Look:
    """How the element's text looks, by its own word and else by what is around it."""
    behind = style.get("background-color") or style.get("background") or attributes.get("bgcolor") or ""
    text = style.get("color") or attributes.get("color") or attributes.get("text") or ""
    return Look(text=colour(text) or around.text, behind=_background(behind) or around.behind)


def is_same(first: Colour, second: Colour) -> bool:
    """Whether nobody can tell the two apart."""
    return all(abs(ours - theirs) <= _SAME_WITHIN for ours, theirs in zip(first, second, strict=True))


def colour(value: str) -> Colour | None:
    """A CSS colour by name, in hex or as rgb(); None for any other way to write one."""
    value = value.strip().lower()[:60]
    if value in _NAMED:
        return _NAMED[value]
    match = _HEX.match(value)
    if match:
        digits = match.group(1)
        digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
        return (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    match = _RGB.match(value)
    return (int(match.group(1)), int(match.group(2)), int(match.group(3))) if match else None


def hiding_selectors(sheet: str) -> Iterator[str]:
    """The classes ('.note') and ids ('#note') to which a style sheet's own rules give a hiding style."""
    text = _CSS_COMMENT.sub("", sheet[:_MOST_SHEET_CHARS])
    depth = start = opened = 0
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            depth += 1
            opened = brace.end() if depth == 1 else opened
            continue
        # A rule inside of @media is deeper, and counts for some screens only.
        if depth == 1 and hides(declarations(text[opened : brace.start()])):
            yield from _simple(text[start : opened - 1])
        depth = max(0, depth - 1)
        start = brace.end() if depth == 0 else start


def _simple(selectors: str) -> Iterator[str]:
    for selector in selectors[-_MOST_STYLE_CHARS:].split(","):
        match = _SIMPLE_SELECTOR.match(selector.strip())
        if match:
            yield match.group(1)


def _background(value: str) -> Colour | None:
    if _CLEAR.search(value.strip()):
        return None
    # The shorthand may hold more than the colour.
    return colour(value) or next(filter(None, (colour(word) for word in value.split()[:8])), None)


def _length(value: str) -> tuple[float, str | None] | None:
    match = _LENGTH.match(value)
    return (float(match.group(1)), match.group(2)) if match else None


def _is_zero(value: str) -> bool:
    length = _length(value)
    return length is not None and length[0] == 0


def _is_unreadable(size: str) -> bool:
    length = _length(size)
    return length is not None and 0 <= length[0] <= _UNREADABLE[length[1]]


def _is_off_screen(style: Mapping[str, str]) -> bool:
    places = ("text-indent", *(("left", "top") if style.get("position") in ("absolute", "fixed") else ()))
    lengths = (_length(style.get(place, "")) for place in places)
    return any(length is not None and length[0] <= _OFF_SCREEN for length in lengths)


def _is_clipped(style: Mapping[str, str]) -> bool:
    sizes = (style.get(name, "") for name in ("height", "max-height", "width", "max-width"))
    return style.get("overflow") == "hidden" and any(_is_zero(size) for size in sizes)
