"""Has this been copied out of a document? Keyed hashes of word runs, of all that is indexed, whoever may read it.

Runs of six words: two hits deny, since one is a turn of phrase now and then; of eight words, one is enough. Figures in
docs/privacy.md.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ragapp.gateway.base import Finding, Signal
from ragapp.gateway.signals import folding
from ragapp.gateway.signals.base import Outgoing

Hashes = NDArray[np.uint64]

RUNS: Final = {6: 2, 8: 1}
"""Words in a run, and how many such runs deny."""


@dataclass(frozen=True)
class Print:
    """The hashes of some text by the length of their run: sorted, each once."""

    hashes: dict[int, Hashes]

    @classmethod
    def of(cls, texts: Iterable[str], *, key: bytes) -> "Print":
        """Of texts that do not run on into each other."""
        found: dict[int, list[int]] = {length: [] for length in RUNS}
        for text in texts:
            words = folding.words_of(folding.plain(text))
            for length, hashes in found.items():
                hashes.extend(hashes_of(words, length, key=key))
        return cls({length: np.unique(np.array(hashes, dtype=np.uint64)) for length, hashes in found.items()})

    @classmethod
    def union(cls, prints: Iterable["Print"]) -> "Print":
        """Of all of them together."""
        parts = list(prints)
        return cls(
            {length: np.unique(np.concatenate([part.hashes[length] for part in parts] or [_NONE])) for length in RUNS}
        )


_NONE: Hashes = np.empty(0, dtype=np.uint64)


class Fingerprints:
    """Compares with `snapshot`, which raises StaleError where it is not of all that is indexed now."""

    name = "fingerprints"

    def __init__(self, snapshot: Callable[[], Print], *, key: bytes) -> None:
        self._snapshot = snapshot
        self._key = key

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY where enough runs of words stand in a document."""
        known = self._snapshot().hashes
        for length, enough in sorted(RUNS.items(), reverse=True):
            ours = np.unique(np.array(list(hashes_of(outgoing.words, length, key=self._key)), dtype=np.uint64))
            hits = _in(ours, known[length])
            if hits >= enough:
                return Signal(
                    name=self.name,
                    finding=Finding.DENY,
                    evidence="Words in a row stand like this in your documents.",
                    score=float(hits),
                    threshold=float(enough),
                )
        return Signal(self.name, Finding.CLEAN, "No run of words stands like this in your documents.")


def _in(ours: Hashes, known: Hashes) -> int:
    """How many of ours are among the known ones, which are sorted."""
    if not len(known):
        return 0
    at = np.minimum(np.searchsorted(known, ours), len(known) - 1)
    return int((known[at] == ours).sum())


def hashes_of(words: tuple[str, ...], length: int, *, key: bytes) -> Iterable[int]:
    """A keyed hash of each run: without the key nobody can try words."""
    for start in range(len(words) - length + 1):
        run = " ".join(words[start : start + length])
        yield int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8, key=key).digest(), "big")
