"""A whole installation on services, for development and for tests that break its parts: `make services`.

Every part is a process of its own on loopback: PostgreSQL, Valkey, Qdrant, workers, beat, web and, where nobody serves
a model, the small model's child. Ctrl-C ends them all; what they stored ends with them.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ragapp import weights
from ragapp.gateway.supervisor import ModelServerSupervisor
from tests.provision import postgres, qdrant, valkey
from tests.provision.folders import MODELS
from tests.provision.service import LOOPBACK, Service, listens

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "admin"
PASSWORD = "a-password-for-development"
_NO_MODEL = f"http://{LOOPBACK}:9/v1"


@dataclass
class Stack:
    """The running parts; each may be killed and started again while the others go on."""

    folder: Path
    database: Service
    broker: Service
    index: Service
    environment: dict[str, str]
    urls: dict[str, str]
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """A process of ours over the services, in a group of its own, so that a kill takes its children along."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_worker(self, name: str, *, queues: str = "", concurrency: int = 1) -> None:
        """A Celery worker; of all queues where none is named."""
        only = ("--queues", queues) if queues else ()
        self.start(
            name,
            *("-m", "celery", "-A", "ragapp", "worker", "--hostname", f"{name}@localhost", "--loglevel", "WARNING"),
            *("--concurrency", str(concurrency), *only),
        )

    def start_beat(self) -> None:
        """What sends the sweeps."""
        schedule = str(self.folder / "beat")
        self.start("beat", "-m", "celery", "-A", "ragapp", "beat", "--schedule", schedule, "--loglevel", "WARNING")

    def kill(self, name: str) -> None:
        """As a power cut would: the process and every child of it."""
        process = self.processes.pop(name, None)
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self, name: str) -> None:
        """As an operator would."""
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def command(self, *arguments: str, timeout_s: float = 600) -> "subprocess.CompletedProcess[str]":
        """`manage.py …` over the services; its output as text."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )


@contextmanager
def running(*, durable: bool = True, chat: dict[str, str] | None = None) -> Iterator[Stack]:
    """The three services and a migrated database with an admin. `chat` are the settings of a model server."""
    with tempfile.TemporaryDirectory(prefix="ragapp-stack-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        root = Path(name)
        # PostgreSQL may run as another user, who must get to its folder.
        root.chmod(0o755)
        folders = {part: root / part for part in ("postgres", "valkey", "qdrant", "ours")}
        for folder in folders.values():
            folder.mkdir()
        database, database_url = postgres.service(folders["postgres"], durable=durable)
        broker, broker_url = valkey.service(folders["valkey"])
        index, server = qdrant.service(folders["qdrant"])
        for service in (database, broker, index):
            stack.enter_context(service)
        postgres.create_database(database_url)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RAGAPP_")},
            "DJANGO_SETTINGS_MODULE": "ragapp.settings",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "RAGAPP_DATA_DIR": str(folders["ours"] / "data"),
            "RAGAPP_MODELS_DIR": str(MODELS),
            "RAGAPP_DATABASE_URL": database_url,
            "RAGAPP_BROKER_URL": broker_url,
            "RAGAPP_QDRANT_URL": server.url,
            "RAGAPP_QDRANT_API_KEY": server.api_key,
            "RAGAPP_SECRET_KEY": "k" * 60,
            **(chat or {"RAGAPP_CHAT_URL": _NO_MODEL}),
        }
        urls = {"PostgreSQL": database_url, "Redis": broker_url, "Qdrant": server.url}
        found = Stack(folders["ours"], database, broker, index, environment, urls)
        try:
            _prepare(found)
            yield found
        finally:
            for part in reversed(list(found.processes)):
                found.stop(part)


def _prepare(stack: Stack) -> None:
    for arguments in (
        ("migrate", "--verbosity", "0"),
        ("createsuperuser", "--noinput", "--username", ADMIN, "--email", "admin@example.com"),
    ):
        done = stack.command(*arguments)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)


@contextmanager
def _model(folder: Path) -> Iterator[dict[str, str]]:
    name = "qwen2.5-coder-1.5b-instruct"
    path = weights.find(name, MODELS)
    if path is None:
        yield {"RAGAPP_CHAT_URL": _NO_MODEL}
        return
    model = ModelServerSupervisor(path, alias=name, log_file=folder / "model.log")
    model.start()
    try:
        yield {
            "RAGAPP_CHAT_URL": model.base_url,
            "RAGAPP_CHAT_API_KEY": model.api_key,
            "RAGAPP_CHAT_MODEL": name,
        }
    finally:
        model.stop()


def main(port: int, workers: int) -> None:
    """Run until Ctrl-C, and say where everything is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as name, _model(Path(name)) as chat, running(chat=chat) as stack:
        for number in range(1, workers + 1):
            stack.start_worker(f"worker-{number}", queues="ingest,maintenance")
        stack.start_worker("worker-large", queues="ingest_large")
        stack.start_beat()
        stack.start("web", "manage.py", "up", "--port", str(port))
        while not listens(port):
            if stack.processes["web"].poll() is not None:
                raise SystemExit((stack.folder / "web.log").read_text())
            time.sleep(0.2)
        print(f"\n  ragapp on services: http://{LOOPBACK}:{port}  (user {ADMIN}, password {PASSWORD})")
        for part, url in stack.urls.items():
            print(f"  {part:<11} {url}")
        print(f"  logs        {stack.folder}\n  Ctrl-C ends all of it.\n", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Stopping.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
