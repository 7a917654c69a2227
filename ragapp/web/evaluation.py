"""Question sets and runs for admins: how good it is, whether it gets better, and where two runs differ."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ingestion.access import AccessScope
from ingestion.selectors import documents_visible_to, uuid_or_none
from ragapp.errors import entry_for
from ragapp.evaluation.cases import cases_of, cases_visible_to, questions_by_id
from ragapp.evaluation.errors import RunOpenError, UnknownRunError
from ragapp.evaluation.follow_ups import FollowUps
from ragapp.evaluation.measures import HEADLINE
from ragapp.evaluation.models import EvaluationRun, RunState
from ragapp.evaluation.reports import (
    Figure,
    Pair,
    Row,
    SideBySide,
    arms_of,
    curves_of,
    figures_of,
    headline_of,
    measures_of,
    rows_of,
    side_by_side,
)
from ragapp.evaluation.retrieval import ARMS
from ragapp.evaluation.services import run_body, run_delete, run_get, run_request, runs_expire
from ragapp.web.access import admins_only, person, scope_of
from ragapp.web.evaluation_cases import case_row
from ragapp.web.numbers import whole_number
from ragapp.web.trend import Trend, trend_of

_RUNS_SHOWN, _PAIRS_SHOWN, _FOUND_SHOWN = 50, 200, 3
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class SetRow:
    """A question set in the list."""

    name: str
    url: str
    cases: int
    runs: int
    last: EvaluationRun | None
    headline: Figure | None
    trend: Trend | None


@dataclass(frozen=True)
class RunRow:
    """A run in its set's table. `sentence` says why it failed."""

    run: EvaluationRun
    figures: tuple[Figure, ...]
    words: str
    sentence: str


@dataclass(frozen=True)
class Choice:
    """An arm of a run, to be compared."""

    run: EvaluationRun
    figure: Figure

    @property
    def value(self) -> str:
        """As the address has it: '12:rerank'."""
        return f"{self.run.pk}:{self.figure.arm}"

    @property
    def words(self) -> str:
        """For a list to choose from."""
        arm = f", {self.figure.arm}" if self.figure.arm else ""
        return f"Run {self.run.pk}{arm} ({self.figure.measure} {self.figure.value:.3f})"


@dataclass(frozen=True)
class Found:
    """A target that was found; `url` opens its document, where that is the installation's own and readable."""

    name: str
    url: str = ""


@dataclass(frozen=True)
class PairRow:
    """A question in two runs, with what each found."""

    pair: Pair
    text: str
    first: list[Found]
    second: list[Found]


@admins_only
@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """Every set, whether it has runs, cases or both."""
    runs_expire()
    scope = scope_of(request)
    cases = dict(
        cases_visible_to(scope)
        .order_by()
        .values_list("question_set")
        .annotate(n=Count("pk"))
        .values_list("question_set", "n")
    )
    runs = EvaluationRun.objects.order_by().values("question_set").annotate(n=Count("pk"), last=Max("pk"))
    counts = {each["question_set"]: (each["n"], each["last"]) for each in runs}
    names = sorted({*cases, *counts}, key=lambda name: (-counts.get(name, (0, 0))[1], name))
    return render(request, "evaluation/page.html", {"rows": [_set(name, cases, counts) for name in names]})


@admins_only
@require_GET
def question_set(request: HttpRequest) -> HttpResponseBase:
    """One set: its trend, its runs and its cases."""
    runs_expire()
    return render(request, "evaluation/set.html", _set_context(request))


@admins_only
@require_GET
def runs(request: HttpRequest) -> HttpResponseBase:
    """The runs of a set as a fragment; it asks for itself again while one goes on."""
    return render(request, "evaluation/_runs.html", _set_context(request))


@require_POST
@admins_only
def start(request: HttpRequest) -> HttpResponseBase:
    """Measure arms over the set's cases."""
    name = request.POST.get("set", "")
    arms = [arm for arm in ARMS if arm in request.POST.getlist("arms")]
    if not cases_of(name, scope=scope_of(request)).exists():
        raise Http404
    try:
        if arms:
            run_request(name, arms=arms, requested_by=person(request))
            messages.success(request, "The run begins in a moment.")
        else:
            messages.error(request, "Choose at least one arm.")
    except RunOpenError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    return redirect(url_of_set(name))


@admins_only
@require_GET
def run(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """One run: its configuration, and every measure of every arm."""
    runs_expire()
    found = _run(run_id)
    report = found.report
    measured = report.get("arms", [report])
    tables = [(arm, figures_of(found, arm=arm)) for arm in arms_of(found)]
    context = {
        "row": _run_row(found),
        "set_url": url_of_set(found.question_set),
        "tables": tables,
        "measures": [figure.measure for figure in tables[0][1]] if tables else [],
        "configuration": _flat(found.configuration),
        "latencies": [(each.get("arm", ""), each["latency_ms"]) for each in measured if each.get("latency_ms")],
        "curves": curves_of(found),
        "follow_ups": report.get("follow_ups"),
        "comparisons": report.get("comparisons", []),
        "headline": HEADLINE,
        "unread": [(name, entry_for(code).sentence) for name, code in report.get("unread", {}).items()],
        **_offer(_choices(found.question_set), own=found),
    }
    return render(request, "evaluation/run.html", context)


@admins_only
@require_GET
def export(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """A run whole, as the command exports it."""
    found = _run(run_id)
    name = f"evaluation-run-{found.pk}.json"
    return JsonResponse(run_body(found), headers={"Content-Disposition": f'attachment; filename="{name}"'})


@admins_only
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """Ask whether it is meant."""
    found = _run(run_id)
    if request.method == "GET":
        return render(request, "evaluation/delete_run.html", {"run": found})
    name = found.question_set
    run_delete(found)
    messages.success(request, f"Run {run_id} is deleted.")
    return redirect(url_of_set(name) if _is_there(name, scope_of(request)) else "web:evaluation")


@admins_only
@require_GET
def compare(request: HttpRequest) -> HttpResponseBase:
    """Two runs, or two arms, question by question: `a` and `b` are a run's number and an arm, as '12:rerank'."""
    (first, first_arm), (second, second_arm) = (_side(request.GET.get(name, "")) for name in "ab")
    before, after = rows_of(first, arm=first_arm), rows_of(second, arm=second_arm)
    measures = measures_of(before, after)
    asked = request.GET.get("measure", "")
    measure = asked if asked in measures else (measures[0] if measures else "")
    found = side_by_side(before, after, measure=measure)
    only_different = request.GET.get("different") == "1"
    pairs = [pair for pair in found.pairs if pair.difference or not only_different]
    context = {
        "first": (first, first_arm),
        "second": (second, second_arm),
        "a": request.GET.get("a", ""),
        "b": request.GET.get("b", ""),
        "choices": _choices(first.question_set, second.question_set),
        "measures": measures,
        "measure": measure,
        "found": found,
        "same": len(found.pairs) - found.better - found.worse,
        "only_different": only_different,
        "rows": _pair_rows(pairs[:_PAIRS_SHOWN], runs=(first, second), scope=scope_of(request)),
        "left": max(len(pairs) - _PAIRS_SHOWN, 0),
        "verdict": _verdict(found),
        "set_url": url_of_set(first.question_set),
    }
    return render(request, "evaluation/compare.html", context)


def url_of_set(name: str) -> str:
    """A set's name may hold anything, so it is no part of a path."""
    return f"{reverse('web:evaluation_set')}?{urlencode({'set': name})}"


def _set(name: str, cases: dict[str, int], counts: dict[str, tuple[int, int]]) -> SetRow:
    done = _done(name)
    return SetRow(
        name=name,
        url=url_of_set(name),
        cases=cases.get(name, 0),
        runs=counts.get(name, (0, 0))[0],
        last=done[0] if done else None,
        headline=next(iter(headline_of(done[0])), None) if done else None,
        trend=trend_of(done),
    )


def _done(name: str) -> list[EvaluationRun]:
    """The last runs of a set that came to an end, the last first, without their reports."""
    done = EvaluationRun.objects.defer("report").filter(question_set=name, state=RunState.DONE)
    return list(done[:_RUNS_SHOWN])


def _set_context(request: HttpRequest) -> dict[str, object]:
    name, scope = request.GET.get("set", ""), scope_of(request)
    if not _is_there(name, scope):
        raise Http404
    rows = [_run_row(each) for each in EvaluationRun.objects.defer("report").filter(question_set=name)[:_RUNS_SHOWN]]
    done = [row.run for row in rows if row.run.state == RunState.DONE]
    kinds = dict.fromkeys(each.kind for each in done)
    return {
        "name": name,
        "set_url": url_of_set(name),
        "query": urlencode({"set": name}),
        "rows": rows,
        "is_busy": any(not row.run.is_over for row in rows),
        "trends": [trend for kind in kinds if (trend := trend_of([each for each in done if each.kind == kind]))],
        **_offer([choice for row in rows for choice in _of_run(row)]),
        "cases": [case_row(case, scope=scope) for case in cases_of(name, scope=scope)],
        "arms": list(ARMS),
    }


def _is_there(name: str, scope: AccessScope) -> bool:
    return EvaluationRun.objects.filter(question_set=name).exists() or cases_of(name, scope=scope).exists()


def _run(number: int) -> EvaluationRun:
    try:
        return run_get(number)
    except UnknownRunError as exc:
        raise Http404 from exc


def _run_row(found: EvaluationRun) -> RunRow:
    return RunRow(
        run=found,
        figures=headline_of(found) if found.state == RunState.DONE else (),
        words=", ".join(_in_words(found.configuration)),
        sentence=entry_for(found.error_code).sentence if found.error_code else "",
    )


def _in_words(configuration: dict[str, Any]) -> list[str]:
    """What tells runs apart, in few words."""
    said = [str(configuration.get(name, "")) for name in ("model", "embedding_model")]
    said += ["live index"] if configuration.get("corpus") == "live" else []
    said += ["whole passages"] if configuration.get("whole_passages") else []
    if not configuration.get("whole_passages") and configuration.get("chunk_tokens"):
        said.append(f"{configuration['chunk_tokens']} tokens")
    if (follow_ups := configuration.get("follow_ups", FollowUps.LEANING)) != FollowUps.LEANING:
        said.append(f"follow-ups {follow_ups}")
    return [each for each in said if each]


def _flat(configuration: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values to read; the arms have a table of their own."""
    said = {name.replace("_", " "): value for name, value in configuration.items() if name != "arms"}
    return [
        (name, ("yes" if value else "no") if isinstance(value, bool) else str(value)) for name, value in said.items()
    ]


def _arms(row: RunRow) -> list[Figure]:
    """One figure for each arm; answers have one arm with several figures."""
    return list({figure.arm: figure for figure in reversed(row.figures)}.values())[::-1]


def _of_run(row: RunRow) -> list[Choice]:
    return [Choice(row.run, figure) for figure in _arms(row)]


def _choices(*names: str) -> list[Choice]:
    """What can be compared, the last run first."""
    return [choice for name in dict.fromkeys(names) for each in _done(name) for choice in _of_run(_run_row(each))]


def _offer(choices: list[Choice], *, own: EvaluationRun | None = None) -> dict[str, object]:
    """The choices, with B the last run, or `own`, and A the one to compare it with: before it, of the same arm."""
    second = next((each for each in choices if own is None or each.run == own), None)
    alike = [each for each in choices if second and each.run.kind == second.run.kind and each != second]
    first = next((each for each in alike if second and each.figure.arm == second.figure.arm), None)
    first = first or next(iter(alike), None)
    return {
        "choices": choices,
        "a": first.value if first else "",
        "b": second.value if second else "",
    }


def _side(given: str) -> tuple[EvaluationRun, str]:
    number, _, arm = given.partition(":")
    found = _run(whole_number(number) or 0)
    if arm not in arms_of(found):
        raise Http404
    return found, arm


def _verdict(found: SideBySide) -> str:
    if not found.pairs:
        return "The two have no question in common."
    if not found.difference:
        return "On average there is no difference."
    likely = "more than chance" if found.p_value < _SIGNIFICANT else "within what chance alone makes"
    better = "B is better" if found.difference > 0 else "B is worse"
    return f"{better} by {abs(found.difference):.3f} on average; p = {found.p_value:.4f}, {likely}."


def _pair_rows(pairs: list[Pair], *, runs: tuple[EvaluationRun, EvaluationRun], scope: AccessScope) -> list[PairRow]:
    texts = questions_by_id([pair.first.id for pair in pairs if not pair.first.text], scope=scope)
    rows = [row for pair in pairs for row in (pair.first, pair.second)]
    documents = _documents([target for row in rows for target in row.found[:_FOUND_SHOWN]], scope=scope)
    is_live = [each.configuration.get("corpus") == "live" for each in runs]
    return [
        PairRow(
            pair=pair,
            text=pair.first.text or pair.second.text or texts.get(pair.first.id, ""),
            first=_found(pair.first, documents, is_live=is_live[0]),
            second=_found(pair.second, documents, is_live=is_live[1]),
        )
        for pair in pairs
    ]


def _documents(targets: list[str], *, scope: AccessScope) -> dict[str, str]:
    """Names by id of the installation's own documents, as far as the scope allows it. One query."""
    keys = {key for target in targets if (key := uuid_or_none(target.partition("#")[0]))}
    found = documents_visible_to(scope).filter(pk__in=keys)
    return {str(key): title or name for key, title, name in found.values_list("pk", "title", "name")}


def _found(row: Row, documents: dict[str, str], *, is_live: bool) -> list[Found]:
    return [_target(target, documents, is_live=is_live) for target in row.found[:_FOUND_SHOWN]]


def _target(target: str, documents: dict[str, str], *, is_live: bool) -> Found:
    if not is_live:
        return Found(target)
    key, _, page = target.partition("#page=")
    if key not in documents:
        return Found("a document that is gone")
    return Found(f"{documents[key]}{', page ' + page if page else ''}", reverse("web:document", args=[key]))
