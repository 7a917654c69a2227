"""Keeps one local model server alive: starts the child, proves that it answers, restarts it with back-off.

Knows processes and one HTTP endpoint; nothing of prompts, chats or Django.

    STOPPED ─start()→ STARTING ─one token generated→ READY ─child ended→ RESTARTING ─after the delay→ STARTING
       ↑                  └──────────child ended──────────────────────────────↑
       └── stop(), from every state
"""

import logging
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from time import monotonic
from typing import IO, Final

import httpx

from ragapp.gateway import local_server

logger = logging.getLogger(__name__)

_POLL_S: Final = 0.2
_TOKEN_TIMEOUT_S: Final = 120.0
_TERMINATE_S: Final = 5.0
_LOG_LIMIT_BYTES: Final = 5_000_000
# Below the range from which the system takes ports for outgoing connections: a restart finds its port free.
_PORTS: Final = range(20_000, 32_000)
_GGUF_MAGIC: Final = b"GGUF"


class ModelServerState(Enum):
    """Where the child is in its life."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ModelServerStatus:
    """What a page may show. `restarts` counts since start(); `detail` is a sentence for a person."""

    state: ModelServerState
    restarts: int
    detail: str


@dataclass(frozen=True)
class Backoff:
    """Doubling delays between restarts; a child that was healthy for a while starts the count afresh."""

    first_s: float = 1.0
    limit_s: float = 30.0
    healthy_s: float = 60.0

    def delay_s(self, failures: int) -> float:
        """The wait before the restart after that many failures in a row, one or more."""
        return float(min(self.limit_s, self.first_s * 2 ** min(failures - 1, 20)))


class ModelServerSupervisor:
    """One model served by one child process. start() and stop() may be called from any thread.

    `base_url` ends in /v1 and stays the same over restarts, unless another process took the port meanwhile:
    read it for each request. Open a connection for each request, too: the engine announces keep-alive, but
    closes after a stream, and a client that reuses the connection at once loses its request.

    `system_prompt` is what every later prompt starts with: the model reads it while it warms up, so that the
    first question does not wait for it.
    """

    def __init__(
        self,
        model: Path,
        *,
        alias: str,
        log_file: Path,
        context_tokens: int = 4096,
        parallel: int = 1,
        threads: int | None = None,
        system_prompt: str = "",
        backoff: Backoff | None = None,
    ) -> None:
        self._model = model
        self._alias = alias
        self._log_file = log_file
        self._context_tokens = context_tokens
        self._parallel = parallel
        self._threads = threads or os.cpu_count() or 1
        self._system_prompt = system_prompt
        self._backoff = backoff or Backoff()
        self._api_key = secrets.token_urlsafe(32)
        self._port = 0
        self._lifecycle = threading.Lock()
        self._changed = threading.Condition()
        self._status = _status(ModelServerState.STOPPED, "The model server is not running.")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The OpenAI-compatible endpoint, with its /v1."""
        return f"http://{local_server.HOST}:{self._port}/v1"

    @property
    def api_key(self) -> str:
        """The bearer token; made for this supervisor, never written anywhere."""
        return self._api_key

    @property
    def model(self) -> str:
        """The name under which the endpoint knows the model."""
        return self._alias

    @property
    def pid(self) -> int | None:
        """The child that runs now."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the child and return at once; `wait_ready` waits. Does nothing when it runs already."""
        with self._lifecycle:
            if self._thread is not None:
                return
            self._stop.clear()
            self._port = self._port or _free_port()
            self._set(ModelServerState.STARTING, f"The model {self._alias} is being loaded.", restarts=0)
            self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the child and wait until it is gone."""
        with self._lifecycle:
            self._stop.set()
            if self._thread is not None:
                self._join(self._thread)
                self._thread = None
            self._set(ModelServerState.STOPPED, "The model server is not running.")

    def _join(self, monitor: threading.Thread) -> None:
        while monitor.is_alive():
            # The monitor may be waiting for an answer; the child's end is what interrupts that.
            child = self._child
            if child is not None:
                child.terminate()
            monitor.join(_POLL_S)

    def status(self) -> ModelServerStatus:
        """The state now; cheap enough for every request."""
        with self._changed:
            return self._status

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the model can answer; False when it cannot within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._status.state is ModelServerState.READY, timeout_s)

    def _run(self) -> None:
        """The monitor thread. It creates the child and must outlive it: what Linux calls the parent's death
        is the end of the thread that created the child.
        """
        failures = 0
        restarts = 0
        while not self._stop.is_set():
            began = monotonic()
            reason = self._serve_once(restarts=restarts)
            if self._stop.is_set():
                return
            healthy = monotonic() - began >= self._backoff.healthy_s
            failures = 1 if healthy else failures + 1
            restarts += 1
            delay = self._backoff.delay_s(failures)
            logger.warning("%s Restart %d in %.0f s.", reason, restarts, delay)
            self._set(
                ModelServerState.RESTARTING,
                f"{reason} It is started again in {delay:.0f} s.",
                restarts=restarts,
            )
            self._stop.wait(delay)

    def _serve_once(self, *, restarts: int) -> str:
        """One life of the child. Returns why it ended, as a sentence."""
        self._set(ModelServerState.STARTING, f"The model {self._alias} is being loaded.", restarts=restarts)
        fault = _fault_of(self._model)
        if fault:
            return fault
        try:
            if not _can_bind(self._port):
                self._port = _free_port()
            with self._running_child() as child:
                if self._wait_for_token(child):
                    self._set(ModelServerState.READY, f"The model {self._alias} is ready.")
                self._wait_for_end(child)
                return self._why_ended(child.returncode)
        except Exception as exc:  # the edge of the thread: a monitor that dies would leave a false status behind
            logger.exception("The model server could not be supervised.")
            return f"The model server could not be started ({exc})."

    @contextmanager
    def _running_child(self) -> Iterator[subprocess.Popen[bytes]]:
        with _open_log(self._log_file) as log:
            child = subprocess.Popen(  # noqa: S603 (our own program, no shell)
                self._command(),
                stdin=subprocess.PIPE,  # its end tells the child that we are gone
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C in a terminal is for us; we end the child
            )
        self._child = child
        try:
            yield child
        finally:
            _end(child)
            self._child = None

    def _command(self) -> list[str]:
        # By path and with -P, not -m: importing the package would cost the child Celery and 0.3 s.
        program = [sys.executable, "-P", str(Path(local_server.__file__))]
        options = {
            "--model": self._model,
            "--alias": self._alias,
            "--port": self._port,
            "--context-tokens": self._context_tokens,
            "--parallel": self._parallel,
            "--threads": self._threads,
        }
        return program + [f"{name}={value}" for name, value in options.items()]

    def _environment(self) -> dict[str, str]:
        """Ours without our secrets: the child needs no database and no provider key."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RAGAPP_")}
        return {**ours, local_server.API_KEY_VARIABLE: self._api_key}

    def _wait_for_token(self, child: subprocess.Popen[bytes]) -> bool:
        """True once a token was generated: /health says yes before that is possible."""
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {self._api_key}"}) as client:
            while child.poll() is None and not self._stop.is_set():
                if self._generates(client):
                    return True
                self._stop.wait(_POLL_S)
        return False

    def _generates(self, client: httpx.Client) -> bool:
        messages = [{"role": "user", "content": "Hello"}]
        if self._system_prompt:
            messages.insert(0, {"role": "system", "content": self._system_prompt})
        request = {"model": self._alias, "messages": messages, "max_tokens": 1, "temperature": 0}
        try:
            answer = client.post(f"{self.base_url}/chat/completions", json=request, timeout=_TOKEN_TIMEOUT_S)
            return answer.is_success and bool(answer.json()["usage"]["completion_tokens"])
        except (httpx.TransportError, ValueError, LookupError):
            return False

    def _wait_for_end(self, child: subprocess.Popen[bytes]) -> None:
        while child.poll() is None and not self._stop.is_set():
            self._stop.wait(_POLL_S)

    def _why_ended(self, status: int | None) -> str:
        match status:
            case local_server.EXIT_MODEL_UNREADABLE:
                return (
                    f"The model file {self._model} cannot be loaded: it is damaged, incomplete or of an "
                    f"unknown kind, or memory is short. See {self._log_file}, or delete it and fetch again."
                )
            case local_server.EXIT_ENGINE_MISSING:
                return f"The model engine cannot be loaded: {_last_line(self._log_file)}"
            case int() if status == -signal.SIGKILL:
                return "The model server was killed, perhaps because the machine ran out of memory."
            case _:
                return f"The model server ended unexpectedly (status {status}); see {self._log_file}."

    def _set(self, state: ModelServerState, detail: str, *, restarts: int | None = None) -> None:
        with self._changed:
            count = self._status.restarts if restarts is None else restarts
            self._status = _status(state, detail, restarts=count)
            self._changed.notify_all()


def _status(state: ModelServerState, detail: str, *, restarts: int = 0) -> ModelServerStatus:
    return ModelServerStatus(state=state, restarts=restarts, detail=detail)


def _fault_of(model: Path) -> str:
    """What is wrong with the file that a look at it can tell; empty when nothing is."""
    try:
        with model.open("rb") as stream:
            magic = stream.read(len(_GGUF_MAGIC))
    except FileNotFoundError:
        return f"The model file {model} is missing; fetch it again."
    except OSError as exc:
        return f"The model file {model} cannot be read ({exc.strerror})."
    return "" if magic == _GGUF_MAGIC else f"The model file {model} is damaged: it is not GGUF. Delete and fetch it."


def _free_port() -> int:
    for port in random.sample(_PORTS, 50):
        if _can_bind(port):
            return port
    raise OSError("no free port on loopback")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        # As the engine does: else closing connections of the child before look like an owner of the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((local_server.HOST, port))
        except OSError:
            return False
    return True


def _open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[-1] if lines else f"see {path}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Gone when this returns. Closing stdin alone would do, but not while the model loads."""
    child.terminate()
    try:
        child.wait(_TERMINATE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
