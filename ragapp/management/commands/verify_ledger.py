"""Prove that the record of decisions was not changed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ragapp import wiring


class Command(BaseCommand):
    """`manage.py verify_ledger`."""

    help = "Check the hash chain of the record; fails and names each fault where it is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        faults = wiring.ledger().verify()
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"The record has {len(faults)} faults.")
        self.stdout.write("The record is whole.")
