"""Every text signal over the same words, each within its time. What did not answer in time, or at all, is UNKNOWN."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ragapp.gateway.base import Finding, Signal
from ragapp.gateway.signals.base import Outgoing, TextSignal

logger = logging.getLogger(__name__)

# Several times what they take (docs/privacy.md), so that a busy machine does not keep everything inside.
_EACH_S, _ALL_S = 0.1, 0.4
_MORE_PER_CHARACTER_S = 5e-6
# Looks that hang are left behind; with so many behind it the gate stays shut.
_MOST_HANGING = 4
# Nobody's, and with digits in it, so that the tables of telephone numbers are read too.
_SOME_WORDS = "What is 555 0100 10 times?"


@dataclass(frozen=True)
class Look:
    """What all signals say, in their order, and the seconds that each took."""

    signals: tuple[Signal, ...]
    took: dict[str, float]


class Gate:
    """Holds the signals. One gate serves many threads."""

    def __init__(self, signals: Sequence[TextSignal], *, each_s: float = _EACH_S, all_s: float = _ALL_S) -> None:
        if not signals:
            raise ValueError("a gate without signals would let everything pass")
        self._signals = tuple(signals)
        self._each_s = each_s
        self._all_s = all_s
        self._hanging = threading.BoundedSemaphore(_MOST_HANGING)

    @property
    def names(self) -> tuple[str, ...]:
        """The signals, in their order."""
        return tuple(signal.name for signal in self._signals)

    def warm(self) -> None:
        """Load what the signals load at their first look, which would be too slow for a question."""
        for signal in self._signals:
            _said(signal, Outgoing(_SOME_WORDS))

    def look(self, text: str) -> Look:
        """Never raises. All signals are there, whatever happened."""
        more = _MORE_PER_CHARACTER_S * len(text)
        seen = _Seen()
        if not self._hanging.acquire(blocking=False):
            return Look(tuple(_unknown(name, "Too many looks hang.") for name in self.names), {})
        thread = threading.Thread(target=self._all, args=(Outgoing(text), seen), name="gate", daemon=True)
        thread.start()
        thread.join(self._all_s + more)
        found, took = seen.closed()
        return Look(tuple(self._timely(name, found, took, limit=self._each_s + more) for name in self.names), took)

    def _all(self, outgoing: Outgoing, seen: "_Seen") -> None:
        try:
            for signal in self._signals:
                started = time.perf_counter()
                said = _said(signal, outgoing)
                if not seen.tell(said, time.perf_counter() - started):
                    return
        finally:
            self._hanging.release()

    @staticmethod
    def _timely(name: str, found: dict[str, Signal], took: dict[str, float], *, limit: float) -> Signal:
        if name not in found:
            return _unknown(name, "It did not answer in time.")
        # A DENY that came late is still a reason to stay.
        if took[name] > limit and found[name].finding is Finding.CLEAN:
            return _unknown(name, "It did not answer in time.")
        return found[name]


class _Seen:
    """What has been said until the waiting is over; nothing is added behind the reader's back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Signal] = {}
        self._took: dict[str, float] = {}
        self._is_over = False

    def tell(self, signal: Signal, took: float) -> bool:
        """False where nobody waits any more."""
        with self._lock:
            if not self._is_over:
                self._found[signal.name], self._took[signal.name] = signal, took
            return not self._is_over

    def closed(self) -> tuple[dict[str, Signal], dict[str, float]]:
        """The end of the waiting."""
        with self._lock:
            self._is_over = True
            return self._found, self._took


def _said(signal: TextSignal, outgoing: Outgoing) -> Signal:
    try:
        said = signal.look(outgoing)
        if said.name == signal.name and isinstance(said.finding, Finding):
            return said
    except BaseException as exc:
        # Whatever ends a look, the question stays. Without the message: it may hold the words.
        logger.error("signal %s failed: %s", signal.name, type(exc).__name__)
    return _unknown(signal.name, "It failed.")


def _unknown(name: str, evidence: str) -> Signal:
    return Signal(name=name, finding=Finding.UNKNOWN, evidence=evidence)
