"""Run a source of documents now, here, and say what came of it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.sources import sync
from ingestion.sources.models import RunOutcome, Source, SourceRun
from ingestion.sources.services import source_run_now
from ragapp.errors import entry_for


class Command(BaseCommand):
    """`manage.py sync_source NAME`."""

    help = "Bring a source's documents in step now. The workers read what is new."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the source, as on the Sources page")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        source = Source.objects.filter(name=name).first()
        if source is None:
            raise CommandError(f"There is no source {name!r}.")
        source_run_now(source)
        run = _ran(source)
        counts = ", ".join(f"{count} {what}" for what, count in run.counts.items())
        self.stdout.write(f"{run.get_outcome_display()}: {counts}")
        if run.error_code:
            raise CommandError(entry_for(run.error_code).sentence)
        if run.outcome == RunOutcome.UNCONFIRMED:
            raise CommandError("More than half of it has vanished. An admin confirms that on the Sources page.")


def _ran(source: Source) -> SourceRun:
    """Slice after slice, until the round is over."""
    while True:
        run = sync.run(source.pk)
        if run is None:
            raise CommandError("Another worker runs this source.")
        if run.outcome != RunOutcome.PARTIAL:
            return run
