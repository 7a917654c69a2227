"""Accepting, retrying and deleting documents."""

import errno
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from django.conf import settings

from ingestion import outbox, services
from ingestion.errors import (
    CollectionExistsError,
    DocumentExistsError,
    DocumentStateError,
    EmptyDocumentError,
    InvalidNameError,
    QueueFullError,
    StorageFullError,
    UploadTooLargeError,
)
from ingestion.models import Collection, Document, DocumentState, Label
from ingestion.parsing.base import Ocr
from ingestion.selectors import document_path, version_path
from ingestion.services import Outcome, SameName, clean_name

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return services.collection_create(name="HR", label=Label.INTERNAL)


@pytest.fixture
def sent(django_capture_on_commit_callbacks: object) -> Iterator[list[UUID]]:
    """The ids that were handed to the workers."""
    ids: list[UUID] = []
    with patch.object(outbox, "send", lambda *documents: ids.extend(key for key, _ in documents)):
        yield ids


def stored_files() -> set[Path]:
    folder: Path = settings.INGESTION.files_dir
    return {path for path in folder.rglob("*") if path.is_file()}


def submit(collection: Collection, content: bytes = b"25 days", name: str = "leave.md") -> services.Submission:
    return services.document_submit(collection=collection, name=name, content=[content], uploaded_by=None)


def test_an_accepted_document_is_on_disk_and_queued(collection: Collection) -> None:
    document = submit(collection).document
    assert document_path(document).read_bytes() == b"25 days"
    stored = Document.objects.get(pk=document.pk)
    assert (stored.state, stored.size, stored.label) == (DocumentState.QUEUED, 7, Label.INTERNAL)


def test_it_is_handed_to_the_workers_on_commit(
    collection: Collection, sent: list[UUID], django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        document = submit(collection).document
        assert sent == []
    assert sent == [document.pk]


def test_a_broker_that_is_down_does_not_fail_the_upload(
    collection: Collection, django_capture_on_commit_callbacks: object
) -> None:
    with (
        patch.object(outbox, "send", side_effect=ConnectionError("no broker")),
        django_capture_on_commit_callbacks(execute=True),  # type: ignore[operator]
    ):
        document = submit(collection).document
    assert Document.objects.get(pk=document.pk).enqueued_at is None


def test_the_same_bytes_again_give_the_document_that_is_there(collection: Collection) -> None:
    first = submit(collection)
    before = stored_files()
    second = submit(collection, name="copy.md")
    assert (second.created, second.document.pk) == (False, first.document.pk)
    assert stored_files() == before


def test_the_same_bytes_in_another_collection_are_another_document(collection: Collection) -> None:
    other = services.collection_create(name="Legal")
    assert submit(collection).document.pk != submit(other).document.pk


def test_the_same_bytes_as_a_failed_document_try_it_again(collection: Collection) -> None:
    document = submit(collection).document
    Document.objects.filter(pk=document.pk).update(state=DocumentState.FAILED, error_code="no_text")
    again = submit(collection)
    assert (again.document.pk, again.document.state) == (document.pk, DocumentState.QUEUED)


@pytest.mark.parametrize(
    ("content", "error"),
    [([], EmptyDocumentError), ([b""], EmptyDocumentError), ([b"x" * 600_000] * 200, UploadTooLargeError)],
)
def test_a_refused_upload_leaves_nothing(collection: Collection, content: list[bytes], error: type[Exception]) -> None:
    before = stored_files()
    with pytest.raises(error):
        services.document_submit(collection=collection, name="a.txt", content=content, uploaded_by=None)
    assert stored_files() == before
    assert not Document.objects.exists()


def test_an_upload_that_breaks_off_leaves_nothing(collection: Collection) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    before = stored_files()
    with pytest.raises(ConnectionResetError):
        services.document_submit(collection=collection, name="a.txt", content=broken(), uploaded_by=None)
    assert stored_files() == before


def test_a_document_is_never_less_sensitive_than_its_collection(collection: Collection) -> None:
    document = services.document_submit(
        collection=collection, name="a.md", content=[b"x"], uploaded_by=None, label=Label.PUBLIC
    ).document
    assert document.label == Label.INTERNAL


def test_only_a_failed_document_is_retried(collection: Collection) -> None:
    document = submit(collection).document
    with pytest.raises(DocumentStateError):
        services.document_retry(document)
    Document.objects.filter(pk=document.pk).update(state=DocumentState.FAILED, error_code="no_text", attempts=3)
    retried = services.document_retry(document)
    assert (retried.state, retried.error_code, retried.attempts) == (DocumentState.QUEUED, "", 0)


def test_a_deleted_document_may_be_uploaded_again_at_once(collection: Collection) -> None:
    first = submit(collection).document
    services.document_delete(first)
    assert submit(collection).created


def test_another_file_of_the_same_name_is_a_new_version_and_both_files_are_kept(collection: Collection) -> None:
    first = submit(collection).document
    second = submit(collection, b"30 days")
    assert (second.outcome, second.document.pk) == (Outcome.NEW_VERSION, first.pk)
    assert [version_path(version).read_bytes() for version in first.versions.order_by("number")] == [
        b"25 days",
        b"30 days",
    ]


def test_an_uploader_may_keep_both_files_of_one_name(collection: Collection) -> None:
    first = submit(collection).document
    second = services.document_submit(
        collection=collection, name="leave.md", content=[b"30"], uploaded_by=None, same_name=SameName.KEEP_BOTH
    )
    assert (second.outcome, second.document.pk == first.pk) == (Outcome.CREATED, False)


def test_a_file_replaces_the_document_that_is_named_whatever_it_is_called(collection: Collection) -> None:
    first = submit(collection).document
    second = services.document_submit(
        collection=collection, name="holidays.md", content=[b"30"], uploaded_by=None, replaces=first
    )
    first.refresh_from_db()
    assert (second.document.pk, first.version, first.versions.get(number=2).name) == (first.pk, 2, "holidays.md")
    assert first.name == "leave.md", "readers see the name of what they can read"


def test_a_deleted_document_gets_no_version(collection: Collection) -> None:
    first = submit(collection).document
    services.document_delete(first)
    second = services.document_submit(
        collection=collection, name="leave.md", content=[b"30"], uploaded_by=None, replaces=first
    )
    assert (second.outcome, second.document.pk == first.pk) == (Outcome.CREATED, False)


def test_a_document_is_read_again_with_another_setting_as_a_new_version(collection: Collection) -> None:
    document = submit(collection).document
    with pytest.raises(DocumentStateError):
        services.document_reparse(document, ocr=Ocr.ALWAYS)
    Document.objects.filter(pk=document.pk).update(state=DocumentState.FAILED, error_code="no_text")
    changed = services.document_reparse(document, ocr=Ocr.ALWAYS)
    assert (changed.state, changed.version) == (DocumentState.QUEUED, 2)
    assert [(version.file, version.ocr) for version in document.versions.all()] == [
        (document.versions.get(number=1).file, "always"),
        (document.versions.get(number=1).file, "auto"),
    ]


def test_a_document_moves_only_where_its_bytes_are_not_yet(collection: Collection) -> None:
    other = services.collection_create(name="Board", label=Label.RESTRICTED)
    document, twin = submit(collection).document, submit(other).document
    with pytest.raises(DocumentExistsError):
        services.document_change(document, label=Label.INTERNAL, collection=other)
    services.document_delete(twin)
    services.document_change(document, label=Label.INTERNAL, collection=other)
    document.refresh_from_db()
    assert (document.collection_id, document.label, document.index_stale) == (other.pk, Label.RESTRICTED, True)


def test_a_full_disk_refuses_the_upload_and_leaves_nothing(collection: Collection) -> None:
    before = stored_files()
    with patch("ingestion.files.os.fsync", side_effect=OSError(errno.ENOSPC, "full")), pytest.raises(StorageFullError):
        submit(collection)
    assert stored_files() == before
    assert not Document.objects.exists()


def test_a_queue_that_is_too_long_takes_no_more(collection: Collection) -> None:
    submit(collection)
    with patch.object(services, "MOST_WAITING", 1), pytest.raises(QueueFullError):
        submit(collection, b"another", name="b.md")


def test_a_collections_name_is_taken_once(collection: Collection) -> None:
    with pytest.raises(CollectionExistsError):
        services.collection_create(name=" HR ")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\plan.docx", "plan.docx"),
        ("a\x00b\r\n.txt", "ab.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("<img src=x onerror=alert(1)>.md", "<img src=x onerror=alert(1)>.md"),
        ("  spaced   out .pdf", "spaced out .pdf"),
        ("Übersicht.pdf", "Übersicht.pdf"),
    ],
)
def test_names_are_made_fit_to_show(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_a_long_name_keeps_its_suffix() -> None:
    name = clean_name("x" * 400 + ".pdf")
    assert len(name) == 255
    assert name.endswith("….pdf")


@pytest.mark.parametrize("given", ["", "   ", "...", "\x00", "dir/", "\u200b"])
def test_a_name_with_nothing_to_show_is_refused(given: str) -> None:
    with pytest.raises(InvalidNameError):
        clean_name(given)
