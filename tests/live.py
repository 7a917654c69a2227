"""The real server as a child process, as `make run` starts it, over a data folder of the test's own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.provision.folders import MODELS

ROOT = Path(__file__).parents[1]
# The first start loads both models; a busy machine with two cores takes its time.
START_S = 180
STOP_S = 30


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class LiveServer:
    """`manage.py up`, started and stopped. Its first admin's credentials are kept over restarts."""

    data_dir: Path
    chat_model: str = "smollm2-135m-instruct"
    port: int = field(default_factory=free_port)
    username: str = ""
    password: str = ""
    log: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What any command over the same data folder needs."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAGAPP_", "DJANGO_"))}
        return {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "ragapp.settings",
            "RAGAPP_DATA_DIR": str(self.data_dir),
            "RAGAPP_MODELS_DIR": str(MODELS),
            "RAGAPP_CHAT_MODEL": self.chat_model,
            "HF_HUB_OFFLINE": "1",
        }

    def start(self) -> "LiveServer":
        """Start and wait until pages are served."""
        log = self.data_dir.parent / f"{self.data_dir.name}.log"
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_pages(log)
        if found := re.search(r"Username: (\S+)\s+Password: (\S+)", self.log):
            self.username, self.password = found.groups()
        return self

    def stop(self) -> int:
        """Ctrl-C; returns the exit code. Raises TimeoutExpired where it does not end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)

    def kill(self) -> None:
        """Like a power cut for this one process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another `manage.py` command over the same data folder."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )

    def shell(self, code: str) -> str:
        """Run Python in the application over the same data; returns what it prints."""
        done = self.command("shell", "--no-imports", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def wait_ready(self) -> None:
        """Until every part answers, the model too."""
        wait_for(lambda: httpx.get(f"{self.url}/readyz").status_code == httpx.codes.OK, "the server to be ready")

    def _await_pages(self, log: Path) -> None:
        def serving() -> bool:
            assert self.process is not None
            self.log = log.read_text()
            assert self.process.poll() is None, self.log
            try:
                return "is running at" in self.log and httpx.get(f"{self.url}/healthz").is_success
            except httpx.TransportError:
                return False

        wait_for(serving, "the first page")


@contextmanager
def running(data_dir: Path) -> Iterator[LiveServer]:
    """Start, hand out, stop, and insist that nothing it started is left."""
    server = LiveServer(data_dir)
    try:
        yield server.start()
    finally:
        assert server.process is not None
        below = descendants(server.process.pid)
        try:
            server.stop()
        except subprocess.TimeoutExpired:
            server.kill()
            raise
        left = alive(below)
        assert not left, f"processes {left} outlived the server"


def wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float = START_S) -> None:
    """Poll until the condition holds. Raises AssertionError."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(0.1)


def descendants(pid: int) -> set[int]:
    """Every process below this one, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    queue = [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    running = set()
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.add(pid)
        except OSError:
            continue
    return running
