"""Where a question is answered. No way outside exists yet: every question stays inside, and is told why.

The router only ever adds reasons to stay inside. A failure on the way to a verdict is a verdict: INSIDE.
"""

from typing import Protocol

from ragapp.gateway.base import Decision, Finding, Ledger, Signal, Verdict

VERSION = "1"


class Found(Protocol):
    """What the router may know of the search: whether anything relevant was found."""

    @property
    def relevant(self) -> bool:
        """True where a passage speaks to the question."""
        ...


class Router:
    """Decides and records. Raises LedgerUnavailableError where the decision cannot be recorded."""

    def __init__(self, *, ledger: Ledger, question_hash: "QuestionHash") -> None:
        self._ledger = ledger
        self._question_hash = question_hash

    def decide(self, question: str, found: Found, *, model: str) -> Decision:
        """INSIDE, with every signal and one sentence for the person. `model` is the in-perimeter model."""
        signals = (_switches(), _proximity(found))
        decision = Decision(verdict=Verdict.INSIDE, reason=_reason(found), model=model, signals=signals)
        self._ledger.append(
            kind="decision",
            body={
                "question": self._question_hash(question),
                "verdict": decision.verdict.value,
                "model": model,
                "router": VERSION,
                "signals": [{"name": s.name, "finding": s.finding.value} for s in signals],
            },
        )
        return decision


class QuestionHash(Protocol):
    """A keyed hash that stands for a question in the record."""

    def __call__(self, question: str) -> str:
        """Hex digest."""
        ...


def _switches() -> Signal:
    return Signal(name="switches", finding=Finding.DENY, evidence="No outside model is configured.", version=VERSION)


def _proximity(found: Found) -> Signal:
    if found.relevant:
        return Signal(
            name="proximity", finding=Finding.DENY, evidence="Passages match your documents.", version=VERSION
        )
    return Signal(name="proximity", finding=Finding.CLEAN, evidence="No passage is close enough.", version=VERSION)


def _reason(found: Found) -> str:
    if found.relevant:
        return "Stayed inside: it is answered from your documents, by a model that runs inside the company."
    return "Stayed inside: this installation sends nothing outside."
