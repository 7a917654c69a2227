"""What workers do to a document, over the real pipeline, a hashing embedder and an index in memory."""

from collections.abc import Iterator
from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.utils import timezone

from ingestion import engine, services, tasks
from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import IndexUnavailableError
from ingestion.factory import identity_for
from ingestion.index.base import IndexQuery
from ingestion.index.qdrant import QdrantIndex
from ingestion.models import Chunk, Collection, Document, DocumentState, Label
from ingestion.selectors import document_path

pytestmark = pytest.mark.django_db

EMBEDDER = HashingEmbedder()


@pytest.fixture(autouse=True)
def index() -> Iterator[QdrantIndex]:
    memory = QdrantIndex(identity=identity_for(EMBEDDER), dense_weight=0.7)
    with patch.object(engine, "index", lambda: memory), patch.object(engine, "embedder", lambda: EMBEDDER):
        yield memory
    memory.close()


@pytest.fixture
def collection() -> Collection:
    return services.collection_create(name="HR", label=Label.INTERNAL)


def submitted(collection: Collection, text: str = "Staff get 25 days of leave.", name: str = "leave.txt") -> Document:
    return services.document_submit(
        collection=collection, name=name, content=[text.encode()], uploaded_by=None
    ).document


def hits(index: QdrantIndex, collection: Collection, text: str) -> list[str]:
    query = IndexQuery(text=text, vector=EMBEDDER.embed_query(text))
    found = index.search(query, scope=AccessScope(frozenset({str(collection.pk)})), limit=5)
    return [hit.document_id for hit in found]


def test_a_document_becomes_ready_and_searchable(collection: Collection, index: QdrantIndex) -> None:
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.chunk_count, document.error_code) == (DocumentState.READY, 1, "")
    assert document.claimed_until is None
    assert document.finished_at is not None
    assert document.chunks.get().text == "Staff get 25 days of leave."
    assert hits(index, collection, "days of leave") == [str(document.pk)]


def test_a_second_delivery_of_the_message_changes_nothing(collection: Collection, index: QdrantIndex) -> None:
    document = submitted(collection)
    for _ in range(3):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.attempts == 1
    assert index.count() == Chunk.objects.count() == 1


def test_a_document_that_another_worker_holds_is_left_alone(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=timezone.now() + timedelta(minutes=1)
    )
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.PROCESSING


def test_a_lease_that_ran_out_is_taken_over(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=timezone.now() - timedelta(seconds=1), attempts=1
    )
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.attempts) == (DocumentState.READY, 2)


def test_a_document_that_kills_its_workers_is_given_up(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=None, attempts=tasks.MAX_ATTEMPTS
    )
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code) == (DocumentState.FAILED, "ingestion_interrupted")


@pytest.mark.parametrize(
    ("text", "name", "code"),
    [
        ("   \n ", "blank.txt", "no_text"),
        ("not a pdf", "a.pdf", "damaged_document"),
        ("\x7fELF\x02\x01\x01" + "\x00" * 64, "a.bin", "unsupported_type"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_its_reason(
    collection: Collection, index: QdrantIndex, text: str, name: str, code: str
) -> None:
    document = submitted(collection, text, name)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.FAILED
    assert document.error_code == code
    assert index.count() == 0


def test_an_index_that_is_down_fails_the_document_which_a_retry_mends(
    collection: Collection, index: QdrantIndex
) -> None:
    document = submitted(collection)
    with patch.object(engine, "index", side_effect=IndexUnavailableError("down")):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code) == (DocumentState.FAILED, "index_unavailable")
    services.document_retry(document)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.READY
    assert index.count() == document.chunk_count


def test_an_unforeseen_error_fails_the_document(collection: Collection) -> None:
    document = submitted(collection)
    with patch.object(tasks, "prepare", side_effect=RuntimeError("boom")):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code) == (DocumentState.FAILED, "ingestion_error")


def test_a_deleted_document_is_hidden_at_once_and_then_purged(collection: Collection, index: QdrantIndex) -> None:
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    services.document_delete(document)
    assert Document.objects.get(pk=document.pk).state == DocumentState.DELETING
    tasks.purge_document(str(document.pk))
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert index.count() == 0
    assert not document_path(document).exists()


def test_a_purge_may_run_again(collection: Collection) -> None:
    document = submitted(collection)
    services.document_delete(document)
    for _ in range(2):
        tasks.purge_document(str(document.pk))
    assert not Document.objects.exists()


def test_a_document_that_was_not_deleted_is_not_purged(collection: Collection) -> None:
    document = submitted(collection)
    tasks.purge_document(str(document.pk))
    assert Document.objects.filter(pk=document.pk).exists()


def test_a_document_deleted_while_it_is_read_leaves_no_point(collection: Collection, index: QdrantIndex) -> None:
    document = submitted(collection)
    upsert = index.upsert

    def delete_first(chunks: object) -> None:
        services.document_delete(document)
        upsert(chunks)  # type: ignore[arg-type]

    with patch.object(index, "upsert", delete_first):
        tasks.ingest_document(str(document.pk))
    tasks.purge_document(str(document.pk))
    assert index.count() == 0
    assert not Document.objects.exists()


def test_a_message_for_an_unknown_document_is_no_error() -> None:
    tasks.ingest_document(str(uuid4()))
    tasks.purge_document(str(uuid4()))


@pytest.fixture
def sent() -> Iterator[list[str]]:
    ids: list[str] = []
    with (
        patch.object(engine, "reaches_workers", lambda: True),
        patch.object(tasks.ingest_document, "delay", ids.append),
        patch.object(tasks.purge_document, "delay", ids.append),
    ):
        yield ids


def aged(document: Document, **changes: object) -> None:
    Document.objects.filter(pk=document.pk).update(updated_at=timezone.now() - timedelta(minutes=1), **changes)


def test_the_sweep_sends_what_the_broker_never_got(collection: Collection, sent: list[str]) -> None:
    document = submitted(collection)
    aged(document, enqueued_at=None)
    tasks.sweep()
    tasks.sweep()
    assert sent == [str(document.pk)]


def test_the_sweep_sends_what_the_broker_lost(collection: Collection, sent: list[str]) -> None:
    document = submitted(collection)
    aged(document, enqueued_at=timezone.now() - timedelta(hours=1))
    tasks.sweep()
    assert sent == [str(document.pk)]


def test_the_sweep_sends_what_lost_its_worker(collection: Collection, sent: list[str]) -> None:
    document = submitted(collection)
    aged(document, state=DocumentState.PROCESSING, claimed_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    assert sent == [str(document.pk)]


def test_the_sweep_leaves_what_is_under_way(collection: Collection, sent: list[str]) -> None:
    held = submitted(collection, "a")
    aged(held, state=DocumentState.PROCESSING, claimed_until=timezone.now() + timedelta(minutes=1))
    queued = submitted(collection, "b")
    aged(queued, enqueued_at=timezone.now())
    tasks.sweep()
    assert sent == []


def test_the_sweep_finishes_deletions(collection: Collection, sent: list[str]) -> None:
    document = submitted(collection)
    aged(document, state=DocumentState.DELETING)
    tasks.sweep()
    assert sent == [str(document.pk)]


def test_a_fresh_start_sends_everything_that_is_unsettled(collection: Collection, sent: list[str]) -> None:
    queued, held = submitted(collection, "a"), submitted(collection, "b")
    Document.objects.filter(pk=queued.pk).update(enqueued_at=timezone.now())
    Document.objects.filter(pk=held.pk).update(
        state=DocumentState.PROCESSING, claimed_until=timezone.now() + timedelta(minutes=5)
    )
    tasks.recover()
    assert set(sent) == {str(queued.pk), str(held.pk)}


def test_a_clean_stop_gives_documents_back_without_counting_an_attempt(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(state=DocumentState.PROCESSING, attempts=1)
    tasks.let_go()
    document.refresh_from_db()
    assert (document.state, document.attempts, document.claimed_until) == (DocumentState.QUEUED, 0, None)


def test_nothing_is_sent_where_no_worker_would_hear_it(collection: Collection) -> None:
    document = submitted(collection)
    with patch.object(tasks.ingest_document, "delay", side_effect=AssertionError("sent")):
        tasks.send(document.pk)
    document.refresh_from_db()
    assert document.enqueued_at is None
