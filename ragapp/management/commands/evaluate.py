"""Measure retrieval on a question set, and look at what was measured before."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingestion import engine
from ingestion.errors import IngestionError
from ragapp import wiring
from ragapp.errors import entry_for
from ragapp.evaluation import question_set, retrieval
from ragapp.evaluation.corpus import Progress
from ragapp.evaluation.errors import EvaluationError
from ragapp.evaluation.measures import HEADLINE, MEASURES
from ragapp.evaluation.models import EvaluationRun
from ragapp.evaluation.retrieval import ARMS, Arm
from ragapp.evaluation.services import run_get, run_store

_MOST_LISTED = 50


class Command(BaseCommand):
    """`manage.py evaluate retrieval DIR`, `evaluate runs`, `evaluate show N`, `evaluate compare N M`."""

    help = (
        "Measure how well passages are found, on a folder with corpus.jsonl (or files/), queries.jsonl and qrels.tsv."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        measured = what.add_parser("retrieval", help="ask every question of the set, in a throw-away index")
        measured.add_argument("folder", type=Path, metavar="DIR")
        measured.add_argument("--split", default="", help="questions of this split alone")
        measured.add_argument("--arms", type=_arms, default=ARMS, help=f"some of {','.join(ARMS)}; all when left out")
        measured.add_argument("--limit", type=_positive, help="the first N questions alone")
        measured.add_argument(
            "--whole-passages", action="store_true", help="do not cut passages, as published figures do not"
        )
        measured.add_argument("--last-turn-only", action="store_true", help="ask follow-ups as if they stood alone")
        measured.add_argument("--json", action="store_true", help="print the whole report, by question too")
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
            does = {"retrieval": self._measure, "runs": self._list, "show": self._show, "compare": self._compare}
            does[what](options)
        except EvaluationError as exc:
            raise CommandError(f"{exc} ({exc.code})") from exc
        except IngestionError as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc

    def _measure(self, options: dict[str, Any]) -> None:
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

    def _list(self, options: dict[str, Any]) -> None:
        runs = EvaluationRun.objects.all()[:_MOST_LISTED]
        if options["json"]:
            self._write([{"run": run.pk, **_head(run), **run.configuration} for run in runs])
            return
        for run in runs:
            best = ", ".join(f"{arm['arm']} {arm['measures'][HEADLINE]['value']:.3f}" for arm in run.report["arms"])
            self.stdout.write(f"{run.pk:5}  {run.created_at:%Y-%m-%d %H:%M}  {run.question_set}: {HEADLINE} {best}")

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
            self._write({"run": run.pk, **_head(run), "configuration": run.configuration, **run.report})
            return
        report = run.report
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


def _head(run: EvaluationRun) -> dict[str, Any]:
    return {"kind": run.kind, "question_set": run.question_set, "created_at": run.created_at.isoformat()}


def _judged(run: EvaluationRun, arm: str) -> dict[str, dict[str, float]]:
    for each in run.report["arms"]:
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
