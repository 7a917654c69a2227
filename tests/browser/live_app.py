"""The application as a person starts it: `manage.py up` in a process of its own, over an empty data folder."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.provision.folders import MODELS

ROOT = Path(__file__).parents[2]
# The first start loads the embedding model and the chat model; a busy machine with two cores takes its time.
START_S = 180
STOP_S = 30


@dataclass(frozen=True)
class LiveApp:
    """Where it runs, and who may sign in."""

    url: str
    admin_username: str
    admin_password: str
    data_dir: Path

    def shell(self, code: str) -> str:
        """Run Python in the application over the same data; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=ROOT,
            env=_environment(self.data_dir),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def running(data_dir: Path) -> Iterator[LiveApp]:
    """Start, hand out, stop by SIGINT, and insist that nothing it started is left."""
    port = _free_port()
    log = data_dir.parent / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=ROOT,
            env=_environment(data_dir),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _started(process, log, data_dir)
    finally:
        children = _descendants(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"The server did not stop within {STOP_S} s of SIGINT:\n{_tail(log)}") from None
        left = [pid for pid in children if _is_alive(pid)]
        assert not left, f"Processes {left} outlived the server:\n{_tail(log)}"


def _environment(data_dir: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAGAPP_", "DJANGO_"))}
    return kept | {
        "RAGAPP_DATA_DIR": str(data_dir),
        "RAGAPP_MODELS_DIR": str(MODELS),
        "RAGAPP_CHAT_MODEL": "smollm2-135m-instruct",
        "PYTHONUNBUFFERED": "1",
    }


def _started(process: "subprocess.Popen[bytes]", log: Path, data_dir: Path) -> LiveApp:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        printed = log.read_text(errors="replace")
        url = re.search(r"http://\S+", printed)
        username = re.search(r"Username: (\S+)", printed)
        password = re.search(r"Password: (\S+)", printed)
        if url and username and password and "Ctrl-C" in printed:
            return LiveApp(url.group(), username.group(1), password.group(1), data_dir)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"The server did not start:\n{_tail(log)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _descendants(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            pids = [int(child) for child in children.read_text().split()]
            found += pids
            waiting += pids
    return found


def _is_alive(pid: int) -> bool:
    try:
        # The state follows the name, which is in brackets; a zombie has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
