"""`manage.py up` as a newcomer and an operator meet it: first start, second start, stop, crash."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ingestion.models import DocumentState
from tests.live import LiveServer, alive, descendants, wait_for

SAMPLE_DOCUMENTS = 8
SEARCH_FIELDS = {"relevant", "hits"}


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Iterator[LiveServer]:
    live = LiveServer(data_dir=tmp_path / "data")
    yield live
    if live.process is not None and live.process.poll() is None:
        live.process.kill()
        live.process.wait()


def documents(server: LiveServer) -> dict[str, tuple[str, str]]:
    """State and error of each document by name."""
    with sqlite3.connect(server.data_dir / "db.sqlite3", timeout=30) as database:
        rows = database.execute("select name, state, error_code from ingestion_document").fetchall()
    return {name: (state, code) for name, state, code in rows}


def _answer_under_way(database: sqlite3.Connection) -> None:
    """As if the server had been killed while it wrote an answer."""
    (owner,) = database.execute("select id from accounts_user").fetchone()
    now = "2026-01-01 00:00:00"
    database.execute(
        "insert into chat_conversation (id, title, label, created_at, updated_at, owner_id)"
        " values (?, 'Q', 0, ?, ?, ?)",
        ("c" * 32, now, now, owner),
    )
    columns = "id, role, state, text, asked, refused, truncated, error_code, claimed_at, created_at, conversation_id"
    database.execute(
        f"insert into chat_message ({columns}) values (?, 'answer', 'streaming', '', '', 0, 0, '', ?, ?, ?)",  # noqa: S608
        ("d" * 32, now, now, "c" * 32),
    )


def settled(server: LiveServer) -> bool:
    found = documents(server)
    return bool(found) and all(state in {DocumentState.READY, DocumentState.FAILED} for state, _ in found.values())


def test_the_first_start_brings_an_admin_and_a_sample_and_the_second_changes_nothing(server: LiveServer) -> None:
    server.start()
    assert server.username == "admin"
    assert len(server.password) >= 12
    wait_for(lambda: settled(server), "the sample to be read")
    assert set(documents(server).values()) == {(DocumentState.READY, "")}
    assert len(documents(server)) == SAMPLE_DOCUMENTS
    before = documents(server)
    assert server.stop() == 0
    server.start()
    assert "Password" not in server.log
    assert documents(server) == before
    assert server.stop() == 0


def test_a_first_start_that_cannot_have_its_model_makes_no_admin_and_the_next_one_does(server: LiveServer) -> None:
    hopeless = LiveServer(data_dir=server.data_dir, chat_model="/nowhere/model.gguf")
    result = hopeless.command("up", "--port", str(hopeless.port))
    assert result.returncode != 0
    assert "make setup" in result.stderr
    assert "Password" not in result.stdout
    server.start()
    assert server.password
    assert server.stop() == 0


def test_stop_leaves_no_orphan(server: LiveServer) -> None:
    server.start()
    assert server.process is not None
    server.wait_ready()
    children = descendants(server.process.pid)
    assert children
    assert server.stop() == 0
    wait_for(lambda: not alive(children), "the children to end", timeout_s=10)


def test_a_killed_server_leaves_no_orphan_and_loses_no_document(server: LiveServer, tmp_path: Path) -> None:
    server.start()
    assert server.process is not None
    folder = tmp_path / "texts"
    folder.mkdir()
    for n in range(3):
        (folder / f"long-{n}.txt").write_text(f"Chapter {n}. " + f"The pump number {n} is checked weekly. " * 1_200)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    result = server.command("ingest", str(folder), "--collection", "Texts", "--json")
    assert result.returncode == 0, result.stderr
    wait_for(lambda: any(state == DocumentState.PROCESSING for state, _ in documents(server).values()), "work to begin")
    children = descendants(server.process.pid)
    with sqlite3.connect(server.data_dir / "db.sqlite3", timeout=30) as database:
        _answer_under_way(database)
    server.kill()
    wait_for(lambda: not alive(children), "the children to end", timeout_s=10)
    assert not settled(server)
    server.start()
    with sqlite3.connect(server.data_dir / "db.sqlite3", timeout=30) as database:
        assert database.execute("select state, error_code from chat_message").fetchall() == [
            ("failed", "answer_interrupted")
        ]
    wait_for(lambda: settled(server), "every document to be settled", timeout_s=240)
    found = documents(server)
    assert len(found) == SAMPLE_DOCUMENTS + 4
    assert found.pop("broken.pdf") == (DocumentState.FAILED, "damaged_document")
    assert set(found.values()) == {(DocumentState.READY, "")}
    assert server.stop() == 0


def test_a_model_child_that_dies_is_started_again(server: LiveServer) -> None:
    server.start()
    server.wait_ready()
    assert server.process is not None
    child = next(
        pid for pid in descendants(server.process.pid) if "local_server" in Path(f"/proc/{pid}/cmdline").read_text()
    )
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "the loss to be noticed")
    server.wait_ready()
    assert server.stop() == 0


def test_a_taken_port_is_said_with_a_way_out(server: LiveServer, tmp_path: Path) -> None:
    server.start()
    other = LiveServer(data_dir=tmp_path / "other", port=server.port)
    result = other.command("up", "--port", str(server.port))
    assert result.returncode != 0
    assert f"make run PORT={server.port + 1}" in result.stderr
    assert server.stop() == 0


def test_a_second_server_on_the_same_data_folder_is_refused(server: LiveServer) -> None:
    server.start()
    result = server.command("up", "--port", str(server.port + 1))
    assert result.returncode != 0
    assert f"in use by process {server.process.pid if server.process else 0}" in result.stderr
    assert server.stop() == 0


def test_commands_speak_to_the_running_server_and_share_its_answers_shape(server: LiveServer) -> None:
    server.start()
    server.wait_ready()
    wait_for(lambda: settled(server), "the sample to be read")
    found = json.loads(server.command("search", "trip abroad form", "--json").stdout)
    assert "TR-14" in " ".join(hit["text"] for hit in found["hits"])
    assert set(found) == SEARCH_FIELDS
    answer = json.loads(server.command("ask", "Which form do I need for a trip abroad?", "--json").stdout)
    assert answer["route"]["verdict"] == "inside"
    assert set(answer) >= {"answer", "citations", "route", "usage", "timings"}
    assert server.stop() == 0


def test_commands_work_without_a_server(server: LiveServer, tmp_path: Path) -> None:
    server.start()
    assert server.stop() == 0
    note = tmp_path / "pumps.md"
    note.write_text("# Pumps\n\nThe Skelmoor pump is checked every second Tuesday by the duty engineer.\n")
    ingested = server.command("ingest", str(note), "--collection", "Notes", "--label", "internal", "--json")
    assert ingested.returncode == 0, ingested.stderr
    assert [row["state"] for row in json.loads(ingested.stdout)["documents"]] == [DocumentState.READY]
    found = json.loads(server.command("search", "When is the Skelmoor pump checked?", "--json").stdout)
    assert found["hits"][0]["title"] == "Pumps"
    assert set(found) == SEARCH_FIELDS
    answered = server.command("ask", "When is the Skelmoor pump checked?", "--json")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["state"] == "finished"
