"""Accepting, retrying and deleting documents."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from django.conf import settings

from ingestion import services, tasks
from ingestion.errors import (
    CollectionExistsError,
    DocumentStateError,
    EmptyDocumentError,
    InvalidNameError,
    UploadTooLargeError,
)
from ingestion.models import Collection, Document, DocumentState, Label
from ingestion.selectors import document_path
from ingestion.services import clean_name

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return services.collection_create(name="HR", label=Label.INTERNAL)


@pytest.fixture
def sent(django_capture_on_commit_callbacks: object) -> Iterator[list[UUID]]:
    """The ids that were handed to the workers."""
    ids: list[UUID] = []
    with patch.object(tasks, "send", ids.append):
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
        patch.object(tasks, "send", side_effect=ConnectionError("no broker")),
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
