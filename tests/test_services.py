"""The same code on services: PostgreSQL, Valkey, a Qdrant server, workers and beat as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from ragapp import weights
from ragapp.bootstrap import SAMPLE_DIR
from ragapp.gateway.supervisor import ModelServerSupervisor
from tests.live import ROOT, LiveServer, wait_for
from tests.provision import qdrant
from tests.provision.folders import MODELS
from tests.provision.qdrant import QdrantServer

SMALL = "smollm2-135m-instruct"


@pytest.fixture
def own_qdrant() -> Iterator[QdrantServer]:
    """A server with no index of other tests: one of another model would be a mismatch, as it must be."""
    with qdrant.running() as server:
        yield server


@pytest.fixture
def environment(
    postgres_url: str, redis_url: str, own_qdrant: QdrantServer, models_dir: Path, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Everything that the processes share. A model server elsewhere stands in for vLLM."""
    path = weights.find(SMALL, models_dir)
    assert path is not None
    model = ModelServerSupervisor(path, alias=SMALL, log_file=tmp_path / "model.log")
    model.start()
    try:
        assert model.wait_ready(120), model.status().detail
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAGAPP_")},
            "DJANGO_SETTINGS_MODULE": "ragapp.settings",
            "DJANGO_SUPERUSER_PASSWORD": "a-password-for-tests",
            "RAGAPP_DATA_DIR": str(tmp_path / "data"),
            "RAGAPP_MODELS_DIR": str(MODELS),
            "RAGAPP_DATABASE_URL": postgres_url,
            "RAGAPP_BROKER_URL": redis_url,
            "RAGAPP_QDRANT_URL": own_qdrant.url,
            "RAGAPP_QDRANT_API_KEY": own_qdrant.api_key,
            "RAGAPP_CHAT_URL": model.base_url,
            "RAGAPP_CHAT_API_KEY": model.api_key,
            "RAGAPP_CHAT_MODEL": SMALL,
            "RAGAPP_SECRET_KEY": "k" * 60,
        }
    finally:
        model.stop()


@contextmanager
def process(*arguments: str, environment: dict[str, str]) -> Iterator[None]:
    running = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment)
    try:
        yield
        assert running.poll() is None, f"{arguments} ended by itself"
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def command(*arguments: str, environment: dict[str, str]) -> str:
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_document_goes_through_workers_to_a_cited_answer(environment: dict[str, str], tmp_path: Path) -> None:
    command("migrate", "--verbosity", "0", environment=environment)
    command(
        "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com", environment=environment
    )
    web = LiveServer(data_dir=tmp_path / "data")
    worker = ("-m", "celery", "-A", "ragapp", "worker", "--concurrency", "1", "--loglevel", "WARNING")
    beat = ("-m", "celery", "-A", "ragapp", "beat", "--schedule", str(tmp_path / "beat"), "--loglevel", "WARNING")
    with ExitStack() as stack:
        for arguments in (worker, beat, ("manage.py", "up", "--port", str(web.port))):
            stack.enter_context(process(*arguments, environment=environment))
        wait_for(lambda: _is_ready(web.url), "the web process to be ready")
        document = SAMPLE_DIR / "expenses-and-travel.md"
        ingested = command(
            "ingest", str(document), "--collection", "Handbook", "--wait", "--json", environment=environment
        )
        assert [row["state"] for row in json.loads(ingested)["documents"]] == ["ready"]
        answer = json.loads(
            command("ask", "Which form do I need for a trip abroad?", "--json", environment=environment)
        )
        assert answer["state"] == "finished"
        assert answer["route"]["verdict"] == "inside"
        found = json.loads(command("search", "trip abroad", "--json", environment=environment))
        assert "TR-14" in " ".join(hit["text"] for hit in found["hits"])


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
