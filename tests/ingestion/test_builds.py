"""Generations are built beside the live one, over every kind of catalog."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from ingestion import builds, engine, projection
from ingestion.access import AccessScope
from ingestion.builds import (
    build_cancel,
    build_request,
    build_resume,
    build_rollback,
    build_run,
    builds_let_go,
    builds_waiting,
)
from ingestion.errors import EmbedderUnavailableError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexCatalog, IndexIdentity, IndexQuery
from ingestion.models import BuildState, Chunk, ChunkEmbedding, Document, DocumentState, IndexBuild
from ingestion.projection import differences
from ingestion.publishing import unpacked
from tests.ingestion.integrity import catalogs
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, go_live, texts, version
from tests.ingestion.integrity.memory_index import MemoryCatalog

pytestmark = pytest.mark.django_db
MODEL = EMBEDDER.name


@pytest.fixture(params=["memory", "edge", "server"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexCatalog]:
    if request.param == "memory":
        yield MemoryCatalog()
    elif request.param == "edge":
        with catalogs.edge(tmp_path / "index") as opened:
            yield opened
    else:
        with catalogs.on_server(request.getfixturevalue("qdrant_server")) as opened:
            yield opened


@pytest.fixture
def memory() -> MemoryCatalog:
    return MemoryCatalog()


def requested() -> int:
    return build_request(embedding_model=MODEL).pk


def run(catalog: IndexCatalog, build_id: int, **options: Any) -> IndexBuild:
    return build_run(build_id, catalog=catalog, embedder=EMBEDDER, **{"noticed_s": 0.0, **options})


def built(catalog: IndexCatalog) -> IndexBuild:
    return run(catalog, requested())


def ids(catalog: IndexCatalog, name: str | None = None) -> set[str]:
    with closing(catalog.open(name or catalog.live(IDENTITY) or "")) as index:
        return {point.chunk_id for point in index.points()}


def expected() -> set[str]:
    return {str(key) for key in projection.live_chunks().values_list("pk", flat=True)}


def state_of(build: IndexBuild) -> str:
    build.refresh_from_db()
    return build.state


def test_a_build_makes_a_live_generation_equal_to_sql(catalog: IndexCatalog) -> None:
    document(collection(), *texts(30))
    build = built(catalog)
    assert build.state == BuildState.LIVE
    assert (build.done, build.total, build.error_code, build.claim) == (30, 30, "", None)
    assert build.finished_at is not None
    assert catalog.live(IDENTITY) == build.generation
    assert ids(catalog) == expected()


def test_exactly_one_former_generation_is_kept(catalog: IndexCatalog) -> None:
    document(collection(), *texts(5))
    first, second, third = built(catalog), built(catalog), built(catalog)
    assert [state_of(each) for each in (first, second, third)] == ["replaced", "replaced", "live"]
    assert set(catalog.generations()) == {second.generation, third.generation}
    assert first.generation == ""


def test_the_generation_made_with_the_first_document_is_the_former_of_the_first_build(catalog: IndexCatalog) -> None:
    document(collection(), *texts(5))
    name = catalog.create(IDENTITY)
    catalog.switch(name)
    build = built(catalog)
    assert IndexBuild.objects.get(generation=name).state == BuildState.REPLACED
    assert set(catalog.generations()) == {name, build.generation}


def test_a_rollback_catches_the_former_generation_up_and_makes_it_live(catalog: IndexCatalog) -> None:
    home = collection()
    gone = document(home, *texts(5), name="gone.txt")
    first, second = built(catalog), built(catalog)
    document(home, *texts(7, about="travel"), name="new.txt")
    gone.delete()
    asked = build_rollback(embedding_model=MODEL)
    assert asked == first
    run(catalog, first.pk)
    assert catalog.live(IDENTITY) == first.generation
    assert ids(catalog) == expected()
    assert (state_of(first), state_of(second)) == ("live", "replaced")
    back = build_rollback(embedding_model=MODEL)
    assert back == second


def test_without_a_former_generation_there_is_nothing_to_go_back_to(memory: MemoryCatalog) -> None:
    document(collection(), *texts(2))
    built(memory)
    assert build_rollback(embedding_model=MODEL) is None


def test_a_second_request_is_the_first(memory: MemoryCatalog) -> None:
    assert requested() == requested()
    assert IndexBuild.objects.count() == 1
    assert build_request(embedding_model="other").pk != requested()


def test_a_claim_that_is_alive_is_respected(memory: MemoryCatalog) -> None:
    build = build_request(embedding_model=MODEL)
    soon = timezone.now() + timedelta(minutes=1)
    IndexBuild.objects.filter(pk=build.pk).update(state=BuildState.BUILDING, claim=uuid4(), claimed_until=soon)
    assert run(memory, build.pk).state == BuildState.BUILDING
    assert memory.generations() == {}
    assert not builds_waiting().exists()


def test_one_build_at_a_time(memory: MemoryCatalog) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    IndexBuild.objects.create(embedding_model="other", state=BuildState.BUILDING, claim=uuid4(), claimed_until=soon)
    assert built(memory).state == BuildState.REQUESTED


def test_a_build_of_another_model_is_left_to_a_process_that_speaks_it(memory: MemoryCatalog) -> None:
    build = build_request(embedding_model="other")
    assert run(memory, build.pk).state == BuildState.REQUESTED


def test_a_dead_run_is_resumed_on_the_same_generation(catalog: IndexCatalog) -> None:
    document(collection(), *texts(40))
    build_id = requested()
    with (
        patch.object(projection, "_WINDOW", 8),
        patch.object(builds, "project", _dying_after(2)),
        pytest.raises(_DeathError),
    ):
        run(catalog, build_id)
    (name,) = catalog.generations()
    assert 0 < len(ids(catalog, name)) < 40
    # As a killed process leaves it.
    past = timezone.now() - timedelta(seconds=1)
    IndexBuild.objects.filter(pk=build_id).update(state=BuildState.BUILDING, claim=uuid4(), claimed_until=past)
    assert list(builds_waiting()) == [IndexBuild.objects.get(pk=build_id)]
    build = run(catalog, build_id)
    assert (build.state, build.generation) == ("live", name)
    assert set(catalog.generations()) == {name}
    assert ids(catalog) == expected()


class _DeathError(Exception):
    """What nothing catches."""


def _dying_after(windows: int) -> Callable[..., object]:
    def dying(*args: Any, on_progress: Callable[[int, int], None], **options: Any) -> object:
        left = iter(range(windows))

        def counted(done: int, total: int) -> None:
            on_progress(done, total)
            if next(left, None) is None:
                raise _DeathError

        return projection.project(*args, on_progress=counted, **options)

    return dying


def test_a_stopped_run_is_gone_on_with(memory: MemoryCatalog) -> None:
    document(collection(), *texts(40))
    with patch.object(projection, "_WINDOW", 8):
        asked = iter([False, False, True])
        stopped = run(memory, requested(), should_stop=lambda: next(asked))
    assert (stopped.state, stopped.claim) == ("building", None)
    assert builds_waiting().count() == 1
    build = run(memory, stopped.pk)
    assert build.state == BuildState.LIVE
    writes = memory.open(build.generation).writes
    assert len(writes) == len(set(writes)) == 40


@pytest.mark.parametrize("error", [IndexUnavailableError("down"), EmbedderUnavailableError("down")])
def test_an_outage_leaves_the_build_to_a_later_run(memory: MemoryCatalog, error: Exception) -> None:
    document(collection(), *texts(4))
    build_id = requested()
    with patch.object(builds, "project", side_effect=error), pytest.raises(type(error)):
        run(memory, build_id)
    waiting = IndexBuild.objects.get(pk=build_id)
    assert (waiting.state, waiting.claim) == ("building", None)
    assert waiting.error_code.endswith("_unavailable")
    assert not builds_waiting().exists(), "not at once"
    IndexBuild.objects.update(claimed_until=timezone.now())
    assert run(memory, build_id).state == BuildState.LIVE


def test_an_unforeseen_error_fails_the_build_and_it_can_be_resumed(memory: MemoryCatalog) -> None:
    document(collection(), *texts(4))
    build_id = requested()
    with patch.object(builds, "project", side_effect=RuntimeError("boom")), pytest.raises(RuntimeError):
        run(memory, build_id)
    failed = IndexBuild.objects.get(pk=build_id)
    assert (failed.state, failed.error_code) == ("failed", "ingestion_error")
    assert not builds_waiting().exists()
    resumed = build_resume(embedding_model=MODEL)
    assert resumed is not None
    assert (resumed.pk, resumed.generation) == (build_id, failed.generation)
    assert run(memory, build_id).state == BuildState.LIVE


def test_nothing_is_resumed_where_all_ended_well(memory: MemoryCatalog) -> None:
    document(collection(), *texts(4))
    built(memory)
    assert build_resume(embedding_model=MODEL) is None


def test_a_cancelled_build_ends_and_leaves_no_generation(memory: MemoryCatalog) -> None:
    document(collection(), *texts(4))
    live = built(memory).generation
    build = build_request(embedding_model=MODEL)

    def cancelled(done: int, total: int) -> None:
        assert build_cancel(build)

    with patch.object(builds, "_HEARTBEAT_S", 0.0):
        assert run(memory, build.pk, on_progress=cancelled).state == BuildState.CANCELLED
    assert set(memory.generations()) == {live}
    assert memory.live(IDENTITY) == live
    assert not build_cancel(build)


def test_a_run_that_lost_its_claim_switches_nothing(memory: MemoryCatalog) -> None:
    document(collection(), *texts(4))
    build_id = requested()

    def taken_over(done: int, total: int) -> None:
        IndexBuild.objects.update(claim=uuid4())

    with patch.object(builds, "_HEARTBEAT_S", 0.0):
        assert run(memory, build_id, on_progress=taken_over).state == BuildState.BUILDING
    assert memory.live(IDENTITY) is None


def test_a_start_and_a_stop_let_claims_go() -> None:
    build = build_request(embedding_model=MODEL)
    soon = timezone.now() + timedelta(minutes=1)
    IndexBuild.objects.filter(pk=build.pk).update(state=BuildState.BUILDING, claim=uuid4(), claimed_until=soon)
    builds_let_go()
    assert list(builds_waiting()) == [build]


def test_changes_made_while_it_is_built_are_in(memory: MemoryCatalog) -> None:
    home = collection()
    kept, gone = document(home, *texts(4), name="kept.txt"), document(home, *texts(4, about="old"), name="gone.txt")
    changes: Iterator[Callable[[], object]] = iter(
        [gone.delete, lambda: _second_version(kept), lambda: document(home, *texts(3), name="n")]
    )

    def meanwhile(done: int, total: int) -> None:
        next(changes, object)()

    run(memory, requested(), on_progress=meanwhile)
    assert not list(changes)
    assert ids(memory) == expected()
    assert len(expected()) == 5


def _second_version(of: Document) -> None:
    version(of, 2, texts(2, about="travel"))
    go_live(of, 2)


def test_a_change_made_just_after_the_switch_is_in(memory: MemoryCatalog) -> None:
    home = collection()
    document(home, *texts(4))
    memory.on_switch = lambda: document(home, *texts(3), name="late.txt")  # type: ignore[assignment]
    build = built(memory)
    assert build.total == 7
    assert ids(memory) == expected()


@pytest.mark.django_db(transaction=True)
def test_workers_that_write_into_the_former_generation_are_waited_for(memory: MemoryCatalog) -> None:
    home = collection()
    document(home, *texts(4))
    built(memory)
    late = document(home, *texts(3), name="late.txt")
    soon = timezone.now() + timedelta(minutes=1)
    Document.objects.filter(pk=late.pk).update(
        state=DocumentState.PROCESSING, live_version=None, claim=uuid4(), claimed_until=soon
    )

    def published() -> None:
        time.sleep(1.2)
        Document.objects.filter(pk=late.pk).update(
            state=DocumentState.READY, live_version=1, claim=None, claimed_until=None
        )
        connection.close()

    worker = threading.Thread(target=published)
    memory.on_switch = worker.start
    built(memory)
    worker.join()
    assert ids(memory) == expected()
    assert len(expected()) == 7


def test_searches_meet_no_error_and_no_gap_while_a_generation_is_built_and_switched_to(catalog: IndexCatalog) -> None:
    home = collection()
    document(home, *texts(200))
    built(catalog)
    sample = Chunk.objects.first()
    assert sample is not None
    vector = unpacked(bytes(ChunkEmbedding.objects.get(chunk=sample).vector))
    query, scope = IndexQuery(sample.text, vector), AccessScope(frozenset({str(home.pk)}))
    stop, empty, asked, errors = threading.Event(), 0, 0, list[Exception]()

    def ask() -> None:
        nonlocal empty, asked
        while not stop.is_set():
            try:
                with closing(catalog.open(catalog.live(IDENTITY) or "")) as index:
                    empty += str(sample.pk) not in {hit.chunk_id for hit in index.search(query, scope=scope, limit=5)}
            except Exception as exc:
                errors.append(exc)
            asked += 1
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        run(catalog, requested(), noticed_s=0.2)
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert (asked > 0, empty) == (True, 0)


def test_another_models_processes_keep_their_own_generation(catalog: IndexCatalog) -> None:
    document(collection(), *texts(4))
    other = IndexIdentity("other", 8)
    theirs = catalog.create(other)
    catalog.switch(theirs)
    try:
        build = built(catalog)
        assert (catalog.live(other), catalog.live(IDENTITY)) == (theirs, build.generation)
        assert theirs in catalog.generations()
    finally:
        catalog.switch(catalog.create(other))
        catalog.drop(theirs)


def test_a_built_generation_differs_from_sql_in_nothing(catalog: IndexCatalog) -> None:
    document(collection(), *texts(50))
    # Both sides must be in the same order of ids, or windows would not meet.
    with patch.object(projection, "_WINDOW", 8), closing(catalog.open(built(catalog).generation)) as index:
        assert differences(index).count == 0
        assert index.count() == 50


def test_another_language_is_noticed_and_answered_by_a_rebuild(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(collection(), "Die Kündigungsfrist beträgt drei Monate.")
    monkeypatch.setattr(engine, "embedder", lambda: EMBEDDER)
    settings.INGESTION = settings.INGESTION.model_copy(update={"index_dir": tmp_path / "index"})
    engine.close()
    try:
        english = built(engine.catalog()).generation
        assert engine.index().identity.language == "english"
        settings.INGESTION = settings.INGESTION.model_copy(update={"search_language": "german"})
        # Looked up at each call; taking the opened one away would bring it back, closed, when the test is over.
        monkeypatch.setattr(engine, "RESOLVE_EVERY_S", -1.0)
        assert engine.is_outdated()
        with pytest.raises(IndexMismatchError):
            engine.index()
        german = built(engine.catalog())
        assert (german.state, german.generation != english) == (BuildState.LIVE, True)
        assert not engine.is_outdated()
        query = IndexQuery("Kündigungsfristen", (0.0,) * EMBEDDER.dimension)
        found = engine.index().search(query, scope=AccessScope(frozenset({str(collection_id())})), limit=1)
        assert {hit.chunk_id for hit in found} == expected()
    finally:
        engine.close()


def collection_id() -> object:
    """Of the one document."""
    return Document.objects.get().collection_id
