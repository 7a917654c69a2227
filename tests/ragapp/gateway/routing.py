"""A router whose gate finds nothing, for tests of what comes after."""

from ragapp.gateway.base import Finding, Ledger, Signal
from ragapp.gateway.gate import Gate
from ragapp.gateway.ledger import ChainKey, MemoryLedger
from ragapp.gateway.router import Router
from ragapp.gateway.signals.base import Outgoing

KEY = ChainKey("a test key")


class Always:
    """A signal that says the same of every text."""

    def __init__(self, name: str, finding: Finding = Finding.CLEAN) -> None:
        self.name = name
        self._finding = finding

    def look(self, outgoing: Outgoing) -> Signal:
        return Signal(self.name, self._finding)


def router(ledger: Ledger | None = None, *, gate: Gate | None = None) -> Router:
    return Router(
        gate=gate or Gate([Always("words")]), ledger=ledger or MemoryLedger(KEY), question_hash=KEY.question_hash
    )
