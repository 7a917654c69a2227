"""Prove that the record of decisions was not changed, and sign how far it goes."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ragapp import wiring
from ragapp.audit import checkpoints
from ragapp.audit.models import Record
from ragapp.gateway.errors import CheckpointsUnreadableError


class Command(BaseCommand):
    """`manage.py verify_ledger [--json] [--checkpoints FILE]`."""

    help = (
        "Check the hash chain of the record, and that it goes on to all that was signed before; fails and names each "
        "fault. A whole record is signed anew, by a line more in the file of checkpoints."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print entries, seconds and faults as one object")
        parser.add_argument(
            "--checkpoints", type=Path, metavar="FILE", help="a copy kept elsewhere (default: in the data folder)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["checkpoints"] or wiring.config().data_dir / "ledger-checkpoints.jsonl"
        try:
            known = checkpoints.read(path)
        except CheckpointsUnreadableError as exc:
            raise CommandError(f"{exc} ({exc.code})") from exc
        ledger = wiring.ledger()
        started, entries = time.monotonic(), Record.objects.count()
        # Before it is verified: what is appended meanwhile is signed the next time.
        now = ledger.checkpoint()
        # Verified as if it were signed already, so that what is signed is what was read.
        faults = ledger.verify([*known, now] if now else known)
        seconds = round(time.monotonic() - started, 3)
        if options["json"]:
            self.stdout.write(json.dumps({"entries": entries, "seconds": seconds, "faults": list(faults)}))
        else:
            for fault in faults:
                self.stderr.write(fault)
        if faults:
            raise CommandError(f"The record has {len(faults)} faults: {entries} entries read in {seconds:.1f} s.")
        if now and now.sequence not in {each.sequence for each in known}:
            checkpoints.append(path, now)
        if not options["json"]:
            self.stdout.write(f"The record is whole: {entries} entries read in {seconds:.1f} s.")
