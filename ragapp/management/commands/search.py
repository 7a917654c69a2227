"""Search the passages on the command line."""

import json
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.errors import IngestionError
from ingestion.selectors import scope_for
from ragapp import embedded, wiring
from ragapp.accounts.models import User
from ragapp.chat.limits import Limits
from ragapp.chat.schema import passage_body
from ragapp.errors import entry_for
from ragapp.management import local_api
from ragapp.management.limits import add_limit_arguments, limits_body, limits_given
from ragapp.management.people import acting_user, add_user_argument


class Command(BaseCommand):
    """`manage.py search "…" [--collection NAME] [--type TYPE] [--language CODE] [--since DATE] [--until DATE]`."""

    help = "Find the passages for a question, without asking the model."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("query")
        parser.add_argument("--limit", type=int, default=10, choices=range(1, 51), metavar="1..50")
        parser.add_argument("--json", action="store_true", help="print the API's search object")
        add_limit_arguments(parser)
        add_user_argument(parser)

    def handle(self, *args: Any, query: str, limit: int, **options: Any) -> None:
        user = acting_user(options["user"])
        limits = limits_given(options, scope=scope_for(user))
        server = embedded.running_server() if wiring.config().is_embedded else None
        if server:
            body = local_api.post(
                server, "/search", user=user, body={"query": query, "limit": limit} | limits_body(limits)
            )
        else:
            body = _searched_here(user, query, limit=limit, limits=limits)
        if options["json"]:
            self.stdout.write(json.dumps(body, ensure_ascii=False))
            return
        for hit in body["hits"]:
            place = hit["place"] or (f"page {hit['page']}" if hit["page"] else "")
            page = f", {place}" if place else ""
            self.stdout.write(f"{hit['score']:.3f}  {hit['title']}{page}\n       {' '.join(hit['text'].split())[:200]}")


def _searched_here(user: User, query: str, *, limit: int, limits: Limits) -> dict[str, Any]:
    with ExitStack() as stack:
        if wiring.config().is_embedded:
            stack.enter_context(embedded.data_folder_owned())
        try:
            scope = limits.scope_within(scope_for(user))
            found = wiring.search(query, scope=scope, limit=limit, conditions=limits.conditions)
        except IngestionError as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc
    return {"relevant": found.relevant, "hits": [passage_body(passage) for passage in found.passages]}
