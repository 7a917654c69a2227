"""What the embedded default runs beside the web server, in the same process: workers, beat and the model's child."""

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from celery.beat import EmbeddedService, Scheduler
from celery.worker import WorkController
from celery.worker import state as worker_state
from django.core.management.base import CommandError
from django.db import connection

from ingestion import engine, tasks
from ingestion.builds import build_request
from ragapp import wiring
from ragapp.celery import app
from ragapp.chat.services import answers_interrupt
from ragapp.weights import WeightsError

logger = logging.getLogger(__name__)

# One may be busy with a large file, one with maintenance, and small files still go on.
_WORKERS = 3
_STOP_S = 1.0


class DataFolderInUseError(CommandError):
    """Another process works on the data folder; the message names it."""

    code = "data_folder_in_use"


@dataclass(frozen=True)
class RunningServer:
    """The process that owns the data folder. `url` is empty where it serves no pages."""

    pid: int
    url: str


@contextmanager
def data_folder_owned(*, url: str = "") -> Iterator[None]:
    """Own the data folder; the lock goes with the process, however it ends. Raises DataFolderInUseError."""
    with _lock_file().open("r+") as file:
        if not _try_lock(file):
            running = running_server()
            raise DataFolderInUseError(
                f"The data folder {wiring.config().data_dir} is in use"
                + (f" by process {running.pid}{' at ' + running.url if running.url else ''}." if running else ".")
            )
        file.truncate(0)
        json.dump(asdict(RunningServer(pid=os.getpid(), url=url)), file)
        file.flush()
        yield


def running_server() -> RunningServer | None:
    """The process that owns the data folder now, or None."""
    try:
        with _lock_file().open("r+") as file:
            if _try_lock(file):
                return None
            return RunningServer(**json.load(file))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def workers() -> Iterator[None]:
    """Celery's own worker and beat on threads of this process, fed by the in-memory broker."""
    worker_state.should_stop = None
    worker = WorkController(
        app=app,
        pool="threads",
        concurrency=_WORKERS,
        hostname="embedded@localhost",
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    thread = threading.Thread(target=worker.start, name="celery-worker", daemon=True)
    beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
    engine.workers_started()
    thread.start()
    beat.start()
    tasks.recover()
    answers_interrupt()
    try:
        yield
    finally:
        beat.service.stop()
        worker_state.should_stop = 0
        # What is still read after that is given back below; its thread ends with the process.
        thread.join(_STOP_S)
        tasks.let_go()
        engine.close()
        connection.close()


@contextmanager
def model_child() -> Iterator[None]:
    """The child that serves the model, unless a server is configured by URL."""
    if wiring.config().chat_url:
        yield
        return
    try:
        server = wiring.model_server()
    except WeightsError as exc:
        raise CommandError(str(exc)) from exc
    server.start()
    try:
        yield
    finally:
        server.stop()


def warm_up() -> None:
    """Load the embedding model and open the index before the first question, off the main thread."""
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


def _warm_up() -> None:
    try:
        if engine.is_outdated():
            logger.warning("the index is of an earlier version: it is built anew from the database")
            build_request(embedding_model=engine.embedder().name)
        else:
            engine.index()
        engine.embedder().embed_query("warm up")
    except Exception:
        logger.exception("warming up failed")
    finally:
        connection.close()


def _lock_file() -> Path:
    folder = wiring.config().data_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / "server.lock"
    path.touch(mode=0o600)
    return path


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
