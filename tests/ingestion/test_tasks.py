"""What workers do to a document, over the real pipeline, a hashing embedder and an index in memory."""

from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from unittest.mock import patch
from uuid import uuid4
from zipfile import ZipFile

import pytest
from celery import current_app
from django.utils import timezone

from ingestion import claims, engine, outbox, publishing, run, services, tasks
from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import EmbedderUnavailableError, IndexUnavailableError
from ingestion.factory import identity_for
from ingestion.index.base import ChunkIndex, IndexQuery
from ingestion.index.qdrant_catalog import QdrantCatalog
from ingestion.models import Chunk, ChunkEmbedding, Collection, Document, DocumentState, Erasure, Label
from ingestion.selectors import chunks_visible_to, document_path

pytestmark = pytest.mark.django_db

EMBEDDER = HashingEmbedder()


@pytest.fixture(autouse=True)
def index() -> Iterator[ChunkIndex]:
    catalog = QdrantCatalog()
    memory = catalog.open(catalog.create(identity_for(EMBEDDER)))
    with patch.object(engine, "index", lambda: memory), patch.object(engine, "embedder", lambda: EMBEDDER):
        yield memory
    catalog.close()


@pytest.fixture
def collection() -> Collection:
    return services.collection_create(name="HR", label=Label.INTERNAL)


def submitted(collection: Collection, text: str = "Staff get 25 days of leave.", name: str = "leave.txt") -> Document:
    return services.document_submit(
        collection=collection, name=name, content=[text.encode()], uploaded_by=None
    ).document


def scope_of(collection: Collection) -> AccessScope:
    return AccessScope(frozenset({str(collection.pk)}))


def hits(index: ChunkIndex, collection: Collection, text: str) -> list[str]:
    query = IndexQuery(text=text, vector=EMBEDDER.embed_query(text))
    found = index.search(query, scope=scope_of(collection), limit=5)
    return [hit.document_id for hit in found]


def test_a_document_becomes_ready_and_searchable(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.chunk_count, document.error_code) == (DocumentState.READY, 1, "")
    assert document.claimed_until is None
    assert document.finished_at is not None
    assert document.chunks.get().text == "Staff get 25 days of leave."
    assert hits(index, collection, "days of leave") == [str(document.pk)]


def test_a_second_delivery_of_the_message_changes_nothing(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection)
    for _ in range(3):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.READY
    assert index.count() == Chunk.objects.count() == 1


def test_a_document_that_another_worker_holds_is_left_alone(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=timezone.now() + timedelta(minutes=1)
    )
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.PROCESSING


def test_a_lease_that_ran_out_is_taken_over_and_progress_starts_the_count_anew(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=timezone.now() - timedelta(seconds=1), attempts=1
    )
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.attempts) == (DocumentState.READY, 0)


def test_a_document_that_kills_its_workers_is_given_up(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claimed_until=None, attempts=claims.MAX_ATTEMPTS
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
    collection: Collection, index: ChunkIndex, text: str, name: str, code: str
) -> None:
    document = submitted(collection, text, name)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.FAILED
    assert document.error_code == code
    assert index.count() == 0


@pytest.mark.parametrize("down", [IndexUnavailableError("down"), EmbedderUnavailableError("down")])
def test_an_outage_of_something_else_delays_the_document_and_never_fails_it(
    collection: Collection, index: ChunkIndex, down: Exception
) -> None:
    document = submitted(collection)
    part = "embed_documents" if isinstance(down, EmbedderUnavailableError) else "upsert"
    with patch.object(EMBEDDER if part == "embed_documents" else index, part, side_effect=down):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.attempts, document.delays) == (DocumentState.QUEUED, 0, 1)
    assert document.available_at is not None
    assert document.available_at > timezone.now()
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.QUEUED, "not before its time"
    Document.objects.update(available_at=timezone.now())
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code, document.delays) == (DocumentState.READY, "", 0)
    assert index.count() == document.chunk_count


def test_what_was_stored_before_a_kill_is_not_read_or_embedded_again(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection)
    with patch.object(publishing, "publish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.attempts) == (DocumentState.QUEUED, 0)
    assert ChunkEmbedding.objects.count() == 1
    with (
        patch.object(run, "read", side_effect=AssertionError("read again")),
        patch.object(EMBEDDER, "embed_documents", side_effect=AssertionError("embedded again")),
    ):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.READY
    assert index.count() == 1


def test_a_run_goes_on_with_what_waits_alongside(collection: Collection, index: ChunkIndex) -> None:
    documents = [submitted(collection, f"Rule number {number}.", f"{number}.txt") for number in range(12)]
    tasks.ingest_document(str(documents[0].pk))
    assert Document.objects.filter(state=DocumentState.READY).count() == 12
    assert index.count() == Chunk.objects.count() == ChunkEmbedding.objects.count() == 12


def test_a_run_whose_hands_are_full_ends_only_when_nothing_waits(collection: Collection) -> None:
    documents = [submitted(collection, f"Rule number {number}.", f"{number}.txt") for number in range(7)]
    with patch.object(run, "_MOST_CLAIMED", 2):
        tasks.ingest_document(str(documents[0].pk))
    assert Document.objects.filter(state=DocumentState.READY).count() == 7


def test_a_message_about_a_settled_document_is_as_good_as_any(collection: Collection) -> None:
    settled = submitted(collection, "a", "a.txt")
    tasks.ingest_document(str(settled.pk))
    other = submitted(collection, "b", "b.txt")
    tasks.ingest_document(str(settled.pk))
    other.refresh_from_db()
    assert other.state == DocumentState.READY


def test_what_a_killed_worker_had_in_hand_is_taken_up_together(collection: Collection) -> None:
    documents = [submitted(collection, f"Rule {number}.", f"{number}.txt") for number in range(6)]
    late = timezone.now() - timedelta(seconds=1)
    Document.objects.update(state=DocumentState.PROCESSING, claim=uuid4(), claimed_until=late, attempts=1)
    tasks.ingest_document(str(documents[3].pk))
    assert Document.objects.filter(state=DocumentState.READY).count() == 6


def test_nobody_takes_along_what_is_at_its_last_attempt_or_in_other_hands(collection: Collection) -> None:
    first, last, held = (submitted(collection, name, f"{name}.txt") for name in ("first", "last", "held"))
    Document.objects.filter(pk=last.pk).update(attempts=claims.MAX_ATTEMPTS - 1)
    soon = timezone.now() + timedelta(seconds=60)
    Document.objects.filter(pk=held.pk).update(state=DocumentState.PROCESSING, claim=uuid4(), claimed_until=soon)
    tasks.ingest_document(str(first.pk))
    states = [Document.objects.get(pk=each.pk).state for each in (first, last, held)]
    assert states == [DocumentState.READY, DocumentState.QUEUED, DocumentState.PROCESSING]


def test_a_document_at_its_last_attempt_takes_nobody_along(collection: Collection) -> None:
    suspect, other = submitted(collection, "a", "a.txt"), submitted(collection, "b", "b.txt")
    Document.objects.filter(pk=suspect.pk).update(attempts=claims.MAX_ATTEMPTS - 1)
    tasks.ingest_document(str(suspect.pk))
    suspect.refresh_from_db()
    other.refresh_from_db()
    assert (suspect.state, other.state) == (DocumentState.READY, DocumentState.QUEUED)


def test_one_bad_file_does_not_stop_the_others_of_its_run(collection: Collection) -> None:
    good = [submitted(collection, f"Rule {number}.", f"{number}.txt") for number in range(3)]
    bad = submitted(collection, "no pdf", "bad.pdf")
    tasks.ingest_document(str(good[0].pk))
    bad.refresh_from_db()
    assert (bad.state, bad.error_code) == (DocumentState.FAILED, "damaged_document")
    assert Document.objects.filter(state=DocumentState.READY).count() == 3


def test_a_new_version_is_searched_before_the_old_one_goes(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection, "Staff get 25 days of leave.")
    tasks.ingest_document(str(document.pk))
    second = services.document_submit(
        collection=collection, name="leave.txt", content=[b"Staff get 30 days of leave."], uploaded_by=None
    )
    assert (second.outcome, second.document.pk) == (services.Outcome.NEW_VERSION, document.pk)
    document.refresh_from_db()
    assert (document.state, document.version, document.live_version) == (DocumentState.QUEUED, 2, 1)
    assert chunks_visible_to(scope_of(collection)).get().text == "Staff get 25 days of leave."
    seen: list[int] = []
    delete = index.delete_document

    def watched(document_id: str, *, except_version: int | None = None) -> None:
        seen.append(Document.objects.get(pk=document_id).live_version or 0)
        delete(document_id, except_version=except_version)

    with patch.object(index, "delete_document", watched):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert seen == [2], "the old points go once the new version is live"
    assert (document.state, document.live_version, document.index_stale) == (DocumentState.READY, 2, False)
    assert chunks_visible_to(scope_of(collection)).get().text == "Staff get 30 days of leave."
    assert index.count() == 1
    assert Chunk.objects.count() == 2, "an old answer still opens what it cites"
    assert ChunkEmbedding.objects.count() == 1
    assert [version.number for version in document.versions.all()] == [2, 1]


def test_a_new_version_that_fails_leaves_the_old_one_searchable(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection, "Staff get 25 days of leave.")
    tasks.ingest_document(str(document.pk))
    services.document_submit(collection=collection, name="leave.txt", content=[b"  "], uploaded_by=None)
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code, document.live_version) == (DocumentState.FAILED, "no_text", 1)
    assert hits(index, collection, "days of leave") == [str(document.pk)]
    restored = services.version_restore(document, number=1)
    tasks.ingest_document(str(document.pk))
    restored.refresh_from_db()
    assert (restored.state, restored.live_version) == (DocumentState.READY, 3)


def test_a_version_that_comes_while_the_one_before_is_read_wins(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection, "Staff get 25 days of leave.")
    store = publishing.store

    def newer_first(jobs: object, *, model: str) -> None:
        if document.versions.count() == 1:
            services.document_submit(collection=collection, name="leave.txt", content=[b"30 days."], uploaded_by=None)
        store(jobs, model=model)  # type: ignore[arg-type]

    with patch.object(publishing, "store", newer_first):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.live_version) == (DocumentState.READY, 2), "the same run went on with it"
    assert chunks_visible_to(scope_of(collection)).get().text == "30 days."
    assert index.count() == 1


def test_a_label_or_collection_that_changes_reaches_the_index(collection: Collection, index: ChunkIndex) -> None:
    other = services.collection_create(name="Board", label=Label.CONFIDENTIAL)
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    services.document_change(document, label=Label.INTERNAL, collection=other)
    assert not chunks_visible_to(scope_of(collection)).exists(), "at once, whatever the index holds"
    tasks.refresh_document(str(document.pk))
    point = next(iter(index.points())).attributes
    assert (point.collection_id, point.label) == (str(other.pk), Label.CONFIDENTIAL)
    document.refresh_from_db()
    assert not document.index_stale


def test_a_zip_becomes_its_members_and_goes_with_them(collection: Collection, index: ChunkIndex) -> None:
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("rules/leave.txt", "Staff get 25 days of leave.")
        archive.writestr("rules/travel.txt", "Book trains early.")
    document = services.document_submit(
        collection=collection, name="rules.zip", content=[packed.getvalue()], uploaded_by=None
    ).document
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.member_count) == (DocumentState.READY, 2)
    for member in document.members.all():
        tasks.ingest_document(str(member.pk))
    assert {member.state for member in document.members.all()} == {DocumentState.READY}
    assert index.count() == 2
    services.document_delete(document)
    for member in [*document.members.all(), document]:
        tasks.purge_document(str(member.pk))
    assert not Document.objects.exists()
    assert index.count() == 0
    assert Erasure.objects.filter(purged_at__isnull=False).count() == 3


def test_an_unforeseen_error_fails_the_document(collection: Collection) -> None:
    document = submitted(collection)
    with patch.object(run, "read", side_effect=RuntimeError("boom")):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.error_code) == (DocumentState.FAILED, "ingestion_error")


def test_a_deleted_document_is_hidden_at_once_and_then_purged(collection: Collection, index: ChunkIndex) -> None:
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    original = document_path(document)
    services.document_delete(document)
    assert Document.objects.get(pk=document.pk).state == DocumentState.DELETING
    tasks.purge_document(str(document.pk))
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert index.count() == 0
    assert not original.exists()


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


def test_a_purge_waits_until_the_worker_has_let_go(collection: Collection) -> None:
    document = submitted(collection)
    Document.objects.filter(pk=document.pk).update(
        state=DocumentState.PROCESSING, claim=uuid4(), claimed_until=timezone.now() + timedelta(minutes=1)
    )
    services.document_delete(document)
    tasks.purge_document(str(document.pk))
    assert Document.objects.exists()
    Document.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    tasks.purge_document(str(document.pk))
    assert not Document.objects.exists()


def test_a_deletion_leaves_a_receipt_without_content(collection: Collection) -> None:
    document = submitted(collection)
    tasks.ingest_document(str(document.pk))
    services.document_delete(document)
    assert Erasure.objects.filter(document_id=document.pk, purged_at__isnull=True).exists()
    tasks.purge_document(str(document.pk))
    receipt = Erasure.objects.get(document_id=document.pk)
    assert receipt.purged_at is not None
    assert (receipt.points, receipt.chunks, receipt.files) == (1, 1, 1)
    assert receipt.sha256 == [document.sha256]
    assert receipt.gone_at is None, "the engine only marks what is deleted"


def test_a_document_deleted_while_it_is_read_leaves_no_point(collection: Collection, index: ChunkIndex) -> None:
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
        patch.object(current_app, "send_task", lambda name, args, queue, expires: ids.append(args[0])),
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
    with patch.object(current_app, "send_task", side_effect=AssertionError("sent")):
        outbox.send((document.pk, document.size))
    document.refresh_from_db()
    assert document.enqueued_at is None
