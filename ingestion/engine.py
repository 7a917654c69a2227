"""This process's embedder and live index, made on first use, and the turn-taking between reading and answering."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.core.cache import cache

from ingestion.embedding.base import Embedder, PairScorer
from ingestion.errors import IndexMismatchError, IndexUnavailableError
from ingestion.factory import catalog_for, embedder_for, identity_for, pair_scorer_for
from ingestion.index.base import ChunkIndex, IndexCatalog, IndexIdentity

_LONGEST_WAIT_S = 60.0
# A switch to another generation is noticed within this time; the one before is kept longer.
RESOLVE_EVERY_S = 2.0
_MAKING_S = 30


@dataclass(frozen=True)
class _Opened:
    name: str
    index: ChunkIndex
    resolved_at: float


@lru_cache(maxsize=1)
def embedder() -> Embedder:
    """The configured embedding model; its weights load on the first text."""
    return embedder_for(settings.INGESTION)


def identity() -> IndexIdentity:
    """What the configured index is built with."""
    return identity_for(embedder(), language=settings.INGESTION.search_language)


@lru_cache(maxsize=1)
def pair_scorer() -> PairScorer | None:
    """The configured cross-encoder, whose weights load on the first question; None where none is configured."""
    return pair_scorer_for(settings.INGESTION)


_opening = threading.RLock()
_catalog: IndexCatalog | None = None
_live: _Opened | None = None


def catalog() -> IndexCatalog:
    """The generations of the index. Raises IndexInUseError where another process owns them."""
    global _catalog
    with _opening:
        if _catalog is None:
            _catalog = catalog_for(settings.INGESTION)
        return _catalog


def index() -> ChunkIndex:
    """The live index of the configured model. Raises IndexUnavailableError, IndexInUseError or IndexMismatchError.

    The first one of all is made here. Where there are others alone, of another model or schema, nothing is mixed and
    nothing is silently empty: `manage.py reindex` makes ours.
    """
    global _live
    with _opening:
        now = time.monotonic()
        if _live is None or now - _live.resolved_at > RESOLVE_EVERY_S:
            name = _live_name(identity())
            known = _live.index if _live is not None and _live.name == name else catalog().open(name)
            _live = _Opened(name, known, now)
        return _live.index


def is_outdated() -> bool:
    """True where the index is of our model but of an earlier schema or another language: it can be built anew without
    a decision.
    """
    ours = identity()
    others = catalog().generations().values()
    return catalog().live(ours) is None and any(
        (other.embedding_model, other.dimension) == (ours.embedding_model, ours.dimension) for other in others
    )


def close() -> None:
    """Flush and release the index, where one was opened."""
    global _catalog, _live
    with _opening:
        if _catalog is not None:
            _catalog.close()
        _catalog = _live = None


def _live_name(identity: IndexIdentity) -> str:
    name = catalog().live(identity)
    if name is not None:
        return name
    others = catalog().generations()
    if any(other != identity for other in others.values()):
        raise IndexMismatchError(f"there are indexes of {sorted(others)} alone, none of {identity}")
    # Of several processes that start at once, one makes it; the others come again.
    key = f"first-index-{identity.dimension}-{identity.schema_version}-{identity.language}"
    if not cache.add(key, True, timeout=_MAKING_S):
        raise IndexUnavailableError("another process is making the index")
    try:
        name = catalog().create(identity)
        catalog().switch(name)
        return name
    finally:
        cache.delete(key)


_workers_here = False


def workers_started() -> None:
    """Said once by a process that runs workers of its own."""
    global _workers_here
    _workers_here = True


def reaches_workers() -> bool:
    """Whether a message sent from this process finds a worker."""
    return _workers_here or not str(settings.CELERY_BROKER_URL).startswith("memory://")


_answers = 0
_idle = threading.Condition()


@contextmanager
def answering() -> Iterator[None]:
    """While an answer is generated on this machine, reading pauses between batches: two cores serve one well."""
    global _answers
    with _idle:
        _answers += 1
    try:
        yield
    finally:
        with _idle:
            _answers -= 1
            _idle.notify_all()


def wait_turn() -> None:
    """Wait while answers are generated, but not so long that reading starves."""
    with _idle:
        _idle.wait_for(lambda: _answers == 0, timeout=_LONGEST_WAIT_S)


_large = threading.Lock()


@contextmanager
def large_turn() -> Iterator[bool]:
    """One large file at a time in a process; False where another is being read: small ones go on beside it."""
    ours = _large.acquire(blocking=False)
    try:
        yield ours
    finally:
        if ours:
            _large.release()
