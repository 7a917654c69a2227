"""This process's embedder and index, made once on first use, and the turn-taking between reading and answering."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.conf import settings

from ingestion.embedding.base import Embedder
from ingestion.factory import embedder_for, identity_for, index_for
from ingestion.index.base import ChunkIndex

_LONGEST_WAIT_S = 60.0


@lru_cache(maxsize=1)
def embedder() -> Embedder:
    """The configured embedding model; its weights load on the first text."""
    return embedder_for(settings.INGESTION)


@lru_cache(maxsize=1)
def _index_once() -> ChunkIndex:
    return index_for(settings.INGESTION, identity_for(embedder()))


_opening = threading.Lock()


def index() -> ChunkIndex:
    """The configured index. Raises IndexUnavailableError, IndexInUseError or IndexMismatchError."""
    with _opening:
        return _index_once()


def close() -> None:
    """Flush and release the index, where one was opened."""
    with _opening:
        if _index_once.cache_info().currsize:
            _index_once().close()
            _index_once.cache_clear()


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
