"""Where a question is answered. No way outside exists yet: every question stays inside, and is told why.

The router only ever adds reasons to stay inside. A failure on the way to a verdict is a verdict: INSIDE.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragapp.gateway.base import Decision, Finding, Ledger, Signal, Verdict
from ragapp.gateway.gate import Gate

VERSION = "2"


@dataclass(frozen=True)
class Asked:
    """A question, and what came with it: the turns before it, and whether the asker chose where to search."""

    question: str
    earlier_turns: int = 0
    narrowed: bool = False


class Found(Protocol):
    """What the router may know of the search: whether anything relevant was found."""

    @property
    def relevant(self) -> bool:
        """True where a passage speaks to the question."""
        ...


class Router:
    """Decides and records. Raises LedgerUnavailableError where the decision cannot be recorded."""

    def __init__(self, *, gate: Gate, ledger: Ledger, question_hash: "QuestionHash") -> None:
        self._gate = gate
        self._ledger = ledger
        self._question_hash = question_hash

    def decide(self, asked: Asked, found: Found | None, *, model: str) -> Decision:
        """The verdict, with every signal in the order of the design and one sentence for the person.

        `found` is None where nothing could be searched; `model` is the in-perimeter model.
        """
        words = self._gate.look(asked.question).signals
        signals = (_switches(), _provenance(asked), _proximity(found), *words)
        decision = Decision(verdict=verdict_of(signals), reason=_reason(signals), model=model, signals=signals)
        self._ledger.append(
            kind="decision",
            body={
                "question": self._question_hash(asked.question),
                "verdict": decision.verdict.value,
                "model": model,
                "router": VERSION,
                "signals": [{"name": s.name, "finding": s.finding.value, "version": s.version} for s in signals],
            },
        )
        return decision


class QuestionHash(Protocol):
    """A keyed hash that stands for a question in the record."""

    def __call__(self, question: str) -> str:
        """Hex digest."""
        ...


def verdict_of(signals: Sequence[Signal]) -> Verdict:
    """OUTSIDE where there are signals and each is CLEAN."""
    clean = bool(signals) and all(signal.finding is Finding.CLEAN for signal in signals)
    return Verdict.OUTSIDE if clean else Verdict.INSIDE


def _switches() -> Signal:
    return Signal(name="switches", finding=Finding.DENY, evidence="No outside model is configured.", version=VERSION)


def _provenance(asked: Asked) -> Signal:
    """What an answer from documents may have told is in the conversation, so it goes no further than they do."""
    if asked.earlier_turns:
        return _signal("provenance", Finding.DENY, "It follows on what was answered from your documents.")
    if asked.narrowed:
        return _signal("provenance", Finding.DENY, "You chose which documents to search.")
    return _signal("provenance", Finding.CLEAN, "It begins a conversation.")


def _proximity(found: Found | None) -> Signal:
    if found is None:
        return _signal("proximity", Finding.UNKNOWN, "The documents could not be searched.")
    if found.relevant:
        return _signal("proximity", Finding.DENY, "Passages match your documents.")
    return _signal("proximity", Finding.CLEAN, "No passage is close enough.")


def _signal(name: str, finding: Finding, evidence: str) -> Signal:
    return Signal(name=name, finding=finding, evidence=evidence, version=VERSION)


def _reason(signals: Sequence[Signal]) -> str:
    """One sentence: what the answer comes from, or the first finding about the question itself."""
    against = [signal for signal in signals if signal.finding is not Finding.CLEAN]
    if any(signal.name == "proximity" and signal.finding is Finding.DENY for signal in against):
        return "Stayed inside: it is answered from your documents, by a model that runs inside the company."
    return "Stayed inside: this installation sends nothing outside." if against else "Nothing speaks against leaving."
