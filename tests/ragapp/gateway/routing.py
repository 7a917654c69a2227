"""Signals that say what they are told, and a router whose gate finds nothing, for tests of what comes after."""

from collections.abc import Callable

from ragapp.gateway.base import Finding, Ledger, Signal
from ragapp.gateway.gate import Gate
from ragapp.gateway.ledger import ChainKey, MemoryLedger
from ragapp.gateway.router import Router
from ragapp.gateway.signals.base import Outgoing

KEY = ChainKey("a test key")


class Said:
    """A signal that does what it is told."""

    def __init__(self, name: str, look: Callable[[Outgoing], Signal] | None = None) -> None:
        self.name = name
        self._look = look or (lambda _: Signal(name, Finding.CLEAN))

    def look(self, outgoing: Outgoing) -> Signal:
        return self._look(outgoing)


def always(name: str, finding: Finding = Finding.CLEAN) -> Said:
    """It says the same of every text."""
    return Said(name, lambda _: Signal(name, finding))


def router(ledger: Ledger | None = None, *, gate: Gate | None = None) -> Router:
    return Router(
        gate=gate or Gate([always("words")]), ledger=ledger or MemoryLedger(KEY), question_hash=KEY.question_hash
    )
