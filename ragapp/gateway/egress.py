"""The only door out. A ClearedPrompt can be made here alone, from the words of the current question alone.

There is no parameter by which a passage, a history, a file name or a person could get into one.
"""

from dataclasses import dataclass
from typing import Final

from ragapp.gateway.base import Decision, Finding, Verdict
from ragapp.gateway.errors import NotClearedError

_SEAL: Final = object()


@dataclass(frozen=True, init=False)
class ClearedPrompt:
    """A question that may leave. Only `seal` makes one; anything else raises NotClearedError."""

    question: str

    def __init__(self, question: str, *, _seal: object = None) -> None:
        if _seal is not _SEAL:
            raise NotClearedError("only gateway.egress.seal clears a prompt")
        object.__setattr__(self, "question", question)

    def __init_subclass__(cls) -> None:
        raise TypeError("a ClearedPrompt has no other form")

    def __reduce__(self) -> str:
        raise NotClearedError("a cleared prompt is not stored and not passed on")


def seal(question: str, decision: Decision) -> ClearedPrompt:
    """Clear the question under an OUTSIDE decision whose every signal is CLEAN. Raises NotClearedError.

    The router gives no such decision yet, so this refuses everything that the application asks.
    """
    if decision.verdict is not Verdict.OUTSIDE:
        raise NotClearedError(f"the verdict is {decision.verdict.value}")
    if not decision.signals:
        raise NotClearedError("no signal was evaluated")
    unclean = [signal.name for signal in decision.signals if signal.finding is not Finding.CLEAN]
    if unclean:
        raise NotClearedError(f"not clean: {', '.join(unclean)}")
    return ClearedPrompt(question, _seal=_SEAL)
