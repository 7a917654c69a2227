"""Ask a question on the command line."""

import asyncio
import json
from contextlib import ExitStack
from typing import Any

from asgiref.sync import sync_to_async
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.selectors import scope_for
from ragapp import embedded, wiring
from ragapp.accounts.models import User
from ragapp.chat import services
from ragapp.chat.errors import ChatError
from ragapp.chat.limits import Limits
from ragapp.chat.models import AnswerState
from ragapp.chat.schema import answer_body
from ragapp.chat.streaming import answer_events
from ragapp.errors import entry_for
from ragapp.management import local_api
from ragapp.management.limits import add_limit_arguments, limits_body, limits_given
from ragapp.management.people import acting_user, add_user_argument


class Command(BaseCommand):
    """`manage.py ask "…" [--collection NAME] [--type TYPE] [--language CODE] [--since DATE] [--until DATE]`."""

    help = "Answer a question from the documents, with citations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question")
        parser.add_argument("--json", action="store_true", help="print the API's answer object")
        add_limit_arguments(parser)
        add_user_argument(parser)

    def handle(self, *args: Any, question: str, **options: Any) -> None:
        user = acting_user(options["user"])
        limits = limits_given(options, scope=scope_for(user))
        server = embedded.running_server() if wiring.config().is_embedded else None
        if server:
            body = local_api.post(server, "/ask", user=user, body={"question": question} | limits_body(limits))
        else:
            body = _answered_here(user, question, limits=limits)
        if options["json"]:
            self.stdout.write(json.dumps(body, ensure_ascii=False))
        else:
            self._print(body)
        if body["state"] != AnswerState.FINISHED:
            raise CommandError(entry_for(body["error_code"] or "").sentence)

    def _print(self, body: dict[str, Any]) -> None:
        self.stdout.write(body["answer"])
        for citation in body["citations"]:
            page = f", page {citation['page']}" if citation["page"] else ""
            self.stdout.write(f"  [{citation['n']}] {citation['title']}{page}")
        if body["route"]:
            self.stdout.write(f"\n{body['route']['reason']} ({body['route']['model']})")


def _answered_here(user: User, question: str, *, limits: Limits) -> dict[str, Any]:
    with ExitStack() as stack:
        if wiring.config().is_embedded:
            stack.enter_context(embedded.data_folder_owned())
            stack.enter_context(embedded.model_child())
        try:
            turn = services.turn_start(user=user, question=question, limits=limits)
        except ChatError as exc:
            raise CommandError(entry_for(exc.code).sentence) from exc
        asyncio.run(_drain(user, turn))
    return answer_body(services.answer_get(turn.answer.pk, owner=user), scope=scope_for(user))


async def _drain(user: User, turn: services.Turn) -> None:
    scope = await sync_to_async(scope_for)(user)
    async for _ in answer_events(turn.answer.pk, owner=user, answerer=wiring.answerer(), scope=scope):
        pass
