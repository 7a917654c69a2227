"""The hash chain itself, and a ledger in memory for tests. Persistence belongs to the audit package."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

GENESIS = "0" * 64


@dataclass(frozen=True)
class Link:
    """One entry: `mac` = HMAC-SHA256(key, sequence, previous mac, kind and body in canonical JSON), hex."""

    sequence: int
    kind: str
    body: Mapping[str, object]
    previous: str
    mac: str


class ChainKey:
    """The key of a chain; never shown."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"ragapp audit chain\x00" + secret.encode()).digest()

    def link(self, *, sequence: int, previous: str, kind: str, body: Mapping[str, object]) -> Link:
        """The next link."""
        mac = self._mac(sequence=sequence, previous=previous, kind=kind, body=body)
        return Link(sequence=sequence, kind=kind, body=body, previous=previous, mac=mac)

    def question_hash(self, question: str) -> str:
        """Stands for a question in the record: the same question gives the same hash under this key only."""
        return hmac.new(self._key, b"question\x00" + question.encode(), hashlib.sha256).hexdigest()

    def faults(self, links: Iterable[Link]) -> list[str]:
        """What is wrong with a chain that should begin at sequence 1."""
        found, expected, previous = [], 1, GENESIS
        for link in links:
            if link.sequence != expected:
                found.append(f"entry {expected} is missing: the next one is {link.sequence}")
            if link.previous != previous:
                found.append(f"entry {link.sequence} does not follow the entry before it")
            mac = self._mac(sequence=link.sequence, previous=link.previous, kind=link.kind, body=link.body)
            if not hmac.compare_digest(mac, link.mac):
                found.append(f"entry {link.sequence} was changed")
            expected, previous = link.sequence + 1, link.mac
        return found

    def _mac(self, *, sequence: int, previous: str, kind: str, body: Mapping[str, object]) -> str:
        canonical = json.dumps([sequence, previous, kind, body], sort_keys=True, separators=(",", ":"))
        return hmac.new(self._key, b"link\x00" + canonical.encode(), hashlib.sha256).hexdigest()


class MemoryLedger:
    """A ledger that lives as long as its process."""

    def __init__(self, key: ChainKey) -> None:
        self._key = key
        self.links: list[Link] = []

    def append(self, *, kind: str, body: Mapping[str, object]) -> int:
        """Add one entry."""
        previous = self.links[-1].mac if self.links else GENESIS
        self.links.append(self._key.link(sequence=len(self.links) + 1, previous=previous, kind=kind, body=body))
        return len(self.links)

    def verify(self) -> Sequence[str]:
        """The faults of the chain."""
        return self._key.faults(self.links)
