"""A child process that listens on loopback: started, waited for, stopped. Knows no particular service."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.provision.missing import ServiceFailedError

LOOPBACK = "127.0.0.1"
START_S = 60.0
STOP_S = 15.0


@dataclass(frozen=True)
class Account:
    """The user that a service runs as, where it refuses root."""

    uid: int
    gid: int


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """True once something accepts connections there."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def served(
    command: Sequence[str | Path],
    *,
    folder: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
) -> Iterator[None]:
    """Run `command` in `folder` until the block ends. Raises ServiceFailedError when it never gets ready.

    The child stays in our process group: Ctrl-C on the test run reaches it as well, and leaves no orphan.
    """
    log = folder / "service.log"
    with log.open("wb") as stream:
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    try:
        _wait_until(ready, child=child, log=log)
        yield
    finally:
        _stop(child)


def _wait_until(ready: Callable[[], bool], *, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            how = "ended" if child.poll() is not None else f"was not ready after {START_S:.0f} s"
            raise ServiceFailedError(f"{child.args!r} {how}:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
