"""Say where questions would be answered, and why. Nothing is sent, nothing is recorded."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.access import AccessScope
from ingestion.errors import IngestionError
from ingestion.selectors import scope_for
from ragapp import wiring
from ragapp.answering.base import Retrieval
from ragapp.gateway.base import Decision, Finding
from ragapp.gateway.router import Asked
from ragapp.management.people import acting_user, add_user_argument


@dataclass(frozen=True)
class Line:
    """One line of input."""

    id: str
    asked: Asked


class Command(BaseCommand):
    """`manage.py route [--json] [--user NAME] < questions.jsonl`."""

    help = (
        'Read JSON lines {"id", "text", "history"?} on standard input and say of each where it would be answered and '
        "why. Sends nothing and records nothing. Documents that cannot be searched are an unknown signal."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object a line, with every signal")
        add_user_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        scope = scope_for(acting_user(options["user"]))
        router, model = wiring.unrecorded_router(), wiring.config().chat_model
        for line in _lines(sys.stdin):
            decision = router.decide(line.asked, _found(line.asked.question, scope=scope), model=model)
            self.stdout.write(_body(line, decision) if options["json"] else _sentence(line, decision))


def _lines(stream: Iterable[str]) -> Iterator[Line]:
    for number, raw in enumerate(stream, start=1):
        if raw.strip():
            yield _line(raw, number=number)


def _line(raw: str, *, number: int) -> Line:
    try:
        given = json.loads(raw)
        text, history = given["text"], given.get("history") or []
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        raise CommandError(f'Line {number} is no JSON object with a "text".') from exc
    if not isinstance(text, str) or not isinstance(history, list):
        raise CommandError(f'Line {number}: "text" is a string and "history" a list.')
    return Line(str(given.get("id", number)), Asked(text, earlier_turns=len(history)))


def _found(question: str, *, scope: AccessScope) -> Retrieval | None:
    try:
        return wiring.search(question, scope=scope, limit=wiring.config().passages)
    except IngestionError:
        return None


def _body(line: Line, decision: Decision) -> str:
    return json.dumps({"id": line.id, **asdict(decision)}, ensure_ascii=False)


def _sentence(line: Line, decision: Decision) -> str:
    against = [signal.name for signal in decision.signals if signal.finding is not Finding.CLEAN]
    return f"{line.id}\t{decision.verdict.value}\t{', '.join(against) or 'nothing against it'}\t{decision.reason}"
