"""The making of index generations: requested on a row, done by whoever claims it, switched to without a gap.

| step | where it ends early |
|---|---|
| claim the row | another build is in hand: the sweep asks again |
| create a generation, or take the one that the row names | |
| project until a round changes nothing | stopped, killed, or index or embedder down: the next run goes on with it |
| move the alias: searches see the old or the new one, never none | |
| wait until every process has noticed and workers of the old one are done; project again | |
| LIVE; the former is REPLACED and kept to go back to, older ones are dropped | |

A rollback is the same run over the former generation: caught up, then switched to.
"""

import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from ingestion import engine
from ingestion.embedding.base import Embedder
from ingestion.errors import EmbedderUnavailableError, IndexInUseError, IndexUnavailableError, IngestionError
from ingestion.factory import identity_for
from ingestion.index.base import IndexCatalog, IndexIdentity
from ingestion.models import BuildState, Document, DocumentState, IndexBuild
from ingestion.projection import OnProgress, ShouldStop, live_chunks, project

LEASE = timedelta(minutes=3)
# After an outage of the index or of the embedding server.
RETRY_AFTER = timedelta(seconds=30)
# Processes look for another live generation every 2 s.
NOTICED_S = 5.0
# Below the time that a task may take; building a large index takes many of these.
SLICE_S = 1_200.0
_HEARTBEAT_S = 5.0
_WRITERS_S = 1_800.0
_POLL_S = 0.5
_MOST_ROUNDS = 20
_ACTIVE = [BuildState.REQUESTED, BuildState.BUILDING]


class _LetGoError(Exception):
    """The claim is lost: cancelled, or taken over after a silence."""


class _StoppedError(Exception):
    """Whoever runs the build wants to stop."""


def build_request(*, embedding_model: str) -> IndexBuild:
    """Ask for a new generation. One that is under way already is the answer to a second request."""
    active = IndexBuild.objects.filter(state__in=_ACTIVE, embedding_model=embedding_model).first()
    return active or IndexBuild.objects.create(embedding_model=embedding_model)


def build_resume(*, embedding_model: str) -> IndexBuild | None:
    """Ask again for the last build that did not end well, on what it has written; None where there is none."""
    last = IndexBuild.objects.filter(embedding_model=embedding_model).exclude(
        state__in=[BuildState.LIVE, BuildState.REPLACED]
    )
    return _requested_again(last.first())


def build_rollback(*, embedding_model: str) -> IndexBuild | None:
    """Ask for the former generation to be caught up and made live again; None where none was kept."""
    former = IndexBuild.objects.filter(embedding_model=embedding_model, state=BuildState.REPLACED)
    return _requested_again(former.exclude(generation="").order_by("-finished_at").first())


def build_cancel(build: IndexBuild) -> bool:
    """End a build that is not live yet; False where it has ended already. Its runner drops what was written."""
    ended = IndexBuild.objects.filter(pk=build.pk, state__in=_ACTIVE).update(
        state=BuildState.CANCELLED, claim=None, claimed_until=None, finished_at=timezone.now()
    )
    return bool(ended)


def builds_waiting() -> QuerySet[IndexBuild]:
    """What the sweep sends: requests, and builds whose runner has been silent for a lease."""
    return IndexBuild.objects.filter(state__in=_ACTIVE).filter(_free()).order_by("created_at")


def builds_let_go() -> None:
    """For a server that starts or stops and is alone: no claim on a build is alive."""
    IndexBuild.objects.filter(state=BuildState.BUILDING).update(claim=None, claimed_until=timezone.now())


def build_run(
    build_id: int,
    *,
    catalog: IndexCatalog,
    embedder: Embedder,
    on_progress: OnProgress = lambda done, total: None,
    should_stop: ShouldStop = lambda: False,
    noticed_s: float | None = None,
) -> IndexBuild:
    """Carry a build to its end, or to where it is stopped; the row says how far it came.

    Does nothing where the build has ended, is of another embedding model, or another run has a build in hand.
    Raises what ended it: IndexUnavailableError and EmbedderUnavailableError leave it to the next run, any other
    error leaves it FAILED.
    """
    token = _claim(build_id, embedding_model=embedder.name)
    if token is not None:
        build = IndexBuild.objects.get(pk=build_id)
        noticed_s = NOTICED_S if noticed_s is None else noticed_s
        _Run(build, token, catalog, embedder, on_progress, should_stop, noticed_s).carry()
    return IndexBuild.objects.get(pk=build_id)


def run_here(build: IndexBuild) -> IndexBuild:
    """Carry a build with this process's catalog and model, for as long as a task may take; the next run goes on.

    Raises as `build_run` does.
    """
    end = time.monotonic() + SLICE_S
    return build_run(
        build.pk,
        catalog=engine.catalog(),
        embedder=engine.embedder(),
        on_progress=lambda done, total: engine.wait_turn(),
        should_stop=lambda: time.monotonic() > end,
    )


@dataclass
class _Run:
    """One run's hold on a build."""

    build: IndexBuild
    token: UUID
    catalog: IndexCatalog
    embedder: Embedder
    on_progress: OnProgress
    should_stop: ShouldStop
    noticed_s: float
    beaten_at: float = field(default_factory=time.monotonic)

    def carry(self) -> None:
        try:
            self._build()
        except _LetGoError:
            self._drop_if_cancelled()
        except (_StoppedError, SoftTimeLimitExceeded, KeyboardInterrupt, SystemExit) as exc:
            self._held(claim=None, claimed_until=timezone.now())
            if not isinstance(exc, _StoppedError):
                raise
        except (IndexUnavailableError, EmbedderUnavailableError) as exc:
            self._held(claim=None, claimed_until=timezone.now() + RETRY_AFTER, error_code=exc.code)
            raise
        except Exception as exc:
            code = exc.code if isinstance(exc, IngestionError) else IngestionError.code
            self._held(
                state=BuildState.FAILED, error_code=code, claim=None, claimed_until=None, finished_at=timezone.now()
            )
            raise

    def _build(self) -> None:
        identity = identity_for(self.embedder, language=settings.INGESTION.search_language)
        name = self._generation(identity)
        self._catch_up(name)
        _note_live(self.catalog, identity, embedding_model=self.embedder.name)
        self._beat()
        self.catalog.switch(name)
        self._wait(self.noticed_s)
        self._await_writers()
        self._catch_up(name)
        self._finish(name)

    def _generation(self, identity: IndexIdentity) -> str:
        """The one that an earlier run began, where it is there and fits; else a new one."""
        name = self.build.generation
        if not name or self.catalog.generations().get(name) != identity:
            name = self.catalog.create(identity)
        self._hold(generation=name, error_code="")
        self.build.generation = name
        return name

    def _catch_up(self, name: str) -> None:
        """Workers go on, so the end is a round that changed nothing; what comes after is for the next one."""
        with closing(self.catalog.open(name)) as index:
            for _ in range(_MOST_ROUNDS):
                done = project(index, self.embedder, on_progress=self._progressed, should_stop=self.should_stop)
                if done.stopped:
                    raise _StoppedError
                if not done.changes:
                    return

    def _finish(self, name: str) -> None:
        now = timezone.now()
        live = IndexBuild.objects.filter(state=BuildState.LIVE).exclude(pk=self.build.pk)
        live.update(state=BuildState.REPLACED)
        total = live_chunks().count()
        self._hold(
            state=BuildState.LIVE,
            claim=None,
            claimed_until=None,
            finished_at=now,
            total=total,
            done=total,
            error_code="",
        )
        generations_drop(self.catalog, keep={name, _former()})

    def _await_writers(self) -> None:
        """Whoever began before all had noticed may still write into the generation before."""
        reading = Document.objects.filter(state=DocumentState.PROCESSING, claimed_until__gt=timezone.now())
        claims = set(reading.values_list("claim", flat=True))
        end = time.monotonic() + _WRITERS_S
        while claims and time.monotonic() < end:
            alive = Document.objects.filter(claim__in=claims, claimed_until__gt=timezone.now())
            claims = set(alive.values_list("claim", flat=True))
            if claims:
                self._wait(_POLL_S)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_S))
            self._beat()
            if self.should_stop():
                raise _StoppedError

    def _progressed(self, done: int, total: int) -> None:
        self.build.done, self.build.total = done, total
        self.on_progress(done, total)
        self._beat()

    def _beat(self) -> None:
        if time.monotonic() - self.beaten_at >= _HEARTBEAT_S:
            self.beaten_at = time.monotonic()
            self._hold(done=self.build.done, total=self.build.total, claimed_until=timezone.now() + LEASE)

    def _hold(self, **changes: object) -> None:
        """Write through the claim. Raises _LetGoError where it is lost."""
        if not self._held(**changes):
            raise _LetGoError

    def _held(self, **changes: object) -> int:
        mine = IndexBuild.objects.filter(pk=self.build.pk, state=BuildState.BUILDING, claim=self.token)
        return mine.update(**changes)

    def _drop_if_cancelled(self) -> None:
        if IndexBuild.objects.filter(pk=self.build.pk, state=BuildState.CANCELLED).exists() and self.build.generation:
            generation_drop(self.catalog, self.build.generation)


def generation_drop(catalog: IndexCatalog, name: str) -> bool:
    """Remove a generation and its name from the rows; False where it is live, also for another model's processes."""
    with suppress(IndexInUseError):
        catalog.drop(name)
        IndexBuild.objects.filter(generation=name).update(generation="")
        return True
    return False


def generations_drop(catalog: IndexCatalog, *, keep: set[str]) -> list[str]:
    """Remove every generation but those, the live ones, and what is being built; the names of the removed."""
    building = set(IndexBuild.objects.filter(state__in=_ACTIVE).values_list("generation", flat=True))
    return [name for name in catalog.generations() if name not in keep | building and generation_drop(catalog, name)]


def _claim(build_id: int, *, embedding_model: str) -> UUID | None:
    """One conditional UPDATE decides. One build at a time: two would read and write everything twice."""
    now, token = timezone.now(), uuid4()
    if IndexBuild.objects.filter(state=BuildState.BUILDING, claimed_until__gt=now).exclude(pk=build_id).exists():
        return None
    wanted = IndexBuild.objects.filter(_free(), pk=build_id, state__in=_ACTIVE, embedding_model=embedding_model)
    taken = wanted.update(state=BuildState.BUILDING, claim=token, claimed_until=now + LEASE, finished_at=None)
    return token if taken else None


def _free() -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lte=timezone.now())


def _requested_again(build: IndexBuild | None) -> IndexBuild | None:
    if build is None:
        return None
    ended = IndexBuild.objects.filter(pk=build.pk).exclude(state=BuildState.BUILDING)
    ended.update(
        state=BuildState.REQUESTED, error_code="", claim=None, claimed_until=None, finished_at=None, done=0, total=0
    )
    build.refresh_from_db()
    return build


def _note_live(catalog: IndexCatalog, identity: IndexIdentity, *, embedding_model: str) -> None:
    """The generation that was made with the first document has no row yet, and is about to be the former one."""
    name = catalog.live(identity)
    if name and not IndexBuild.objects.filter(generation=name).exists():
        IndexBuild.objects.create(
            embedding_model=embedding_model, generation=name, state=BuildState.LIVE, finished_at=timezone.now()
        )


def _former() -> str:
    """The generation that was live last, or ''."""
    replaced = IndexBuild.objects.filter(state=BuildState.REPLACED).exclude(generation="")
    return replaced.order_by("-finished_at").values_list("generation", flat=True).first() or ""
