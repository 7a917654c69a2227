"""The banner over the chat says what an answer cannot rely on yet, and asks again only as long as it must."""

import pytest
from django.urls import reverse

from ingestion.models import DocumentState
from ragapp import wiring
from ragapp.gateway.supervisor import ModelServerState, ModelServerStatus
from ragapp.weights import WeightsError
from tests.ragapp.web.world import World, browser_of, document_in


def banner(world: World) -> str:
    return browser_of(world.reader).get(reverse("web:status")).content.decode()


def model_is(monkeypatch: pytest.MonkeyPatch, state: ModelServerState) -> None:
    status = ModelServerStatus(state=state, restarts=0, detail="")
    monkeypatch.setattr(wiring, "model_status", lambda: status)


def test_nothing_is_said_and_nothing_is_polled_when_all_is_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    model_is(monkeypatch, ModelServerState.READY)
    assert "banner" not in banner(world)
    assert "every" not in banner(world)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ModelServerState.STARTING, "is loading"),
        (ModelServerState.RESTARTING, "is being restarted"),
        (ModelServerState.STOPPED, "is not running"),
    ],
)
def test_a_model_that_is_not_ready_is_told_and_watched(
    world: World, monkeypatch: pytest.MonkeyPatch, state: ModelServerState, words: str
) -> None:
    model_is(monkeypatch, state)
    assert words in banner(world)
    assert "every 5s" in banner(world)


def test_weights_that_are_missing_read_as_a_model_that_does_not_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> ModelServerStatus:
        raise WeightsError("no such file")

    monkeypatch.setattr(wiring, "model_status", missing)
    assert "is not running" in banner(world)


def test_documents_that_are_still_read_are_counted_where_the_reader_may_read_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_is(monkeypatch, ModelServerState.READY)
    for collection in (world.handbook, world.vault):
        document_in(collection, name="new.pdf", state=DocumentState.QUEUED, chunk_count=0)
    assert "1 document is still being read." in banner(world)
    assert "every 5s" in banner(world)
