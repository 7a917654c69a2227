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


@dataclass(frozen=True)
class Checkpoint:
    """Where a chain stood: its last `sequence` and `mac`, at a time (ISO 8601), signed by the chain's key.

    A chain does not show that its last entries were cut off; a checkpoint kept elsewhere does.
    """

    sequence: int
    mac: str
    at: str
    signature: str


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

    def checkpoint(self, *, sequence: int, mac: str, at: str) -> Checkpoint:
        """Signed."""
        return Checkpoint(sequence, mac, at, self._signature(sequence=sequence, mac=mac, at=at))

    def faults(self, links: Iterable[Link], checkpoints: Iterable[Checkpoint] = ()) -> list[str]:
        """What is wrong with a chain that should begin at sequence 1, and go on to all that was signed."""
        signed, found = self._signed(checkpoints)
        expected, previous = 1, GENESIS
        for link in links:
            if link.sequence != expected:
                found.append(f"entry {expected} is missing: the next one is {link.sequence}")
            if link.previous != previous:
                found.append(f"entry {link.sequence} does not follow the entry before it")
            mac = self._mac(sequence=link.sequence, previous=link.previous, kind=link.kind, body=link.body)
            if not _same(mac, link.mac):
                found.append(f"entry {link.sequence} was changed")
            if signed.pop(link.sequence, link.mac) != link.mac:
                found.append(f"entry {link.sequence} is not the one that was signed")
            expected, previous = link.sequence + 1, link.mac
        found.extend(f"entry {sequence} was signed and is not there" for sequence in sorted(signed))
        return found

    def _signed(self, checkpoints: Iterable[Checkpoint]) -> tuple[dict[int, str], list[str]]:
        """The macs by sequence of those whose signature holds, and a sentence for each other."""
        macs: dict[int, str] = {}
        found = []
        for each in checkpoints:
            signature = self._signature(sequence=each.sequence, mac=each.mac, at=each.at)
            if not _same(signature, each.signature):
                found.append(f"the checkpoint of entry {each.sequence} is not signed by this key")
            elif macs.setdefault(each.sequence, each.mac) != each.mac:
                found.append(f"entry {each.sequence} was signed as two different ones")
        return macs, found

    def _signature(self, *, sequence: int, mac: str, at: str) -> str:
        canonical = json.dumps([sequence, mac, at], separators=(",", ":"))
        return hmac.new(self._key, b"checkpoint\x00" + canonical.encode(), hashlib.sha256).hexdigest()

    def _mac(self, *, sequence: int, previous: str, kind: str, body: Mapping[str, object]) -> str:
        canonical = json.dumps([sequence, previous, kind, body], sort_keys=True, separators=(",", ":"))
        return hmac.new(self._key, b"link\x00" + canonical.encode(), hashlib.sha256).hexdigest()


def _same(computed: str, given: object) -> bool:
    """In constant time; what is given comes from outside, and may be no text at all."""
    return isinstance(given, str) and hmac.compare_digest(computed.encode(), given.encode(errors="surrogatepass"))


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
