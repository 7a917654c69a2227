"""A child process that listens on loopback: started, waited for, stopped. Knows no particular service."""

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
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


@dataclass
class Service:
    """A server program on its own folder, which outlives each of its processes: started, killed, started again.

    The child stays in our process group: Ctrl-C on the test run reaches it as well, and leaves no orphan.
    """

    command: Sequence[str | Path]
    folder: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] | None = None
    account: Account | None = None
    child: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Run it, and wait until it is ready. Raises ServiceFailedError when it never gets so."""
        log = self.folder / "service.log"
        with log.open("ab") as stream:
            self.child = subprocess.Popen(
                [str(part) for part in self.command],
                cwd=self.folder,
                env=dict(self.env) if self.env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        _wait_until(self.ready, child=self.child, log=log)

    def stop(self) -> None:
        """As an operator would. One that does not run is left alone."""
        if self.child is not None:
            _stop(self.child)
            self.child = None

    def kill(self) -> None:
        """As a power cut would."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self.child = None

    def __enter__(self) -> "Service":
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


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
