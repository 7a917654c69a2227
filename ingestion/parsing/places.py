"""Where things are on a page: boxes, words, lines and rules, in points from the bottom left of the page as it is shown.

Knows no library: PDF pages, recognised pictures, tables and layout share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# As in PDF: x' = a·x + c·y + e, y' = b·x + d·y + f.
Matrix = tuple[float, float, float, float, float, float]


class Box(NamedTuple):
    """Left, bottom, right, top in points."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        """In square points."""
        return max(0.0, self.right - self.left) * max(0.0, self.top - self.bottom)

    def holds(self, x: float, y: float) -> bool:
        """Whether the point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top


class Word(NamedTuple):
    """What stands between two blanks, and its place."""

    text: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def x(self) -> float:
        """Of its middle."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """Of its middle."""
        return (self.bottom + self.top) / 2


class Rule(NamedTuple):
    """A line that is drawn along an axis: `at` is its y (or x), from `start` to `end` along the other axis."""

    is_horizontal: bool
    at: float
    start: float
    end: float


@dataclass(frozen=True)
class TextLine:
    """A line as PDFium puts it together; `text` is its words with the file's own blanks."""

    text: str
    words: tuple[Word, ...]


def shown(box: Sequence[float], matrix: Matrix) -> Box:
    a, b, c, d, e, f = matrix
    left, bottom, right, top = box
    xs = (a * left + c * bottom + e, a * right + c * top + e, a * left + c * top + e, a * right + c * bottom + e)
    ys = (b * left + d * bottom + f, b * right + d * top + f, b * left + d * top + f, b * right + d * bottom + f)
    return Box(min(xs), min(ys), max(xs), max(ys))


def times(inner: Matrix, outer: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return (
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + m,
    )


def union(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float, float]:
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))
