"""A measure over runs as points of a drawing: what a template needs for an SVG of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from ragapp.evaluation.models import EvaluationRun
from ragapp.evaluation.reports import Figure, headline_of

WIDTH, HEIGHT = 600, 120
_MARGIN = 10
# Less than this, from bottom to top, would make noise look like news.
_LEAST_SPAN = 0.05


@dataclass(frozen=True)
class Point:
    """A run in the drawing; `low` and `high` are the ends of its interval. All as text, in the drawing's units."""

    run: EvaluationRun
    figure: Figure
    x: str
    y: str
    low: str
    high: str


@dataclass(frozen=True)
class Trend:
    """The headline measure of runs of one kind, the oldest first."""

    name: str
    points: tuple[Point, ...]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def line(self) -> str:
        """The points of a polyline."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)

    @property
    def sentence(self) -> str:
        """For who cannot see it."""
        first, last = self.points[0].figure.value, self.points[-1].figure.value
        return f"{self.name} over {len(self.points)} runs: from {first:.3f} to {last:.3f}"


def trend_of(runs: Sequence[EvaluationRun]) -> Trend | None:
    """Of the most telling figure of the last run; `runs` are the last first. None where fewer than two have it."""
    wanted = next(iter(headline_of(runs[0])), None) if runs else None
    if wanted is None:
        return None
    key = (wanted.arm, wanted.measure)
    found = [
        (run, figure) for run in reversed(runs) for figure in headline_of(run) if (figure.arm, figure.measure) == key
    ]
    if len(found) < 2:
        return None
    low, high = _range([figure for _, figure in found])

    def y(value: float) -> str:
        return f"{_MARGIN + (HEIGHT - 2 * _MARGIN) * (high - value) / (high - low):.1f}"

    step = (WIDTH - 2 * _MARGIN) / (len(found) - 1)
    return Trend(
        name=wanted.measure + (f", {wanted.arm}" if wanted.arm else ""),
        points=tuple(
            Point(run, figure, f"{_MARGIN + place * step:.1f}", y(figure.value), y(figure.low), y(figure.high))
            for place, (run, figure) in enumerate(found)
        ),
    )


def _range(figures: Sequence[Figure]) -> tuple[float, float]:
    low, high = min(figure.low for figure in figures), max(figure.high for figure in figures)
    spare = max(_LEAST_SPAN - (high - low), 0.0) / 2
    return low - spare, high + spare
