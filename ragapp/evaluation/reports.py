"""What pages show of a stored run, whatever was measured. The shapes of a report are known here alone.

| report | arms | rows |
|---|---|---|
| of retrieval | `arms`: each with `arm`, `measures`, `judged` and `found` by question id; `texts` | a question an arm |
| of answers | one, without a name: `measures` | `questions`: `id`, `text`, `answer`, `refused`, `measures` |
| of refusals | the same, with `curves` by name | `questions`: `id`, `text`, `measures` |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragapp.evaluation.measures import HEADLINE, p_value
from ragapp.evaluation.models import EvaluationRun

# The arm that answers are made with, where a run has it; the others in the order in which they get better.
_TELLING = ("rerank", "hybrid", "dense", "bm25")


@dataclass(frozen=True)
class Figure:
    """A mean over questions with its 95 % confidence interval; `arm` is '' where there is but one."""

    arm: str
    measure: str
    value: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """What it is called beside the others of its run."""
        return self.arm or self.measure


@dataclass(frozen=True)
class Row:
    """A question in one arm of a run. `found` are targets, best first; `answer` what the model said."""

    id: str
    text: str
    measures: Mapping[str, float]
    found: tuple[str, ...] = ()
    answer: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Pair:
    """The same question in two arms or runs; `difference` is the second's value less the first's."""

    first: Row
    second: Row
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Above 0 where the second is better."""
        return self.after - self.before


@dataclass(frozen=True)
class SideBySide:
    """Every question that both have, the worst change first. `difference` is the mean; `p_value` of chance alone."""

    measure: str
    pairs: tuple[Pair, ...] = field(repr=False)
    difference: float
    p_value: float

    @property
    def better(self) -> int:
        """Questions in which the second is better."""
        return sum(pair.difference > 0 for pair in self.pairs)

    @property
    def worse(self) -> int:
        """Questions in which it is worse."""
        return sum(pair.difference < 0 for pair in self.pairs)


def headline_of(run: EvaluationRun) -> tuple[Figure, ...]:
    """What a run is judged by, the most telling first: nDCG@10 of each arm, or each measure of the others."""
    if run.figures:
        return tuple(Figure(**each) for each in run.figures)
    if "arms" in run.report:
        figures = [each for arm in arms_of(run) for each in figures_of(run, arm=arm) if each.measure == HEADLINE]
        order = {arm: place for place, arm in enumerate(_TELLING)}
        return tuple(sorted(figures, key=lambda figure: order.get(figure.arm, len(order))))
    return figures_of(run, arm="")


def rows_of(run: EvaluationRun, *, arm: str) -> dict[str, Row]:
    """The questions of one arm by id. An arm that the run does not have has none."""
    if "arms" not in run.report:
        return {row.id: row for row in map(_answered, run.report.get("questions", [])) if not arm}
    texts = run.report.get("texts", {})
    nothing: dict[str, Any] = {"judged": {}, "found": {}}
    found = next((each for each in run.report["arms"] if each["arm"] == arm), nothing)
    return {
        key: Row(id=key, text=texts.get(key, ""), measures=values, found=tuple(found["found"].get(key, ())))
        for key, values in found["judged"].items()
    }


def arms_of(run: EvaluationRun) -> list[str]:
    """The names of what can be compared; one without a name where the run has no arms."""
    if "arms" in run.report:
        return [str(each["arm"]) for each in run.report["arms"]]
    return [""] if run.report.get("measures") else []


def figures_of(run: EvaluationRun, *, arm: str) -> tuple[Figure, ...]:
    """Every measure of one arm."""
    arms = run.report.get("arms", [{"arm": "", "measures": run.report.get("measures", {})}])
    measures: dict[str, Any] = next((each["measures"] for each in arms if each["arm"] == arm), {})
    return tuple(
        Figure(arm, name, float(value["value"]), float(value["low"]), float(value["high"]))
        for name, value in measures.items()
        if value and value.get("value") is not None
    )


def curves_of(run: EvaluationRun) -> dict[str, list[dict[str, Any]]]:
    """What is refused by threshold, by the curve's name: `by`, `threshold`, and what of the `answerable` and of the
    `unanswerable` questions, as `value`, `low` and `high`.
    """
    found: dict[str, list[dict[str, Any]]] = run.report.get("curves", {})
    return found


def measures_of(*rows: Mapping[str, Row]) -> list[str]:
    """The measures that questions of all of these have, in the order of the first."""
    first, *others = [dict.fromkeys(name for row in each.values() for name in row.measures) for each in rows]
    return [name for name in first if all(name in other for other in others)]


def side_by_side(first: Mapping[str, Row], second: Mapping[str, Row], *, measure: str) -> SideBySide:
    """The questions that both have a value for."""
    pairs = [
        Pair(row, second[key], row.measures[measure], second[key].measures[measure])
        for key, row in first.items()
        if key in second and measure in row.measures and measure in second[key].measures
    ]
    return SideBySide(
        measure=measure,
        pairs=tuple(sorted(pairs, key=lambda pair: pair.difference)),
        difference=_mean([pair.difference for pair in pairs]),
        p_value=p_value([pair.after for pair in pairs], [pair.before for pair in pairs]) if pairs else 1.0,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _answered(question: Mapping[str, Any]) -> Row:
    measures = question.get("measures", {})
    return Row(
        id=str(question["id"]),
        text=str(question.get("text", "")),
        measures={name: float(value) for name, value in measures.items() if value is not None},
        answer=str(question.get("answer", "")),
        refused=bool(question.get("refused")),
    )
