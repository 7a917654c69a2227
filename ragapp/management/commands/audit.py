"""Prove that nothing is lost and nothing is left over, and mend what can be derived."""

import json
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingestion.errors import IngestionError
from ragapp import embedded, wiring
from ragapp.errors import entry_for
from ragapp.integrity import audit_body
from ragapp.management import local_api
from ragapp.management.people import acting_user, add_user_argument


class Command(BaseCommand):
    """`manage.py audit [--json] [--repair] [--quick]`."""

    help = "Compare database, files and index. Exits with 1 where a fault is left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--repair", action="store_true", help="mend what can be derived, and audit again")
        parser.add_argument(
            "--quick", action="store_true", help="read no file, and search for a sample of the documents"
        )
        add_user_argument(parser)

    def handle(self, *args: Any, repair: bool, quick: bool, **options: Any) -> None:
        server = embedded.running_server() if wiring.config().is_embedded else None
        if server:
            # The index is the server's alone, and it need not stop for this.
            user, wanted = acting_user(options["user"]), {"repair": repair, "quick": quick}
            body = local_api.post(server, "/audit", user=user, body=wanted)
        else:
            body = _audited_here(repair=repair, quick=quick)
        if options["json"]:
            self.stdout.write(json.dumps(body, ensure_ascii=False))
        else:
            self._print(body)
        if not body["clean"]:
            raise CommandError(f"{sum(body['counts'].values())} faults are left.")

    def _print(self, body: dict[str, Any]) -> None:
        for finding in body["findings"]:
            where = finding["document_id"] or finding["path"]
            passage = f" passage {finding['chunk_id']}" if finding["chunk_id"] else ""
            self.stdout.write(f"{finding['kind']:<22} {where}{passage}\n{'':<23}{finding['sentence']}")
        for kind, count in body["mended"].items():
            self.stdout.write(f"{count} mended: {kind}")
        self.stdout.write(
            f"{body['documents']} documents, {body['chunks']} passages, {body['points']} points, {body['seconds']} s: "
            + (", ".join(f"{count} {kind}" for kind, count in body["counts"].items()) or "no fault.")
        )


def _audited_here(*, repair: bool, quick: bool) -> dict[str, Any]:
    with ExitStack() as stack:
        if wiring.config().is_embedded:
            stack.enter_context(embedded.data_folder_owned())
        bar = stack.enter_context(tqdm(unit="", disable=None))

        def on_step(step: str, done: int, total: int) -> None:
            bar.set_description(step, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        try:
            return audit_body(repair=repair, quick=quick, on_step=on_step)
        except IngestionError as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc
