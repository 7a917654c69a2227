"""What could leave, seen as a person would read it, and the port of the signals that look at it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ragapp.gateway.base import Finding, Signal
from ragapp.gateway.signals import folding


@dataclass(frozen=True)
class Outgoing:
    """The words that would leave: `text` is exactly what would be sent."""

    text: str

    @cached_property
    def plain(self) -> str:
        """As it reads: compatibility forms, invisible characters and look-alikes undone, in lower case."""
        return folding.plain(self.text)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of `plain`, without punctuation."""
        return folding.words_of(self.plain)

    @cached_property
    def visible(self) -> str:
        """The text without characters that show nothing; case and letters as they are."""
        return folding.shown(self.text)


class TextSignal(Protocol):
    """One look at the words alone. It may raise: that is UNKNOWN, and so is taking too long."""

    name: str

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY, CLEAN or UNKNOWN, with the evidence, which repeats no word. Blocking; knows nothing of who asks."""
        ...


def by_rules(name: str, held: Iterable[str], *, otherwise: str) -> Signal:
    """DENY by the first rule that holds, `held` being the evidence of those that do; CLEAN where none does."""
    evidence = next(iter(held), "")
    return Signal(name, Finding.DENY if evidence else Finding.CLEAN, evidence or otherwise)
