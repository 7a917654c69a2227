"""What a watcher is told."""

import pytest
from django.test import Client

from ragapp import wiring


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    parts: dict[str, str] = {}
    monkeypatch.setattr(wiring, "readiness", lambda: parts)
    return parts


def test_alive_asks_nothing_of_any_part(failing: dict[str, str]) -> None:
    failing["database"] = "unreachable"
    assert Client().get("/healthz").json() == {"status": "alive"}


def test_ready_names_every_part(failing: dict[str, str]) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert response.json()["parts"] == {"database": "ready", "index": "ready", "model": "ready"}


def test_one_part_that_fails_is_named(failing: dict[str, str]) -> None:
    failing["model"] = "restarting"
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"] == {"database": "ready", "index": "ready", "model": "restarting"}
