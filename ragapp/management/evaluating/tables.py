"""What was measured as Markdown tables, for a terminal and for docs/quality.md and docs/privacy.md."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ragapp.errors import entry_for
from ragapp.evaluation.errors import EvaluationError
from ragapp.evaluation.measures import HEADLINE, MEASURES
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.evaluation.reports import curves_of
from ragapp.evaluation.routing import RoutingReport

_STAGES = ("condense", "retrieve", "check", "first_token", "cite", "total")

Report = Mapping[str, Any]


def lines_of(run: EvaluationRun) -> Iterator[str]:
    """Everything but the questions. Raises EvaluationError where the run has no result."""
    if not run.report:
        raise EvaluationError(f"run {run.pk} has no result: {run.get_state_display()}")
    asked = run.report["questions"]
    yield (
        f"{run.question_set}, run {run.pk}: {asked if isinstance(asked, int) else len(asked)} questions"
        f"{_failed(run.report)}, {run.report['documents']} documents, {run.report['chunks']} passages"
    )
    yield ""
    yield from _OF[EvaluationKind(run.kind)](run)
    for name, code in run.report["unread"].items():
        yield f"not read: {name}: {entry_for(code).sentence}"


def _of_retrieval(run: EvaluationRun) -> Iterator[str]:
    arms = run.report["arms"]
    yield from _table(
        ["arm", *MEASURES, "median ms", "p95 ms"],
        [
            [each["arm"], *(_interval(each["measures"][name]) for name in MEASURES)]
            + [f"{ms:.1f}" for ms in each["latency_ms"]["total"]]
            for each in arms
        ],
    )
    yield ""
    stages = [stage for stage in arms[0]["latency_ms"] if stage != "total"]
    yield from _table(
        ["stage, ms: median / p95", *stages],
        [[each["arm"], *("{:.1f} / {:.1f}".format(*each["latency_ms"][stage]) for stage in stages)] for each in arms],
    )
    for each in run.report["comparisons"]:
        difference = f"{each['difference']:+.3f} {HEADLINE}, p = {each['p_value']:.4f}"
        yield f"{each['first']} less {each['second']}: {difference}"
    follow_ups = run.report.get("follow_ups", {})
    if follow_ups.get("given"):
        yield "{all} follow-ups: {given} given to the model, {rewritten} rewritten".format(**follow_ups)


def _of_answers(run: EvaluationRun) -> Iterator[str]:
    report = run.report
    yield from _measures(report)
    yield ""
    latency = report["latency_ms"]
    stages = [stage for stage in _STAGES if stage in latency]
    seconds = ["{:.2f} / {:.2f}".format(*(ms / 1000 for ms in latency[stage])) for stage in stages]
    yield from _table(["s: median / p95", *stages], [["", *seconds]])
    yield ""
    cost = f"; cost {report['cost']:.4f}" if report["cost"] else ""
    yield "{read} tokens read ({read_from_cache} from the cache), {written} written".format(**report["tokens"]) + cost


def _of_refusals(run: EvaluationRun) -> Iterator[str]:
    yield from _measures(run.report)
    for name, points in curves_of(run).items():
        yield ""
        yield from _table(
            [name, "threshold", "answerable refused", "unanswerable refused"],
            [
                [each["by"], f"{each['threshold']:.2f}", _interval(each["answerable"]), _interval(each["unanswerable"])]
                for each in points
            ],
        )


def lines_of_routing(report: RoutingReport) -> Iterator[str]:
    """What the gate lets pass: by group and signal, and with each signal left out."""
    names = list(report.groups[0].held)
    yield from _table(
        ["texts", "number", "pass the gate [95 %]", *(f"held by {name}" for name in names), "in doubt"],
        [
            [each.group, str(each.texts), f"{each.passed / each.texts:.3f} [{each.low:.3f}, {each.high:.3f}]"]
            + [f"{share:.3f}" for share in (*each.held.values(), each.unknown)]
            for each in report.groups
        ],
    )
    yield ""
    yield from _table(
        ["without", "must stay, and pass", "generic, and pass"],
        [[each.signal or "none left out", f"{each.leaked:.3f}", f"{each.covered:.3f}"] for each in report.ablation],
    )
    yield ""
    yield "A look takes {:.1f} ms at the median, {:.1f} at the 95th percentile.".format(*report.milliseconds)


_OF = {
    EvaluationKind.RETRIEVAL: _of_retrieval,
    EvaluationKind.ANSWERS: _of_answers,
    EvaluationKind.REFUSALS: _of_refusals,
}


def _measures(report: Report) -> Iterator[str]:
    """A measure that questions have themselves is a mean over those that do."""
    counts = {name: sum(name in each["measures"] for each in report["questions"]) for name in report["measures"]}
    yield from _table(
        ["measure", "value [95 %]", "questions"],
        [[name, _interval(value), str(counts[name] or "")] for name, value in report["measures"].items()],
    )


def _failed(report: Report) -> str:
    asked = report["questions"]
    failed = 0 if isinstance(asked, int) else sum(bool(each["error"]) for each in asked)
    return f", {failed} failed" if failed else ""


def _table(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
