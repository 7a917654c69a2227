"""What a run adds, changes and removes, and everything that it must not do: over the real services and database."""

from collections.abc import Iterator
from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from ingestion.errors import (
    QueueFullError,
    SourceDeniedError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceSettingsError,
    SourceUnreachableError,
)
from ingestion.models import Collection, Document, DocumentState
from ingestion.services import collection_create, document_delete, document_submit
from ingestion.sources import claims, items, sync
from ingestion.sources.kinds import KINDS
from ingestion.sources.models import RunOutcome, Source, SourceItem, SourceRun
from ingestion.sources.services import (
    source_confirm,
    source_create,
    source_delete,
    source_pause,
    source_resume,
    source_run_now,
)
from tests.ingestion.sources.shelf import Shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf({"a.txt": b"alpha", "sub/b.txt": b"beta", "c.txt": b"gamma"})
    with patch.dict(KINDS, {"shelf": made.kind()}):
        yield made


@pytest.fixture
def collection() -> Collection:
    return collection_create(name="HR")


@pytest.fixture
def source(collection: Collection, shelf: Shelf) -> Source:
    return source_create(name="Shelf", kind="shelf", collection=collection, values={}, interval_s=3600, created_by=None)


def ran(source: Source) -> SourceRun:
    source_run_now(source)
    record = sync.run(source.pk)
    assert record is not None
    return record


def done(record: SourceRun) -> dict[str, int]:
    """The counts that are not 0, of a run that came to its end."""
    assert (record.outcome, record.error_code) == (RunOutcome.DONE, "")
    return {name: count for name, count in record.counts.items() if count}


def alive() -> dict[str, str]:
    documents = Document.objects.exclude(state=DocumentState.DELETING)
    return {document.name: document.sha256[:4] for document in documents}


def document_of(key: str) -> Document:
    document = SourceItem.objects.get(key=key).document
    assert document is not None
    return document


def test_the_first_run_adds_everything_and_the_next_one_fetches_nothing(source: Source, shelf: Shelf) -> None:
    assert done(ran(source)) == {"listed": 3, "added": 3}
    assert set(alive()) == {"a.txt", "b.txt", "c.txt"}
    shelf.fetched.clear()
    assert done(ran(source)) == {"listed": 3, "unchanged": 3}
    assert shelf.fetched == []
    source.refresh_from_db()
    assert (source.requested, source.claim) == (False, None)
    assert source.due_at
    assert source.due_at > timezone.now() + timedelta(minutes=50)


def test_changed_content_is_the_next_version_of_its_document(source: Source, shelf: Shelf) -> None:
    ran(source)
    before = document_of("a.txt")
    shelf.contents["a.txt"] = b"alpha two"
    assert done(ran(source)) == {"listed": 3, "changed": 1, "unchanged": 2}
    after = document_of("a.txt")
    assert (after.pk, after.version) == (before.pk, 2)
    assert len(alive()) == 3


def test_a_new_mark_on_the_same_content_changes_nothing(source: Source, shelf: Shelf) -> None:
    ran(source)
    shelf.marks["a.txt"] = "touched"
    assert done(ran(source)) == {"listed": 3, "unchanged": 3}
    assert document_of("a.txt").version == 1


def test_content_without_a_mark_is_fetched_and_compared_each_time(source: Source, shelf: Shelf) -> None:
    shelf.marks = dict.fromkeys(shelf.contents, "")
    ran(source)
    assert done(ran(source)) == {"listed": 3, "unchanged": 3}
    assert len(shelf.fetched) == 6


def test_what_is_gone_is_removed(source: Source, shelf: Shelf) -> None:
    ran(source)
    del shelf.contents["a.txt"]
    assert done(ran(source)) == {"listed": 2, "unchanged": 2, "removed": 1}
    assert set(alive()) == {"b.txt", "c.txt"}
    assert SourceItem.objects.count() == 2


def test_a_renamed_file_keeps_its_document(source: Source, shelf: Shelf) -> None:
    ran(source)
    before = document_of("a.txt")
    shelf.contents["renamed.txt"] = shelf.contents.pop("a.txt")
    assert done(ran(source)) == {"listed": 3, "added": 1, "unchanged": 2, "removed": 1}
    assert document_of("renamed.txt").pk == before.pk
    assert before.pk in Document.objects.exclude(state=DocumentState.DELETING).values_list("pk", flat=True)


def test_two_items_of_one_content_share_a_document_until_both_are_gone(source: Source, shelf: Shelf) -> None:
    shelf.contents["copy.txt"] = b"alpha"
    ran(source)
    assert len(alive()) == 3
    shared = document_of("a.txt")
    del shelf.contents["a.txt"]
    ran(source)
    shared.refresh_from_db()
    assert shared.state != DocumentState.DELETING
    del shelf.contents["copy.txt"]
    ran(source)
    shared.refresh_from_db()
    assert shared.state == DocumentState.DELETING


def test_one_of_two_that_share_a_document_changes_alone(source: Source, shelf: Shelf) -> None:
    shelf.contents["copy.txt"] = b"alpha"
    ran(source)
    shared = document_of("a.txt")
    shelf.contents["a.txt"] = b"alpha two"
    ran(source)
    assert document_of("copy.txt").pk == shared.pk != document_of("a.txt").pk
    assert document_of("copy.txt").version == 1


def test_a_document_that_a_person_uploaded_outlives_the_source_s_item(
    source: Source, shelf: Shelf, collection: Collection
) -> None:
    mine = document_submit(collection=collection, name="mine.txt", content=[b"alpha"], uploaded_by=None).document
    ran(source)
    assert document_of("a.txt").pk == mine.pk
    shelf.contents["a.txt"] = b"alpha two"
    ran(source)
    mine.refresh_from_db()
    assert (mine.state, mine.version) == (DocumentState.QUEUED, 1)
    shelf.contents["a.txt"] = b"alpha"
    ran(source)
    del shelf.contents["a.txt"]
    ran(source)
    mine.refresh_from_db()
    assert mine.state == DocumentState.QUEUED
    assert len(alive()) == 3


def test_equal_names_in_two_folders_are_two_documents(source: Source, shelf: Shelf) -> None:
    shelf.contents = {"x/readme.md": b"one", "y/readme.md": b"two"}
    assert done(ran(source))["added"] == 2
    assert Document.objects.count() == 2


def test_what_a_person_deleted_comes_back_only_when_its_file_changes(source: Source, shelf: Shelf) -> None:
    ran(source)
    document_delete(document_of("a.txt"))
    shelf.marks["a.txt"] = "touched"
    assert done(ran(source))["unchanged"] == 3
    assert len(alive()) == 2
    shelf.contents["a.txt"], shelf.marks = b"alpha two", {}
    assert done(ran(source))["changed"] == 1
    assert len(alive()) == 3


def test_one_item_s_failure_stays_with_it_and_is_tried_again(source: Source, shelf: Shelf) -> None:
    shelf.broken["a.txt"] = SourceDeniedError("no")
    shelf.broken["sub/b.txt"] = RuntimeError("a bug")
    assert done(ran(source)) == {"listed": 3, "added": 1, "failed": 2}
    codes = dict(SourceItem.objects.exclude(error_code="").values_list("key", "error_code"))
    assert codes == {"a.txt": "source_denied", "sub/b.txt": "source_error"}
    shelf.broken.clear()
    assert done(ran(source)) == {"listed": 3, "added": 2, "unchanged": 1}
    assert not SourceItem.objects.exclude(error_code="").exists()


def test_an_item_that_can_never_be_taken_is_not_fetched_until_it_changes(source: Source, shelf: Shelf) -> None:
    shelf.contents["empty.txt"] = b""
    assert done(ran(source)) == {"listed": 4, "added": 3, "failed": 1}
    shelf.fetched.clear()
    assert done(ran(source)) == {"listed": 4, "unchanged": 3, "failed": 1}
    assert shelf.fetched == []
    shelf.contents["empty.txt"] = b"no more"
    assert done(ran(source)) == {"listed": 4, "added": 1, "unchanged": 3}


def test_an_item_above_the_limit_is_not_even_fetched(source: Source, shelf: Shelf) -> None:
    limits = settings.INGESTION.model_copy(update={"max_upload_bytes": 4})
    with override_settings(INGESTION=limits):
        assert done(ran(source)) == {"listed": 3, "added": 1, "failed": 2}
    assert shelf.fetched == ["sub/b.txt"]
    assert set(SourceItem.objects.values_list("error_code", flat=True)) == {"", "upload_too_large"}


def test_a_failed_change_leaves_the_document_that_there_was(source: Source, shelf: Shelf) -> None:
    ran(source)
    shelf.contents["a.txt"] = b"alpha two"
    shelf.broken["a.txt"] = SourceUnreachableError("away")
    ran(source)
    assert (document_of("a.txt").version, len(alive())) == (1, 3)


def test_a_file_that_is_being_written_is_left_and_not_removed(source: Source, shelf: Shelf) -> None:
    ran(source)
    shelf.contents |= {"a.txt": b"half", "new.txt": b"half", "late.txt": b"late"}
    shelf.unsettled = {"a.txt", "new.txt"}
    shelf.broken["late.txt"] = SourceItemBusyError("changing")
    assert done(ran(source)) == {"listed": 5, "unchanged": 2, "waiting": 3}
    assert len(alive()) == 3
    shelf.unsettled.clear()
    shelf.broken.clear()
    assert done(ran(source)) == {"listed": 5, "added": 2, "changed": 1, "unchanged": 2}


@pytest.mark.parametrize("error", [SourceUnreachableError("away"), RuntimeError("a bug")], ids=["away", "bug"])
def test_a_listing_that_fails_removes_and_adds_nothing(source: Source, shelf: Shelf, error: Exception) -> None:
    ran(source)
    shelf.contents = {"new.txt": b"new"}
    shelf.broken[""] = error
    record = ran(source)
    assert record.outcome == RunOutcome.FAILED
    assert record.error_code == ("source_unreachable" if isinstance(error, SourceUnreachableError) else "source_error")
    assert len(alive()) == 3
    source.refresh_from_db()
    assert source.due_at
    assert source.claim is None


def test_an_empty_listing_waits_for_an_admin_s_word(source: Source, shelf: Shelf) -> None:
    ran(source)
    kept = dict(shelf.contents)
    shelf.contents.clear()
    assert ran(source).outcome == RunOutcome.UNCONFIRMED
    source.refresh_from_db()
    assert (source.vanished, len(alive())) == (3, 3)
    Source.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert list(claims.due()) == []
    shelf.contents.update(kept)
    assert done(ran(source)) == {"listed": 3, "unchanged": 3}
    source.refresh_from_db()
    assert source.vanished == 0


def test_an_admin_s_word_holds_for_the_number_that_was_shown(source: Source, shelf: Shelf) -> None:
    ran(source)
    del shelf.contents["a.txt"], shelf.contents["c.txt"]
    ran(source)
    source_confirm(source, vanished=2)
    del shelf.contents["sub/b.txt"]
    assert sync.run(source.pk).outcome == RunOutcome.UNCONFIRMED  # type: ignore[union-attr]
    with pytest.raises(Exception, match="waits"):
        source_confirm(source, vanished=2)
    source_confirm(source, vanished=3)
    assert done(sync.run(source.pk)) == {"removed": 3}  # type: ignore[arg-type]
    assert alive() == {}


def test_pages_that_are_gone_are_removed_like_files_that_are_not_listed(source: Source, shelf: Shelf) -> None:
    ran(source)
    shelf.marks["a.txt"] = ""
    shelf.broken["a.txt"] = SourceItemGoneError("404")
    assert done(ran(source)) == {"listed": 3, "unchanged": 2, "removed": 1}
    shelf.marks = dict.fromkeys(shelf.contents, "")
    shelf.broken = {key: SourceItemGoneError("404") for key in shelf.contents}
    assert ran(source).outcome == RunOutcome.UNCONFIRMED
    assert len(alive()) == 2


def test_a_source_that_answers_nothing_more_ends_the_run(source: Source, shelf: Shelf) -> None:
    shelf.contents = {f"{n}.txt": str(n).encode() for n in range(50)}
    shelf.broken = {key: SourceUnreachableError("away") for key in shelf.contents}
    record = ran(source)
    assert (record.outcome, record.error_code) == (RunOutcome.FAILED, "source_unreachable")
    assert len(shelf.fetched) == 5


def test_a_full_queue_ends_the_run_and_the_next_one_goes_on(source: Source, shelf: Shelf) -> None:
    with patch.object(items, "document_submit", side_effect=QueueFullError("full")):
        assert ran(source).error_code == "queue_full"
    assert done(ran(source))["added"] == 3


def test_a_run_goes_on_where_its_time_was_over(source: Source, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without marks too: what this round fetched is not fetched again."""
    shelf.marks = dict.fromkeys(shelf.contents, "")
    shelf.on_fetch = lambda: monkeypatch.setattr(sync, "SLICE_S", -1.0)
    runs = [ran(source)]
    while runs[-1].outcome == RunOutcome.PARTIAL:
        assert source.pk in list(claims.due())
        monkeypatch.setattr(sync, "SLICE_S", 60.0)
        runs.append(sync.run(source.pk))  # type: ignore[arg-type]
    assert [run.added for run in runs] == [1, 1, 1]
    assert sorted(shelf.fetched) == sorted(shelf.contents)
    assert len(alive()) == 3


def test_a_crash_leaves_an_item_and_its_document_both_or_neither(source: Source, shelf: Shelf) -> None:
    with patch.object(items, "_note", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        ran(source)
    assert (Document.objects.count(), SourceItem.objects.count()) == (0, 0)
    Source.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert done(sync.run(source.pk))["added"] == 3  # type: ignore[arg-type]
    assert set(SourceRun.objects.values_list("outcome", flat=True)) == {RunOutcome.LOST, RunOutcome.DONE}


def test_one_run_at_a_time(source: Source, shelf: Shelf) -> None:
    held = claims.take(source.pk)
    assert held is not None
    assert sync.run(source.pk) is None
    assert list(claims.due()) == []
    Source.objects.update(claim=uuid4())
    assert not held.held()


def test_a_worker_that_lost_its_claim_submits_nothing(source: Source, shelf: Shelf) -> None:
    with patch.object(claims.Claimed, "held", lambda self: False):
        source_run_now(source)
        assert sync.run(source.pk) is None
    assert Document.objects.count() == 0


def test_a_paused_source_runs_only_when_asked_to(source: Source, shelf: Shelf) -> None:
    ran(source)
    Source.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert list(claims.due()) == [source.pk]
    source_pause(source)
    assert list(claims.due()) == []
    assert sync.run(source.pk) is None
    ran(source)
    source_resume(source)
    assert list(claims.due()) == [source.pk]


def test_a_source_by_hand_is_never_due_by_itself(source: Source, shelf: Shelf) -> None:
    Source.objects.update(interval_s=0)
    ran(source)
    assert list(claims.due()) == []


def test_a_deleted_source_leaves_its_documents(source: Source, shelf: Shelf) -> None:
    ran(source)
    source_delete(source)
    assert (Source.objects.count(), SourceItem.objects.count(), len(alive())) == (0, 0, 3)


def test_a_source_deleted_with_its_documents_takes_those_that_nobody_else_has(
    source: Source, shelf: Shelf, collection: Collection
) -> None:
    mine = document_submit(collection=collection, name="mine.txt", content=[b"alpha"], uploaded_by=None).document
    other = source_create(name="Other", kind="shelf", collection=collection, values={}, interval_s=0, created_by=None)
    ran(source)
    shelf.contents = {"c.txt": b"gamma"}
    ran(other)
    source_delete(source, with_documents=True)
    assert sync.run(source.pk) is None
    assert set(alive()) == {mine.name, "c.txt"}
    assert list(Source.objects.values_list("name", flat=True)) == ["Other"]


def test_the_last_fifty_runs_are_kept(source: Source, shelf: Shelf) -> None:
    shelf.contents.clear()
    SourceRun.objects.bulk_create([SourceRun(source=source, outcome=RunOutcome.DONE) for _ in range(60)])
    ran(source)
    assert source.runs.count() == 50


def test_more_items_than_a_source_may_have_end_the_run_before_it_does_anything(source: Source, shelf: Shelf) -> None:
    with patch.object(sync, "MAX_ITEMS", 2):
        assert ran(source).error_code == "source_too_large"
    assert alive() == {}


def test_a_setting_that_is_no_longer_allowed_ends_the_run(source: Source, shelf: Shelf) -> None:
    refusing = shelf.kind()
    object.__setattr__(refusing, "connect", lambda settings, config: (_ for _ in ()).throw(SourceSettingsError("no")))
    with patch.dict(KINDS, {"shelf": refusing}):
        assert ran(source).error_code == "source_settings"
