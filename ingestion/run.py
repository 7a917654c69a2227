"""One worker's run: documents read, embedded and published, these three at the same time, until none waits.

| thread | does | knows the database |
|---|---|---|
| reading | parses in the child, cuts into passages | no |
| embedding | full batches, across documents | no |
| the task's own | claims, stores, publishes, beats | yes |

What is read ahead is bounded, so that a long queue costs no memory. Whatever is stored is not done again: a run that
is killed loses the batch that it had in hand.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from ingestion import claims, engine, outbox, publishing
from ingestion.claims import Claimed
from ingestion.embedding.base import Vector
from ingestion.errors import (
    EmbedderUnavailableError,
    IndexMismatchError,
    IndexUnavailableError,
    IngestionError,
    IngestionInterruptedError,
    QueueFullError,
    StorageFullError,
)
from ingestion.parsing.base import Ocr
from ingestion.pipeline import ReadDocument, UnpackedArchive, read
from ingestion.publishing import Job
from ingestion.selectors import version_path

logger = logging.getLogger(__name__)

# Texts that are embedded at once: the model sorts them by length and pads little; about a second on one thread.
_WINDOW = 64
_WINDOWS_AHEAD = 2
# Documents and passages that are read ahead of the embedding.
# Little, so that at the end of a queue no run sits on what another could do.
_READ_AHEAD = 4
_MOST_PENDING = 2 * _WINDOW
_MOST_CLAIMED = 128
_MOST_AT_ONCE = 8
_BEAT_S = 15.0
_POLL_S = 2.0
_FLUSH_VECTORS = 512
_FLUSH_S = 2.0
# After that nothing more is claimed, so that the worker may be recycled and a stop is not waited for long.
_CLAIM_FOR_S = 120.0
_MOST_FULL_DISKS = 3
_TEMPORARY = (IndexUnavailableError, IndexMismatchError, EmbedderUnavailableError, StorageFullError, QueueFullError)

_T = TypeVar("_T")
_ReadResult = ReadDocument | UnpackedArchive


@dataclass
class _Text:
    job: Job
    index: int
    text: str


@dataclass
class _State:
    """What is in hand. `jobs` are claimed; `reading` and `embedding` are under way on their threads."""

    jobs: dict[UUID, Job] = field(default_factory=dict)
    waiting: list[Job] = field(default_factory=list)
    reading: dict[Future[_ReadResult], Job] = field(default_factory=dict)
    pending: list[_Text] = field(default_factory=list)
    embedding: dict[Future[list[Vector]], list[_Text]] = field(default_factory=dict)


def work(document_id: UUID) -> None:
    """Carry the document to its end, and others that wait alongside.

    Where it cannot be claimed, the others alone: most messages of a full queue are about what an earlier run took.
    """
    first = claims.claim(document_id)
    if first is not None and first.document.attempts > claims.MAX_ATTEMPTS:
        claims.fail(first, IngestionInterruptedError.code)
        return
    claimed = [first] if first else claims.claim_alongside(most=_MOST_AT_ONCE)
    if not claimed:
        return
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ragapp-run-"))
        run = _Run(Path(folder), stack)
        try:
            run.carry(claimed)
        except DatabaseError:
            raise
        except Exception:
            # Whose fault it was is found out by the last attempt, which each makes alone.
            run.suspect()
            raise
        finally:
            run.give_back()


class _Run:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._state = _State()
        self._reader = _pool(stack, name="reading")
        self._encoder = _pool(stack, name="embedding")
        self._embedder = engine.embedder()
        self._beaten_at = self._flushed_at = self._began_at = time.monotonic()
        self._alone = False

    def carry(self, claimed: list[Claimed]) -> None:
        """Until nothing is in hand and nothing waits."""
        # What may have killed two workers is not allowed to take others along.
        self._alone = claimed[0].document.attempts >= claims.MAX_ATTEMPTS
        self._admit(claimed)
        while self._state.jobs:
            self._read_ahead()
            self._embed_ahead()
            self._await()
            self._beat()
            self._flush()
            self._refill()

    def suspect(self) -> None:
        """Whatever is in hand may have caused the error."""
        claims.suspect(job.claimed for job in self._state.jobs.values())
        self._state.jobs.clear()

    def give_back(self) -> None:
        """Whatever is left, for the next worker: this one is being stopped, or met an error that is not theirs."""
        if self._state.jobs:
            claims.give_back(job.claimed for job in self._state.jobs.values())
            claims.let_go(job.claimed for job in self._state.jobs.values())

    def _refill(self) -> None:
        state = self._state
        room = _MOST_CLAIMED - len(state.jobs)
        in_time = time.monotonic() - self._began_at < _CLAIM_FOR_S
        if self._alone or not in_time or room <= 0:
            return
        if len(state.waiting) + len(state.reading) >= _READ_AHEAD or len(state.pending) >= _MOST_PENDING:
            return
        self._admit(claims.claim_alongside(most=min(room, _MOST_AT_ONCE)))

    def _admit(self, claimed: Iterable[Claimed]) -> None:
        for each in claimed:
            job = Job(each)
            self._state.jobs[each.key] = job
            if each.version.chunk_count:
                publishing.resume(job, model=self._embedder.name)
                self._queue_texts(job)
            else:
                self._state.waiting.append(job)

    def _read_ahead(self) -> None:
        state = self._state
        while state.waiting and len(state.reading) < _READ_AHEAD and len(state.pending) < _MOST_PENDING:
            job = state.waiting.pop(0)
            state.reading[self._reader.submit(self._read, job)] = job
            job.claimed.version.times["parsing"] = timezone.now().isoformat()

    def _read(self, job: Job) -> _ReadResult:
        version = job.claimed.version
        return read(
            version_path(version),
            name=version.name,
            config=settings.INGESTION,
            count_tokens=self._embedder.count_tokens,
            ocr=Ocr(version.ocr),
            unpack_into=self._folder / job.claimed.key.hex,
        )

    def _embed_ahead(self) -> None:
        state = self._state
        more_to_come = bool(state.reading or state.waiting)
        while state.pending and len(state.embedding) < _WINDOWS_AHEAD:
            if len(state.pending) < _WINDOW and more_to_come and state.embedding:
                return
            window, state.pending = state.pending[:_WINDOW], state.pending[_WINDOW:]
            texts = [each.text for each in window]
            state.embedding[self._encoder.submit(self._embed, texts)] = window

    def _embed(self, texts: list[str]) -> list[Vector]:
        engine.wait_turn()
        return self._embedder.embed_documents(texts)

    def _await(self) -> None:
        state = self._state
        under_way: list[Future[object]] = [*state.reading, *state.embedding]  # type: ignore[list-item]
        if not under_way:
            return
        done, _ = wait(under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            if future in state.reading:
                self._on_read(future)  # type: ignore[arg-type]
            else:
                self._on_embedded(future)  # type: ignore[arg-type]

    def _on_read(self, future: Future[_ReadResult]) -> None:
        job = self._state.reading.pop(future)
        if job.claimed.key not in self._state.jobs:
            return
        result = self._settled(job, future.result)
        if isinstance(result, UnpackedArchive):
            # In hand until it is done: an outage in the middle delays it like any other.
            self._settled(job, lambda: publishing.publish_archive(job.claimed, result))
            self._drop({job.claimed.key})
            self._let_go([job.claimed])
        elif result is not None:
            publishing.take(job, result)
            self._queue_texts(job)

    def _queue_texts(self, job: Job) -> None:
        self._state.pending += [_Text(job, index, job.texts[index]) for index in job.missing]

    def _on_embedded(self, future: Future[list[Vector]]) -> None:
        window = self._state.embedding.pop(future)
        try:
            vectors = future.result()
        except EmbedderUnavailableError as exc:
            self._delay({each.job.claimed.key for each in window}, exc)
            return
        for each, vector in zip(window, vectors, strict=True):
            each.job.add(each.index, vector)

    def _settled(self, job: Job, call: Callable[[], _T]) -> _T | None:
        """The call's result; None where the document ended in it: failed, or delayed."""
        try:
            return call()
        except _TEMPORARY as exc:
            # A hostile file can fill its own folder, or say so: that is no outage for ever.
            if isinstance(exc, StorageFullError) and job.claimed.document.delays >= _MOST_FULL_DISKS:
                self._fail(job, exc.code)
            else:
                self._delay({job.claimed.key}, exc)
        except IngestionError as exc:
            logger.warning("document %s failed: %s: %.500r", job.claimed.key, exc.code, str(exc))
            self._fail(job, exc.code)
        except DatabaseError:
            raise
        except Exception:
            logger.exception("document %s failed", job.claimed.key)
            self._fail(job, IngestionError.code)
        return None

    def _fail(self, job: Job, code: str) -> None:
        self._drop({job.claimed.key})
        claims.fail(job.claimed, code)
        self._let_go([job.claimed])

    def _delay(self, keys: set[UUID], exc: IngestionError) -> None:
        logger.warning("%s documents wait: %s: %.500r", len(keys), exc.code, str(exc))
        delayed = [job.claimed for key, job in self._state.jobs.items() if key in keys]
        claims.delay(delayed, code=exc.code)
        self._drop(keys)
        self._let_go(delayed)

    def _drop(self, keys: set[UUID]) -> None:
        state = self._state
        for key in keys:
            state.jobs.pop(key, None)
        state.waiting = [job for job in state.waiting if job.claimed.key not in keys]
        state.pending = [each for each in state.pending if each.job.claimed.key not in keys]

    def _beat(self, *, now: bool = False) -> None:
        """Keep the leases, and let go of what was deleted or got a newer version."""
        if not now and time.monotonic() - self._beaten_at < _BEAT_S:
            return
        self._beaten_at = time.monotonic()
        jobs = list(self._state.jobs.values())
        kept = claims.heartbeat(job.claimed for job in jobs)
        lost = [job.claimed for job in jobs if job.claimed.key not in kept]
        self._drop({each.key for each in lost})
        self._let_go(lost)

    def _let_go(self, ended: Iterable[Claimed]) -> None:
        """What was deleted meanwhile is purged now, and not when its lease runs out."""
        for key in claims.let_go(ended):
            outbox.send_purge(key)

    def _flush(self) -> None:
        """Store what was read and embedded, and publish what is whole. Many at once: each transaction is a sync."""
        state = self._state
        jobs = [job for job in state.jobs.values() if job.is_changed]
        idle = not state.embedding and not state.reading
        due = time.monotonic() - self._flushed_at > _FLUSH_S
        if not jobs or not (idle or due or sum(job.unstored for job in jobs) >= _FLUSH_VECTORS):
            return
        self._flushed_at = time.monotonic()
        try:
            publishing.store(jobs, model=self._embedder.name)
        except IntegrityError:
            # A document was purged under us: its lease had run out.
            self._beat(now=True)
            return
        whole = [job for job in jobs if job.is_whole]
        if whole:
            self._publish(whole)

    def _publish(self, whole: list[Job]) -> None:
        keys = {job.claimed.key for job in whole}
        try:
            lost = publishing.publish(whole, index=engine.index())
        except _TEMPORARY as exc:
            self._delay(keys, exc)
            return
        self._drop(keys)
        self._let_go(job.claimed for job in lost)


def _pool(stack: ExitStack, *, name: str) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(1, thread_name_prefix=name)
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    return pool
