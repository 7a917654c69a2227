"""`evaluate runs`, `evaluate show` and `evaluate compare`: what was measured before."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandParser

from ragapp.evaluation.errors import EvaluationError
from ragapp.evaluation.measures import HEADLINE
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.evaluation.reports import Row, SideBySide, arms_of, headline_of, measures_of, rows_of, side_by_side
from ragapp.evaluation.services import run_body, run_get
from ragapp.management.evaluating import tables
from ragapp.management.evaluating.subcommand import Options, Subcommand, add_json_argument, positive

_MOST_LISTED = 50


def printed(run: EvaluationRun, *, as_json: bool) -> Iterable[str]:
    """A run as tables, or whole."""
    return [_json(run_body(run))] if as_json else tables.lines_of(run)


def _add_show_arguments(parser: CommandParser) -> None:
    parser.add_argument("run", type=positive)
    add_json_argument(parser)


def _add_compare_arguments(parser: CommandParser) -> None:
    parser.add_argument("runs", type=positive, nargs=2, metavar="RUN")
    parser.add_argument("--arm", default="", help="of retrieval; the most telling that both have when left out")
    parser.add_argument("--measure", default="", help="the first that both have when left out")
    add_json_argument(parser)


def _list(options: Options) -> Iterator[str]:
    runs = EvaluationRun.objects.all()[:_MOST_LISTED]
    if options["json"]:
        yield _json([{"run": run.pk, **_head(run), **run.configuration} for run in runs])
        return
    for run in runs:
        said = [f"{figure.name} {figure.value:.3f}" for figure in headline_of(run)]
        said[:0] = [HEADLINE] if run.kind == EvaluationKind.RETRIEVAL and said else []
        result = ", ".join(said) or run.get_state_display()
        yield f"{run.pk:5}  {run.created_at:%Y-%m-%d %H:%M}  {run.question_set}: {result}"


def _show(options: Options) -> Iterable[str]:
    return printed(run_get(options["run"]), as_json=options["json"])


def _compare(options: Options) -> Iterator[str]:
    first, second = (run_get(number) for number in options["runs"])
    before, after = _rows(first, second, options["arm"])
    found = side_by_side(before, after, measure=_measure(options["measure"], measures_of(before, after)))
    if not found.pairs:
        raise EvaluationError("the two runs have no question in common")
    yield from [_json(_body(found))] if options["json"] else _told(found)


SUBCOMMANDS = {
    "runs": Subcommand("the stored runs, the last first", add_json_argument, _list),
    "show": Subcommand("one stored run", _add_show_arguments, _show),
    "compare": Subcommand("two stored runs of one set, question by question", _add_compare_arguments, _compare),
}


def _rows(first: EvaluationRun, second: EvaluationRun, wanted: str) -> tuple[dict[str, Row], dict[str, Row]]:
    """Of the arm that is wanted, or else of the most telling that both have."""
    telling = dict.fromkeys(figure.arm for figure in headline_of(first))
    arm = wanted or next((each for each in telling if each in arms_of(second)), "")
    for run in (first, second):
        if wanted and wanted not in arms_of(run):
            raise EvaluationError(f"run {run.pk} has no arm {wanted}")
    return rows_of(first, arm=arm), rows_of(second, arm=arm)


def _measure(wanted: str, measures: list[str]) -> str:
    if wanted and wanted not in measures:
        raise EvaluationError(f"the two runs have no {wanted} in common; there are {', '.join(measures) or 'none'}")
    return wanted or next(iter(measures), "")


def _told(found: SideBySide) -> Iterator[str]:
    yield (
        f"{len(found.pairs)} questions: {found.worse} worse, {found.better} better in {found.measure} "
        f"({found.difference:+.3f}, p = {found.p_value:.4f})"
    )
    for pair in found.pairs:
        if pair.difference:
            yield f"  {pair.before:.3f} → {pair.after:.3f}  {pair.first.id}"


def _body(found: SideBySide) -> dict[str, Any]:
    different = [pair for pair in found.pairs if pair.difference]
    return {
        "measure": found.measure,
        "questions": len(found.pairs),
        "difference": found.difference,
        "p_value": found.p_value,
        "different": [{"question": pair.first.id, "first": pair.before, "second": pair.after} for pair in different],
    }


def _head(run: EvaluationRun) -> dict[str, Any]:
    return {"kind": run.kind, "question_set": run.question_set, "created_at": run.created_at.isoformat()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
