"""Who runs a source: one conditional UPDATE decides, and a lease that is not extended is over."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import Q, QuerySet
from django.utils import timezone

from ingestion.claims import unclaimed
from ingestion.errors import IngestionError
from ingestion.sources.models import RunOutcome, Source, SourceRun

LEASE = timedelta(minutes=5)
_HEARTBEAT_S = 20.0
_KEPT_RUNS = 50


class ClaimLostError(IngestionError):
    """Another worker took the source after this one had been silent for a lease, or the source is gone."""


@dataclass
class Claimed:
    """A source that this worker runs. `round_at` is when its round began: what is newer need not be done again."""

    source: Source
    token: UUID
    round_at: datetime
    _beat: float = field(default_factory=time.monotonic)

    def heartbeat(self, record: SourceRun | None = None) -> None:
        """Extend the lease now and then, and show the run's counts. Raises ClaimLostError."""
        if time.monotonic() - self._beat < _HEARTBEAT_S:
            return
        self._beat = time.monotonic()
        if not self._row().update(claimed_until=timezone.now() + LEASE):
            raise ClaimLostError(str(self.source.pk))
        if record is not None:
            record.save(update_fields=list(record.counts))

    def held(self) -> bool:
        """Whether this worker still has it."""
        return self._row().exists()

    def finish(self, record: SourceRun, *, vanished: int = 0) -> None:
        """Write the outcome, and let go of the source until its next run; one that goes on is due at once."""
        now, source = timezone.now(), self.source
        record.finished_at = now
        record.save()
        if record.outcome == RunOutcome.PARTIAL:
            self._row().update(claim=None, claimed_until=None, requested=True)
        else:
            self._row().update(
                claim=None,
                claimed_until=None,
                requested=False,
                round_at=None,
                confirmed=0,
                vanished=vanished,
                due_at=now + timedelta(seconds=source.interval_s) if source.interval_s else None,
            )
        old = source.runs.order_by("-started_at", "-pk").values_list("pk", flat=True)[_KEPT_RUNS:]
        SourceRun.objects.filter(pk__in=list(old)).delete()

    def _row(self) -> QuerySet[Source]:
        return Source.objects.filter(pk=self.source.pk, claim=self.token)


def due() -> Iterable[UUID]:
    """Sources whose time has come, that somebody asked for, or whose worker died."""
    return Source.objects.filter(_ready(timezone.now())).order_by("due_at").values_list("pk", flat=True)


def take(source_id: UUID) -> Claimed | None:
    """The source, if it is due and nobody else's."""
    now, token = timezone.now(), uuid4()
    if not Source.objects.filter(_ready(now), pk=source_id).update(claim=token, claimed_until=now + LEASE):
        return None
    SourceRun.objects.filter(source=source_id, outcome=RunOutcome.RUNNING).update(
        outcome=RunOutcome.LOST, finished_at=now
    )
    source = Source.objects.select_related("collection", "created_by").get(pk=source_id)
    round_at = source.round_at or now
    Source.objects.filter(pk=source_id, claim=token).update(round_at=round_at)
    return Claimed(source=source, token=token, round_at=round_at)


def _ready(now: datetime) -> Q:
    by_itself = Q(paused=False, vanished=0, due_at__lte=now)
    return (by_itself | Q(requested=True) | Q(deleting=True)) & unclaimed(now)
