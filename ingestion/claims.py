"""Who works on which document: claims by conditional UPDATE, with a lease, and every way in which they end.

| end | row |
|---|---|
| published | READY, live |
| failed | FAILED with the code of a ParseError, or `ingestion_interrupted` after three deaths without progress |
| suspected | QUEUED at once, and it counts: an error that nobody foresaw; the last attempt is made alone |
| given back | QUEUED at once; does not count as an attempt: the worker stops |
| delayed | QUEUED, not before a growing time: something else is down, and the document is not at fault |
| let go | the claim is lost: deleted, or a newer version came |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from ingestion.models import Document, DocumentState, DocumentVersion

LEASE = timedelta(seconds=90)
MAX_ATTEMPTS = 3
# From there on a file has a queue of its own, so that it never keeps small ones waiting.
LARGE_BYTES = 4 * 1024 * 1024
_ALONGSIDE_BYTES = 1024 * 1024
# What has waited that often may be the cause itself: it is read alone.
_MOST_DELAYS = 3
_FIRST_DELAY_S = 10
_LONGEST_DELAY_S = 300
_PROCESSING = DocumentState.PROCESSING
# What every way back to the others has in common; whether it counts as an attempt differs.
BACK_IN_LINE: Mapping[str, Any] = {
    "state": DocumentState.QUEUED,
    "step": "",
    "claim": None,
    "claimed_until": None,
    "enqueued_at": None,
}


@dataclass(frozen=True)
class Claimed:
    """A document and its version in the hands of one run."""

    document: Document
    version: DocumentVersion
    token: UUID
    began_at: datetime

    @property
    def key(self) -> UUID:
        """The document's id."""
        return self.document.pk


def claim(document_id: UUID) -> Claimed | None:
    """Take one document; None where it is taken, settled, gone, or not to be tried yet."""
    claimed = _take(Document.objects.filter(pk=document_id))
    return claimed[0] if claimed else None


def claim_alongside(*, most: int) -> list[Claimed]:
    """Take up to `most` small documents that wait or lost their worker, the oldest first; none at its last attempt.

    When a worker dies, one of dozens in its hands is at fault, if any. The last attempt alone tells which.
    """
    now = timezone.now()
    harmless = Document.objects.filter(attempts__lt=MAX_ATTEMPTS - 1, delays__lt=_MOST_DELAYS)
    waiting = harmless.filter(_free(now), size__lt=_ALONGSIDE_BYTES).order_by("created_at")
    keys = list(waiting.values_list("pk", flat=True)[:most])
    return _take(harmless.filter(pk__in=keys)) if keys else []


def next_large() -> UUID | None:
    """The oldest large document that waits."""
    waiting = Document.objects.filter(available(timezone.now()), state=DocumentState.QUEUED, size__gte=LARGE_BYTES)
    return waiting.order_by("created_at").values_list("pk", flat=True).first()


def heartbeat(claimed: Iterable[Claimed]) -> set[UUID]:
    """Extend the leases; the ids of those that are still held."""
    kept = held(claimed)
    kept.update(claimed_until=timezone.now() + LEASE, updated_at=timezone.now())
    return set(kept.values_list("pk", flat=True))


def progressed(claimed: Iterable[Claimed]) -> None:
    """What was stored need not be done again: from here the attempts count anew."""
    held(claimed).filter(attempts__gt=0).update(attempts=0)


def fail(claimed: Claimed, code: str) -> None:
    """The document is at fault, or has killed its workers as often as is tried."""
    now = timezone.now()
    changed = held([claimed]).update(
        state=DocumentState.FAILED,
        step="",
        error_code=code,
        claim=None,
        claimed_until=None,
        updated_at=now,
        finished_at=now,
    )
    if changed:
        claimed.version.times["failed"] = now.isoformat()
        claimed.version.error_code, claimed.version.finished_at = code, now
        claimed.version.save(update_fields=["times", "error_code", "finished_at"])


def give_back(claimed: Iterable[Claimed]) -> None:
    """The worker stops: whoever is next goes on."""
    held(claimed).update(
        **BACK_IN_LINE,
        attempts=Greatest(F("attempts") - 1, 0),
        updated_at=timezone.now(),
    )


def suspect(claimed: Iterable[Claimed]) -> None:
    """The run ended in an error that nobody foresaw: each of them is tried again, and that counts."""
    held(claimed).update(
        **BACK_IN_LINE,
        updated_at=timezone.now(),
    )


def delay(claimed: Iterable[Claimed], *, code: str) -> None:
    """Something else is down. `code` says what, to an admin."""
    now = timezone.now()
    for each in claimed:
        wait = min(_FIRST_DELAY_S * 2**each.document.delays, _LONGEST_DELAY_S)
        held([each]).update(
            **BACK_IN_LINE,
            error_code=code,
            available_at=now + timedelta(seconds=wait),
            delays=F("delays") + 1,
            attempts=Greatest(F("attempts") - 1, 0),
            updated_at=now,
        )


def let_go(claimed: Iterable[Claimed]) -> list[UUID]:
    """Drop the claims of deleted documents, so that their purge may begin; their ids."""
    keys = [each.key for each in claimed]
    deleting = Document.objects.filter(pk__in=keys, state=DocumentState.DELETING)
    gone = list(deleting.values_list("pk", flat=True))
    deleting.update(claim=None, claimed_until=None)
    return gone


def held(claimed: Iterable[Claimed]) -> QuerySet[Document]:
    """The rows whose claims hold still: what an outcome is written through."""
    listed = list(claimed)
    return Document.objects.filter(
        pk__in=[each.key for each in listed], state=_PROCESSING, claim__in={each.token for each in listed}
    )


def unclaimed(now: datetime) -> Q:
    """Nobody's, or of a worker that has been silent for a lease."""
    return Q(claimed_until__lt=now) | Q(claimed_until__isnull=True)


def available(now: datetime) -> Q:
    """Due, or never put off."""
    return Q(available_at__isnull=True) | Q(available_at__lte=now)


def _free(now: datetime) -> Q:
    """Waiting, and due; or in the hands of a worker that is gone."""
    return (Q(state=DocumentState.QUEUED) & available(now)) | (Q(state=_PROCESSING) & unclaimed(now))


def _take(wanted: QuerySet[Document]) -> list[Claimed]:
    """One conditional UPDATE decides; only then is anything read."""
    now, token = timezone.now(), uuid4()
    taken = wanted.filter(_free(now)).update(
        state=_PROCESSING,
        step="parsing",
        error_code="",
        claim=token,
        claimed_until=now + LEASE,
        attempts=F("attempts") + 1,
        updated_at=now,
    )
    if not taken:
        return []
    documents = Document.objects.filter(claim=token).select_related("collection").order_by("created_at")
    versions = {
        version.document_id: version
        for version in DocumentVersion.objects.filter(document__claim=token, number=F("document__version"))
    }
    return [Claimed(document, versions[document.pk], token, now) for document in documents]
