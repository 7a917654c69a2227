"""Measure retrieval, answers and refusals on a question set, and look at what was measured before."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.errors import IngestionError
from ragapp.errors import entry_for
from ragapp.evaluation.errors import EvaluationError
from ragapp.gateway.errors import GatewayError
from ragapp.management.evaluating import measuring, stored
from ragapp.weights import WeightsError

_SUBCOMMANDS = {**measuring.SUBCOMMANDS, **stored.SUBCOMMANDS}


class Command(BaseCommand):
    """`manage.py evaluate retrieval|answers|refusals|routing DIR`, `runs`, `show N`, `compare N M`."""

    help = "Measure on a folder with corpus.jsonl (or files/), queries.jsonl and qrels.tsv, or on stored cases."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        for name, each in _SUBCOMMANDS.items():
            each.add_arguments(what.add_parser(name, help=each.help))

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        # A fresh machine has no database yet, and a measurement is no reason to start a server first.
        call_command("migrate", verbosity=0)
        try:
            for line in _SUBCOMMANDS[what].run(options):
                self.stdout.write(line)
        except EvaluationError as exc:
            raise CommandError(f"{exc} ({exc.code})") from exc
        except (IngestionError, GatewayError) as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc
        except WeightsError as exc:
            raise CommandError(str(exc)) from exc
