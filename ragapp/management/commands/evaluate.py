"""Measure retrieval on a question set, and look at what was measured before."""

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingestion import engine
from ingestion.errors import IngestionError
from ragapp import embedded, wiring
from ragapp.errors import entry_for
from ragapp.evaluation import answers, corpus, live, question_set, retrieval
from ragapp.evaluation.answers import AnswersReport, Prices
from ragapp.evaluation.corpus import Progress
from ragapp.evaluation.errors import EvaluationError
from ragapp.evaluation.judging import Judge
from ragapp.evaluation.measures import HEADLINE, MEASURES
from ragapp.evaluation.models import EvaluationKind, EvaluationRun
from ragapp.evaluation.reports import headline_of
from ragapp.evaluation.retrieval import ARMS, Arm, RetrievalReport
from ragapp.evaluation.services import run_body, run_get, run_store
from ragapp.gateway.base import ChatModel
from ragapp.gateway.errors import GatewayError
from ragapp.management import answer_tables
from ragapp.management.people import acting_user, add_user_argument
from ragapp.weights import WeightsError

_MOST_LISTED = 50
_OF_A_FOLDER = ("split", "limit", "whole_passages", "last_turn_only")


class Command(BaseCommand):
    """`manage.py evaluate retrieval DIR`, `evaluate runs`, `evaluate show N`, `evaluate compare N M`."""

    help = (
        "Measure how well passages are found, on a folder with corpus.jsonl (or files/), queries.jsonl and qrels.tsv."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        measured = what.add_parser("retrieval", help="ask every question of the set, in a throw-away index")
        measured.add_argument("folder", type=Path, metavar="DIR", nargs="?")
        measured.add_argument("--cases", default="", metavar="SET", help="stored cases instead, on the live index")
        add_user_argument(measured)
        measured.add_argument("--split", default="", help="questions of this split alone")
        measured.add_argument("--arms", type=_arms, default=ARMS, help=f"some of {','.join(ARMS)}; all when left out")
        measured.add_argument("--limit", type=_positive, help="the first N questions alone")
        measured.add_argument(
            "--whole-passages", action="store_true", help="do not cut passages, as published figures do not"
        )
        measured.add_argument("--last-turn-only", action="store_true", help="ask follow-ups as if they stood alone")
        measured.add_argument("--json", action="store_true", help="print the whole report, by question too")
        answered = what.add_parser("answers", help="have every question of the set answered, from a throw-away index")
        answered.add_argument("folder", type=Path, metavar="DIR")
        answered.add_argument("--split", default="", help="questions of this split alone")
        answered.add_argument("--limit", type=_positive, help="the first N questions alone")
        answered.add_argument("--model", default="", help="another model inside the perimeter than the configured one")
        answered.add_argument("--judge", action="store_true", help="the configured model marks the answers, too")
        answered.add_argument(
            "--prices", type=float, nargs=2, default=(0.0, 0.0), metavar=("READ", "WRITTEN"),
            help="what a million tokens cost, to have the run's cost",
        )  # fmt: skip
        answered.add_argument("--json", action="store_true", help="print the whole report, by question too")
        runs = what.add_parser("runs", help="the stored runs, the last first")
        runs.add_argument("--json", action="store_true")
        shown = what.add_parser("show", help="one stored run")
        shown.add_argument("run", type=_positive)
        shown.add_argument("--json", action="store_true", help="export it whole")
        compared = what.add_parser("compare", help="two stored runs of one set, question by question")
        compared.add_argument("runs", type=_positive, nargs=2, metavar="RUN")
        compared.add_argument("--arm", default="rerank", choices=list(ARMS))
        compared.add_argument("--json", action="store_true")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        # A fresh machine has no database yet, and a measurement is no reason to start a server first.
        call_command("migrate", verbosity=0)
        try:
            does = {
                "retrieval": self._measure,
                "answers": self._answer,
                "runs": self._list,
                "show": self._show,
                "compare": self._compare,
            }
            does[what](options)
        except EvaluationError as exc:
            raise CommandError(f"{exc} ({exc.code})") from exc
        except (IngestionError, GatewayError) as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc
        except WeightsError as exc:
            raise CommandError(str(exc)) from exc

    def _measure(self, options: dict[str, Any]) -> None:
        if bool(options["cases"]) == bool(options["folder"]):
            raise CommandError("Name either a folder or a set of cases.")
        if options["cases"]:
            if given := [name for name in _OF_A_FOLDER if options[name]]:
                raise CommandError(f"Of cases there is no --{given[0].replace('_', '-')}.")
            self._print(run_store(_of_cases(options)), as_json=options["json"])
            return
        questions = question_set.load(options["folder"], split=options["split"], limit=options["limit"])
        with _bars(shown=not options["json"]) as progress:
            report = retrieval.evaluate(
                questions,
                arms=options["arms"],
                config=wiring.config().ingestion,
                embedder=engine.embedder(),
                whole_passages=options["whole_passages"],
                last_turn_only=options["last_turn_only"],
                progress=progress,
            )
        self._print(run_store(report), as_json=options["json"])

    def _answer(self, options: dict[str, Any]) -> None:
        with ExitStack() as stack:
            progress = stack.enter_context(_bars(shown=not options["json"]))
            configured = wiring.config().chat_model
            model = stack.enter_context(wiring.chat_model_named(options["model"] or configured))
            judge = None
            if options["judge"]:
                other = options["model"] not in {"", configured}
                judge = Judge(stack.enter_context(wiring.chat_model_named(configured)) if other else model)
            report = _of_answers(options, model=model, judge=judge, progress=progress)
        self._print(run_store(report), as_json=options["json"])

    def _list(self, options: dict[str, Any]) -> None:
        runs = EvaluationRun.objects.all()[:_MOST_LISTED]
        if options["json"]:
            self._write([{"run": run.pk, **_head(run), **run.configuration} for run in runs])
            return
        for run in runs:
            said = [f"{figure.name} {figure.value:.3f}" for figure in headline_of(run)]
            said[:0] = [HEADLINE] if run.kind == EvaluationKind.RETRIEVAL and said else []
            result = ", ".join(said) or run.get_state_display()
            self.stdout.write(f"{run.pk:5}  {run.created_at:%Y-%m-%d %H:%M}  {run.question_set}: {result}")

    def _show(self, options: dict[str, Any]) -> None:
        self._print(run_get(options["run"]), as_json=options["json"])

    def _compare(self, options: dict[str, Any]) -> None:
        first, second = (_judged(run_get(number), options["arm"]) for number in options["runs"])
        common = [key for key in first if key in second]
        if not common:
            raise EvaluationError("the two runs have no question in common")
        different = [(key, first[key][HEADLINE], second[key][HEADLINE]) for key in common]
        different = sorted((row for row in different if row[1] != row[2]), key=lambda row: row[2] - row[1])
        if options["json"]:
            rows = [dict(zip(("question", "first", "second"), row, strict=True)) for row in different]
            self._write({"questions": len(common), "different": rows})
            return
        worse = sum(after < before for _, before, after in different)
        self.stdout.write(f"{len(common)} questions: {worse} worse, {len(different) - worse} better in {HEADLINE}")
        for key, before, after in different:
            self.stdout.write(f"  {before:.3f} → {after:.3f}  {key}")

    def _print(self, run: EvaluationRun, *, as_json: bool) -> None:
        if as_json:
            self._write(run_body(run))
            return
        report = run.report
        if not report:
            raise EvaluationError(f"run {run.pk} has no result: {run.get_state_display()}")
        if run.kind == EvaluationKind.ANSWERS:
            for line in answer_tables.lines_of(report, head=f"{run.question_set}, run {run.pk}"):
                self.stdout.write(line)
            return
        self.stdout.write(
            f"{run.question_set}, run {run.pk}: {report['questions']} questions, {report['documents']} documents, "
            f"{report['chunks']} passages\n"
        )
        self.stdout.write("| arm | " + " | ".join(MEASURES) + " | median ms | p95 ms |")
        self.stdout.write("|---|" + "---|" * (len(MEASURES) + 2))
        for arm in report["arms"]:
            cells = " | ".join(_interval(arm["measures"][name]) for name in MEASURES)
            median, p95 = arm["latency_ms"]["total"]
            self.stdout.write(f"| {arm['arm']} | {cells} | {median:.1f} | {p95:.1f} |")
        self.stdout.write("\n| stage, ms: median / p95 | " + " | ".join(_stages(report)) + " |")
        self.stdout.write("|---|" + "---|" * len(_stages(report)))
        for arm in report["arms"]:
            cells = " | ".join("{:.1f} / {:.1f}".format(*arm["latency_ms"][stage]) for stage in _stages(report))
            self.stdout.write(f"| {arm['arm']} | {cells} |")
        for each in report["comparisons"]:
            difference = f"{each['difference']:+.3f} {HEADLINE}, p = {each['p_value']:.4f}"
            self.stdout.write(f"{each['first']} less {each['second']}: {difference}")
        for name, code in report["unread"].items():
            self.stdout.write(f"not read: {name}: {entry_for(code).sentence}")

    def _write(self, value: object) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False))


def _of_cases(options: dict[str, Any]) -> RetrievalReport:
    with ExitStack() as stack:
        if wiring.config().is_embedded:
            stack.enter_context(embedded.data_folder_owned())
        progress = stack.enter_context(_bars(shown=not options["json"]))
        user = acting_user(options["user"])
        return live.measure_cases(options["cases"], user=user, arms=options["arms"], progress=progress)


def _of_answers(options: dict[str, Any], *, model: ChatModel, judge: Judge | None, progress: Progress) -> AnswersReport:
    configured = wiring.config()
    questions = question_set.load(options["folder"], split=options["split"], limit=options["limit"])
    embedder = engine.embedder()
    with corpus.opened(
        questions, config=configured.ingestion, embedder=embedder, whole_passages=False, progress=progress
    ) as texts:
        searched = retrieval.searching(texts, embedder=embedder, relevance_threshold=configured.relevance_threshold)
        return answers.evaluate(
            questions,
            texts,
            answerer=wiring.answerer_for(searched, model=model),
            embedder=embedder,
            judge=judge,
            prices=Prices(*options["prices"]),
            configuration={
                "model": model.name,
                "passages": configured.passages,
                "relevance_threshold": configured.relevance_threshold,
                "refusal_threshold": configured.refusal_threshold,
                "chunk_tokens": configured.ingestion.chunk_tokens,
            },
            progress=progress,
        )


def _head(run: EvaluationRun) -> dict[str, Any]:
    return {"kind": run.kind, "question_set": run.question_set, "created_at": run.created_at.isoformat()}


def _judged(run: EvaluationRun, arm: str) -> dict[str, dict[str, float]]:
    for each in run.report.get("arms", []):
        if each["arm"] == arm:
            judged: dict[str, dict[str, float]] = each["judged"]
            return judged
    raise EvaluationError(f"run {run.pk} has no arm {arm}")


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _stages(report: dict[str, Any]) -> list[str]:
    return [stage for stage in report["arms"][0]["latency_ms"] if stage != "total"]


def _arms(text: str) -> dict[str, Arm]:
    names = text.split(",")
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(ARMS)}")
    return {name: ARMS[name] for name in names}


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("above 0")
    return number


@contextmanager
def _bars(*, shown: bool) -> Iterator[Progress]:
    """A bar for each step, on standard error."""
    bars: dict[str, tqdm[Any]] = {}

    def progress(step: str, done: int, total: int) -> None:
        if step not in bars:
            bars[step] = tqdm(total=total, desc=step, disable=not shown, leave=False)
        bars[step].update(done - bars[step].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()
