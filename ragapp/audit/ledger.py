"""The ledger in SQL: appended one at a time, never changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from ragapp.audit.models import Record
from ragapp.connections import refresh_connection
from ragapp.gateway.errors import LedgerUnavailableError
from ragapp.gateway.ledger import GENESIS, ChainKey, Checkpoint, Link

_TRIES = 20
# What a value of another type ends in: SQLite's columns hold whatever they are given.
_UNREADABLE = (AttributeError, TypeError, ValueError)


class SqlLedger:
    """Two writers at once want the same sequence number; the primary key lets one in and the other tries again."""

    def __init__(self, key: ChainKey) -> None:
        self._key = key

    def append(self, *, kind: str, body: Mapping[str, object]) -> int:
        """Commit one entry. Raises LedgerUnavailableError."""
        refresh_connection()
        try:
            for _ in range(_TRIES):
                sequence = self._try_append(kind=kind, body=body)
                if sequence is not None:
                    return sequence
        except DatabaseError as exc:
            raise LedgerUnavailableError(str(exc)) from exc
        raise LedgerUnavailableError("the ledger is contended")

    def verify(self, checkpoints: Iterable[Checkpoint] = ()) -> Sequence[str]:
        """The faults of the chain."""
        misdated: list[str] = []
        try:
            return [*self._key.faults(_links(misdated), checkpoints), *misdated]
        except _UNREADABLE as exc:
            return [f"an entry cannot be read ({exc})"]

    def checkpoint(self) -> Checkpoint | None:
        """Where the chain stands now, signed; None where nothing is recorded yet."""
        sequence, mac = _end()
        return self._key.checkpoint(sequence=sequence, mac=mac, at=timezone.now().isoformat()) if sequence else None

    def _try_append(self, *, kind: str, body: Mapping[str, object]) -> int | None:
        sequence, previous = _end()
        number = sequence + 1
        now = timezone.now()
        # In the body, so that the chain holds the time too; the column is for sorting.
        link = self._key.link(sequence=number, previous=previous, kind=kind, body={**body, "at": now.isoformat()})
        try:
            with transaction.atomic():
                Record.objects.create(
                    sequence=link.sequence,
                    kind=kind,
                    body=dict(link.body),
                    created_at=now,
                    previous=previous,
                    mac=link.mac,
                )
        except IntegrityError:
            return None
        return number


def _end() -> tuple[int, str]:
    """Sequence and mac of the last entry; those before the first where there is none."""
    return Record.objects.order_by("-sequence").values_list("sequence", "mac").first() or (0, GENESIS)


def _links(misdated: list[str]) -> Iterator[Link]:
    """The chain; what its columns say against its bodies is told in `misdated`."""
    for record in Record.objects.order_by("sequence").iterator():
        written = record.created_at.isoformat()
        if isinstance(record.body, dict) and record.body.get("at", written) != written:
            misdated.append(f"entry {record.sequence} was given another time")
        yield Link(
            sequence=record.sequence,
            kind=record.kind,
            body=record.body,
            previous=record.previous,
            mac=record.mac,
        )
