"""One run of a source: list it whole, take what is new or changed, then remove what is gone.

| never | because |
|---|---|
| a removal after a listing that failed | a mount or server that is away looks like an empty one |
| a removal of more than half at once | so does an empty one; an admin confirms the number first |
| a removal before what was added | a renamed file keeps its document, with nothing to read again |
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

from ingestion.errors import (
    IngestionError,
    ParseError,
    QueueFullError,
    SourceError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceTooLargeError,
    SourceUnreachableError,
    StorageFullError,
    UploadError,
    UploadTooLargeError,
    UrlRefusedError,
)
from ingestion.sources import claims, outbox
from ingestion.sources.base import Connector, Item
from ingestion.sources.claims import Claimed, ClaimLostError
from ingestion.sources.items import Known, item_failed, item_remove, item_take, key_digest
from ingestion.sources.kinds import connected, kind_of
from ingestion.sources.models import RunOutcome, Source, SourceRun
from ingestion.sources.sealing import unseal
from ingestion.sources.spool import spooled

logger = logging.getLogger(__name__)

MAX_ITEMS = 100_000
# A run lets other work of its queue through after this long, in s, and goes on behind it.
SLICE_S = 300.0
_ITEM_S = 600.0
_UNREACHABLE_IN_A_ROW = 5


class _SliceOverError(Exception):
    """The run's time is over; what it did stays done."""


class _UnconfirmedError(Exception):
    def __init__(self, vanished: int) -> None:
        super().__init__(vanished)
        self.vanished = vanished


def run(source_id: UUID) -> SourceRun | None:
    """Run a source if it is due and nobody else's; what came of it."""
    claimed = claims.take(source_id)
    if claimed is None:
        return None
    record = SourceRun.objects.create(source=claimed.source)
    vanished = 0
    try:
        _Run(claimed, record).go()
        record.outcome = RunOutcome.DONE
    except ClaimLostError:
        logger.warning("source %s was taken by another worker", source_id)
        return None
    except _SliceOverError:
        record.outcome = RunOutcome.PARTIAL
    except _UnconfirmedError as exc:
        record.outcome, vanished = RunOutcome.UNCONFIRMED, exc.vanished
    except IngestionError as exc:
        logger.warning("source %s failed: %s", source_id, exc.code)
        record.outcome, record.error_code = RunOutcome.FAILED, exc.code
    except Exception:
        logger.exception("source %s failed", source_id)
        record.outcome, record.error_code = RunOutcome.FAILED, SourceError.code
    return _finished(claimed, record, vanished=vanished)


def _finished(claimed: Claimed, record: SourceRun, *, vanished: int) -> SourceRun | None:
    source = claimed.source
    if source.deleting and record.outcome == RunOutcome.DONE:
        source.delete()
        return None
    claimed.finish(record, vanished=vanished)
    if record.outcome == RunOutcome.PARTIAL:
        outbox.send(source.pk)
    return record


class _Run:
    def __init__(self, claimed: Claimed, record: SourceRun) -> None:
        self._claimed = claimed
        self._source: Source = claimed.source
        self._record = record
        self._began = time.monotonic()
        self._unreachable = 0
        self._gone: set[str] = set()

    def go(self) -> None:
        """Raises _SliceOverError, _UnconfirmedError, ClaimLostError, or what ended it."""
        known = self._known()
        if self._source.deleting:
            self._remove(set(known))
            return
        connector = connected(kind_of(self._source.kind), {**self._source.options, **unseal(self._source.sealed)})
        items = self._listed(connector)
        vanished = known.keys() - items.keys()
        self._check(vanished, known)
        for digest, item in items.items():
            self._tick()
            self._visit(connector, item, known=known.get(digest))
        vanished |= self._gone & known.keys()
        self._check(vanished, known)
        self._remove(vanished)

    def _known(self) -> dict[str, Known]:
        rows = self._source.items.values_list("key_sha256", "fingerprint", "error_code", "checked_at")
        return {
            digest: Known(fingerprint, code, is_fresh=checked_at is not None and checked_at >= self._claimed.round_at)
            for digest, fingerprint, code, checked_at in rows.iterator()
        }

    def _listed(self, connector: Connector) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for item in connector.items():
            if len(items) == MAX_ITEMS:
                raise SourceTooLargeError(f"more than {MAX_ITEMS} items")
            items[key_digest(item.key)] = item
            self._claimed.heartbeat()
        self._record.listed = len(items)
        return items

    def _check(self, vanished: set[str], known: dict[str, Known]) -> None:
        if len(vanished) * 2 > len(known) and len(vanished) > self._source.confirmed:
            raise _UnconfirmedError(len(vanished))

    def _visit(self, connector: Connector, item: Item, *, known: Known | None) -> None:
        """One item; whatever is wrong with it stays with it."""
        if not item.settled:
            self._record.waiting += 1
        elif known and (known.is_fresh or (item.fingerprint and known.fingerprint == item.fingerprint)):
            self._count_settled(known)
        else:
            with self._kept_apart(item):
                self._take(connector, item)

    def _count_settled(self, known: Known) -> None:
        if known.error_code:
            self._record.failed += 1
        else:
            self._record.unchanged += 1

    def _take(self, connector: Connector, item: Item) -> None:
        if item.size is not None and item.size > settings.INGESTION.max_upload_bytes:
            raise UploadTooLargeError(f"{item.size} bytes")
        until = time.monotonic() + _ITEM_S

        def on_block() -> None:
            self._claimed.heartbeat(self._record)
            if time.monotonic() > until:
                raise SourceUnreachableError("an item takes too long")

        with spooled(connector.content(item), on_block=on_block) as content:
            if not self._claimed.held():
                raise ClaimLostError(str(self._source.pk))
            taken = item_take(self._source, item, content)
        self._unreachable = 0
        setattr(self._record, taken.value, getattr(self._record, taken.value) + 1)

    @contextmanager
    def _kept_apart(self, item: Item) -> Iterator[None]:
        try:
            yield
        except SourceItemGoneError:
            self._gone.add(key_digest(item.key))
        except SourceItemBusyError:
            self._record.waiting += 1
        except (ClaimLostError, QueueFullError, StorageFullError):
            # Not the item's fault, and the next one would fare alike.
            raise
        except SourceUnreachableError as exc:
            self._failed(item, exc.code, fingerprint="")
            self._unreachable += 1
            if self._unreachable >= _UNREACHABLE_IN_A_ROW:
                raise
        except (UploadError, ParseError, UrlRefusedError) as exc:
            self._failed(item, exc.code, fingerprint=item.fingerprint)
        except IngestionError as exc:
            self._failed(item, exc.code, fingerprint="")
        except Exception:
            logger.exception("an item of source %s failed", self._source.pk)
            self._failed(item, SourceError.code, fingerprint="")

    def _failed(self, item: Item, code: str, *, fingerprint: str) -> None:
        item_failed(self._source, item, code=code, fingerprint=fingerprint)
        self._record.failed += 1

    def _remove(self, digests: set[str]) -> None:
        for digest in sorted(digests):
            self._tick()
            if item_remove(self._source, digest=digest):
                self._record.removed += 1

    def _tick(self) -> None:
        self._claimed.heartbeat(self._record)
        if time.monotonic() - self._began > SLICE_S:
            raise _SliceOverError
