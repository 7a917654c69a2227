"""The ledger in SQL: appended one at a time, never changed."""

from collections.abc import Iterator, Mapping, Sequence

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from ragapp.audit.models import Record
from ragapp.connections import refresh_connection
from ragapp.gateway.errors import LedgerUnavailableError
from ragapp.gateway.ledger import GENESIS, ChainKey, Link

_TRIES = 20


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

    def verify(self) -> Sequence[str]:
        """The faults of the chain."""
        return self._key.faults(_links())

    def _try_append(self, *, kind: str, body: Mapping[str, object]) -> int | None:
        last = Record.objects.order_by("-sequence").values_list("sequence", "mac").first()
        number, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
        link = self._key.link(sequence=number, previous=previous, kind=kind, body=body)
        try:
            with transaction.atomic():
                Record.objects.create(
                    sequence=link.sequence,
                    kind=kind,
                    body=dict(body),
                    created_at=timezone.now(),
                    previous=previous,
                    mac=link.mac,
                )
        except IntegrityError:
            return None
        return number


def _links() -> Iterator[Link]:
    for record in Record.objects.order_by("sequence").iterator():
        yield Link(
            sequence=record.sequence,
            kind=record.kind,
            body=record.body,
            previous=record.previous,
            mac=record.mac,
        )
