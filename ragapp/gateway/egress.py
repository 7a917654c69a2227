"""The only door out. A ClearedPrompt can be made here alone, from the words of the current question alone.

There is no parameter by which a passage, a history, a file name or a person could get into one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ragapp.gateway.base import Decision, Finding, Signal, Verdict
from ragapp.gateway.errors import NotClearedError
from ragapp.gateway.gate import Gate

_SEAL: Final = object()


@dataclass(frozen=True, init=False)
class ClearedPrompt:
    """A question that may leave. Only `Sealer.seal` makes one; anything else raises NotClearedError."""

    question: str

    def __init__(self, question: str, *, _seal: object = None) -> None:
        if _seal is not _SEAL:
            raise NotClearedError("only gateway.egress.Sealer clears a prompt")
        object.__setattr__(self, "question", question)

    def __init_subclass__(cls) -> None:
        raise TypeError("a ClearedPrompt has no other form")

    def __reduce__(self) -> str:
        raise NotClearedError("a cleared prompt is not stored and not passed on")


class Sealer:
    """Clears questions, each looked at once more: a decision is a value, and may be of other words or of before."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def seal(self, question: str, decision: Decision) -> ClearedPrompt:
        """Clear the question under an OUTSIDE decision whose every signal is CLEAN. Raises NotClearedError.

        The router gives no such decision yet, so this refuses everything that the application asks.
        """
        if decision.verdict is not Verdict.OUTSIDE:
            raise NotClearedError(f"the verdict is {decision.verdict.value}")
        missing = sorted(set(self._gate.names) - {signal.name for signal in decision.signals})
        if missing:
            raise NotClearedError(f"not evaluated: {', '.join(missing)}")
        _refuse_unclean(decision.signals)
        _refuse_unclean(self._gate.look(question).signals)
        return ClearedPrompt(question, _seal=_SEAL)


def _refuse_unclean(signals: Iterable[Signal]) -> None:
    unclean = [signal.name for signal in signals if signal.finding is not Finding.CLEAN]
    if unclean:
        raise NotClearedError(f"not clean: {', '.join(unclean)}")
