"""`manage.py audit`: what it prints, and with what it ends."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management.base import CommandError

from ingestion import engine
from ingestion.projection import project
from ragapp import embedded
from ragapp.accounts.models import User
from ragapp.embedded import RunningServer
from ragapp.management import local_api
from tests.ingestion.integrity.corpus import EMBEDDER, collection, document, files_dir, texts
from tests.ragapp.management.conftest import Run

CLEAN = {
    "clean": True,
    "documents": 1,
    "chunks": 2,
    "points": 2,
    "seconds": 0.1,
    "counts": {},
    "mended": {},
    "findings": [],
}
STUCK = {"kind": "stuck", "sentence": "It waits.", "document_id": "d", "chunk_id": "", "path": "", "build_id": None}


def indexed() -> None:
    project(engine.index(), EMBEDDER)


def test_a_sound_installation_has_no_fault(run: Run) -> None:
    document(collection(), *texts(5))
    indexed()
    body = json.loads(run("audit", "--json"))
    assert (body["clean"], body["documents"], body["chunks"], body["points"]) == (True, 1, 5, 5)
    assert (body["counts"], body["mended"], body["findings"]) == ({}, {}, [])
    assert "no fault" in run("audit", "--quick")


def test_a_fault_is_named_and_ends_it_with_an_error(run: Run) -> None:
    document(collection(), *texts(5))
    with pytest.raises(CommandError, match="5 faults are left"):
        run("audit")
    with pytest.raises(CommandError):
        run("audit", "--json")


def test_repair_mends_and_says_what(run: Run) -> None:
    document(collection(), *texts(5))
    (files_dir() / "left").write_bytes(b"x")
    with patch("ingestion.repairs.time.sleep"):
        body = json.loads(run("audit", "--repair", "--json"))
    assert body["clean"]
    assert body["mended"] == {"chunks_without_points": 5, "orphan_file": 1}
    assert "no fault" in run("audit")


def test_a_running_server_is_asked_and_need_not_stop(run: Run) -> None:
    user = User.objects.create_user("ada", is_staff=True)
    server = RunningServer(pid=1, url="http://127.0.0.1:1")
    asked: list[Any] = []

    def post(*args: Any, **options: Any) -> dict[str, Any]:
        asked.append((args, options))
        return {**CLEAN, "clean": False, "counts": {"stuck": 1}, "findings": [STUCK]}

    with (
        patch.object(embedded, "running_server", lambda: server),
        patch.object(local_api, "post", post),
        pytest.raises(CommandError, match="1 faults are left"),
    ):
        run("audit", "--quick")
    assert asked == [((server, "/audit"), {"user": user, "body": {"repair": False, "quick": True}})]
