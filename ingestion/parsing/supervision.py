"""The worker's side of the fork server: starts it, hands it jobs, waits for their outcome, replaces it when it dies.

One server a process, made at the first job; a forked process makes its own.
"""

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from ingestion.parsing.jobs import FOLDER_PREFIX, Job, Outcome
from ingestion.parsing.leftovers import remove_folder
from ingestion.parsing.sandbox import Layer, isolation

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent.parent
_PROGRAM = ("-s", "-P", "-m", "ingestion.parsing.forkserver")
# Beyond the job's own limit, which the server enforces: its start on a slow machine, and the ending of the child.
_GRACE_S = 30.0
_CANCEL_S = 5.0
# Many times as long as any job may take.
_ABANDONED_S = 3600.0


class ServerLostError(Exception):
    """The fork server died, or did not answer, while it had the job."""


def run(job: Job, *, held: ExitStack) -> Outcome:
    """Have the job done in a child, and wait. Safe from several threads. Raises ServerLostError.

    Whatever interrupts the wait (a task's time limit, Ctrl-C), no child is left when this returns. Should this
    process be killed before `held` closes, the server removes the job's folder.
    """
    server = _server()
    ours, theirs = socket.socketpair()
    held.enter_context(ours)
    try:
        with theirs:
            server.submit(job, theirs)
        ours.settimeout(job.limits.wall_s + _GRACE_S)
        return _outcome(ours)
    except ServerLostError:
        _discard(server)
        raise
    except BaseException:
        _cancel(ours)
        raise


def _outcome(ours: socket.socket) -> Outcome:
    received = b""
    while not received.endswith(b"\n"):
        try:
            data = ours.recv(4096)
        except TimeoutError as exc:
            raise ServerLostError("the fork server does not answer") from exc
        except ConnectionError as exc:
            raise ServerLostError("the fork server died") from exc
        if not data:
            raise ServerLostError("the fork server died")
        received += data
    return Outcome.from_json(received)


def _cancel(ours: socket.socket) -> None:
    """Ours has nothing more to say: the server ends the child, and says so when it is gone."""
    with contextlib.suppress(OSError, ServerLostError):
        ours.shutdown(socket.SHUT_WR)
        ours.settimeout(_CANCEL_S)
        _outcome(ours)


class _ForkServer:
    def __init__(self) -> None:
        self._sending = threading.Lock()
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, *_PROGRAM, str(theirs.fileno()), str(os.getpid())],
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C in a terminal is for the worker, which then closes the socket.
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def submit(self, job: Job, theirs: socket.socket) -> None:
        message = job.as_json().encode() + b"\n"
        try:
            with self._sending:
                sent = socket.send_fds(self.control, [message], [theirs.fileno()])
                self.control.sendall(message[sent:])
        except OSError as exc:
            raise ServerLostError("the fork server takes no jobs") from exc

    def stop(self) -> None:
        """It ends its children when the socket closes; children of one that is killed end with it."""
        self.control.close()
        try:
            self.process.wait(timeout=_CANCEL_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def disown(self) -> None:
        """In a forked process: the socket and the child are the parent's."""
        self.control.close()
        self.process.returncode = 0


def _environment() -> dict[str, str]:
    """Nothing of the worker's environment: it holds keys and passwords."""
    return {
        "PATH": os.defpath,
        "HOME": "/",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOT),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # One arena: each further one reserves memory, which RLIMIT_DATA counts.
        "MALLOC_ARENA_MAX": "1",
        # numpy's library would start threads at import, and a process with threads must not fork.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


_starting = threading.Lock()
_current: _ForkServer | None = None


def _server() -> _ForkServer:
    global _current
    with _starting:
        if _current is not None and not _current.is_alive():
            logger.warning("The parsing server ended with status %s; starting another.", _current.process.returncode)
            _current.stop()
            _current = None
        if _current is None:
            _say_what_is_missing()
            _remove_abandoned()
            _current = _ForkServer()
        return _current


def _discard(server: _ForkServer) -> None:
    """Its socket says that it is gone, or it hangs: whoever comes next gets another."""
    global _current
    with _starting:
        if _current is server:
            _current = None
    server.stop()


def _say_what_is_missing() -> None:
    missing = sorted(set(Layer) - isolation())
    if missing:
        logger.warning("This kernel does not offer every layer of isolation for parsers; missing: %s.", missing)


def _remove_abandoned() -> None:
    """Folders of processes that were killed together with their server: they hold what was read of documents."""
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _ABANDONED_S:
                remove_folder(path)


def stop() -> None:
    """End this process's fork server and its children, if there is one. The next job starts another."""
    global _current
    with _starting:
        if _current is not None:
            _current.stop()
            _current = None


def end() -> None:
    """The same, for a process that is about to end by `os._exit`, which asks nobody: no job starts another server."""
    # Never released: a reader that lost its server waits here until the process is gone.
    _starting.acquire()
    if _current is not None:
        _current.stop()


def _after_fork() -> None:
    global _current, _starting
    _starting = threading.Lock()
    if _current is not None:
        _current.disown()
        _current = None


os.register_at_fork(after_in_child=_after_fork)
atexit.register(stop)
