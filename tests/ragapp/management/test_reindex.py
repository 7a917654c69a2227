"""`manage.py reindex`, over the embedded index: here, or by the server that owns it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management.base import CommandError

from ingestion import builds, engine
from ingestion.errors import EmbedderUnavailableError
from ingestion.models import BuildState, IndexBuild
from ragapp import embedded
from ragapp.embedded import RunningServer
from ragapp.management.commands import reindex
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, texts
from tests.live import ROOT, LiveServer
from tests.ragapp.management.conftest import Run


@pytest.fixture(autouse=True)
def _noticed_at_once() -> Iterator[None]:
    with patch.object(builds, "NOTICED_S", 0.0):
        yield


def rows(printed: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(printed)["builds"]
    return listed


def test_without_a_server_it_is_built_here_and_live(run: Run) -> None:
    document(collection(), *texts(5))
    before = engine.catalog().live(IDENTITY)
    (row,) = rows(run("reindex", "--json"))
    assert (row["state"], row["done"], row["total"], row["error_code"]) == ("live", 5, 5, None)
    assert engine.catalog().live(IDENTITY) == row["generation"] != before
    assert engine.index().count() == 5


def test_a_rollback_goes_back_to_the_former_index(run: Run) -> None:
    document(collection(), *texts(5))
    first, second = rows(run("reindex", "--json"))[0], rows(run("reindex", "--json"))[0]
    (row,) = rows(run("reindex", "--rollback", "--json"))
    assert row["generation"] == first["generation"] != second["generation"]
    assert engine.catalog().live(IDENTITY) == first["generation"]
    listed = {each["id"]: each["state"] for each in rows(run("reindex", "--status", "--json"))}
    assert listed == {first["id"]: "live", second["id"]: "replaced"}
    assert "replaced" in run("reindex", "--status")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [("--rollback", "No former index"), ("--resume", "nothing to resume"), ("--cancel", "No build is under way")],
)
def test_what_is_not_there_is_said(run: Run, option: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("reindex", option)


def test_what_stopped_it_is_said_and_resume_goes_on(run: Run) -> None:
    document(collection(), *texts(5), embedded=False)
    with (
        patch.object(EMBEDDER, "embed_documents", side_effect=EmbedderUnavailableError("down")),
        pytest.raises(CommandError, match="--resume"),
    ):
        run("reindex")
    begun = IndexBuild.objects.get()
    assert (begun.state, begun.error_code) == (BuildState.BUILDING, "embedder_unavailable")
    (row,) = rows(run("reindex", "--resume", "--json"))
    assert (row["state"], row["generation"]) == ("live", begun.generation)


def test_a_running_server_builds_and_its_progress_is_followed(run: Run) -> None:
    document(collection(), *texts(5))
    slept = 0

    def server_works(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 2:
            builds.run_here(IndexBuild.objects.get())

    with (
        patch.object(embedded, "running_server", lambda: RunningServer(pid=1, url="")),
        patch("ragapp.management.commands.reindex.time.sleep", server_works),
    ):
        (row,) = rows(run("reindex", "--json"))
    assert (row["state"], slept >= 2) == ("live", True)


def test_a_server_with_another_model_is_not_waited_for_for_ever(run: Run) -> None:
    with (
        patch.object(embedded, "running_server", lambda: RunningServer(pid=1, url="")),
        patch.object(reindex, "_PATIENCE_S", 0.0),
        pytest.raises(CommandError, match="with that model"),
    ):
        run("reindex")
    assert IndexBuild.objects.get().state == BuildState.REQUESTED
    run("reindex", "--cancel")
    assert IndexBuild.objects.get().state == BuildState.CANCELLED


def test_a_real_server_builds_and_audits_while_it_serves(tmp_path: Path, models_dir: Path) -> None:
    server = LiveServer(data_dir=tmp_path / "data").start()
    try:
        (row,) = rows(command(server, "reindex", "--json"))
        assert (row["state"], row["done"]) == ("live", row["total"])
        assert str(row["generation"]).endswith("_g2")
        report = json.loads(command(server, "audit", "--json"))
        assert (report["clean"], report["points"]) == (True, report["chunks"])
    finally:
        server.stop()


def command(server: LiveServer, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
