"""A throw-away PostgreSQL cluster. The server refuses to run as root, so for root it runs as another user."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.provision.missing import MissingPartError, ServiceFailedError
from tests.provision.service import LOOPBACK, Account, Service, free_port
from tests.provision.system_packages import install

DEBIAN_FOLDERS = "/usr/lib/postgresql"
NAME = "ragapp"


def ensure() -> Path:
    """The folder of PostgreSQL's server programs."""
    found = _programs()
    if found is None:
        install("postgresql", to_get="the PostgreSQL server programs (initdb, postgres)")
        found = _programs()
    if found is None:
        raise MissingPartError("Tests need PostgreSQL's initdb and postgres on PATH: apt-get install postgresql")
    return found


def service(folder: Path, *, durable: bool = False) -> tuple[Service, str]:
    """A cluster in `folder`, made where there is none and not started yet, and the URL of its database.

    Password authentication, loopback only. `create_database` makes the database, once it runs.
    """
    programs, account, port = ensure(), _account(), free_port()
    password = secrets.token_urlsafe(16)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    _initialise(programs, folder, password=password, account=account)
    options = [f"listen_addresses={LOOPBACK}", "unix_socket_directories="]
    options += [] if durable else ["fsync=off", "full_page_writes=off"]
    command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
    for option in options:
        command += ["-c", option]
    server = f"postgresql://{NAME}:{password}@{LOOPBACK}:{port}"
    return Service(command, folder, lambda: _accepts(f"{server}/postgres"), account=account), f"{server}/{NAME}"


def create_database(url: str) -> None:
    """The empty database of `service`."""
    with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")


@contextmanager
def running() -> Iterator[str]:
    """A fresh cluster without durability; yields its URL."""
    # Not pytest's temporary folder: that is closed to every other user, and the server may be one.
    with tempfile.TemporaryDirectory(prefix="ragapp-postgres-", ignore_cleanup_errors=True) as name:
        process, url = service(Path(name))
        with process:
            create_database(url)
            yield url


def _programs() -> Path | None:
    on_path = shutil.which("initdb")
    newest_first = sorted(Path(DEBIAN_FOLDERS).glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    folders = [Path(on_path).resolve().parent] if on_path else []
    complete = (f for f in folders + newest_first if (f / "initdb").exists() and (f / "postgres").exists())
    return next(complete, None)


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise MissingPartError("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.")


def _initialise(programs: Path, folder: Path, *, password: str, account: Account | None) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if account is not None:
        os.chown(secret, account.uid, account.gid)
    done = subprocess.run(
        [
            programs / "initdb",
            *("--pgdata", folder / "data", "--username", NAME, "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        raise ServiceFailedError(f"initdb failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
