"""What changes the corpus. Tasks are sent on commit and carry ids; a lost one is found by the sweep."""

import hashlib
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from ingestion import tasks
from ingestion.errors import (
    CollectionExistsError,
    CollectionNotEmptyError,
    DocumentStateError,
    EmptyDocumentError,
    InvalidNameError,
    UploadTooLargeError,
)
from ingestion.models import Collection, Document, DocumentState, Label
from ingestion.selectors import document_path

_NAME_LIMIT = 255
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Submission:
    """`created` is False where the collection held the same bytes already."""

    document: Document
    created: bool


@dataclass(frozen=True)
class _StoredFile:
    path: Path
    sha256: str
    size: int


def collection_create(
    *,
    name: str,
    description: str = "",
    label: Label = Label.RESTRICTED,
    everyone: bool = False,
    groups: Iterable[Group] = (),
) -> Collection:
    """Make a collection. Raises CollectionExistsError."""
    try:
        with transaction.atomic():
            collection = Collection.objects.create(
                name=name.strip(), description=description.strip(), label=label, everyone=everyone
            )
            collection.groups.set(groups)
    except IntegrityError as exc:
        raise CollectionExistsError(name) from exc
    return collection


def collection_update(
    collection: Collection,
    *,
    name: str,
    description: str,
    label: Label,
    everyone: bool,
    groups: Iterable[Group],
) -> None:
    """Change a collection; readers gain or lose it on their next request. Raises CollectionExistsError.

    A document is at least as sensitive as its collection, so a raised label counts at once and a lowered one does
    not lower what its documents were given.
    """
    try:
        with transaction.atomic():
            collection.name, collection.description = name.strip(), description.strip()
            collection.label, collection.everyone = label, everyone
            collection.save(update_fields=["name", "description", "label", "everyone"])
            collection.groups.set(groups)
    except IntegrityError as exc:
        raise CollectionExistsError(name) from exc


def collection_delete(collection: Collection) -> None:
    """Remove an empty collection. Raises CollectionNotEmptyError while a document is in it, or being purged."""
    try:
        collection.delete()
    except ProtectedError as exc:
        raise CollectionNotEmptyError(collection.name) from exc


def document_submit(
    *,
    collection: Collection,
    name: str,
    content: Iterable[bytes],
    uploaded_by: AbstractBaseUser | None,
    label: Label | None = None,
) -> Submission:
    """Accept one file: on return its bytes are on disk and its row is committed.

    The same bytes in the collection again give the document that is there; one that FAILED is tried anew.
    Raises UploadTooLargeError, EmptyDocumentError or InvalidNameError; then nothing is kept.
    """
    safe_name = clean_name(name)
    document_id = uuid.uuid4()
    document = Document(
        pk=document_id,
        collection=collection,
        name=safe_name,
        title=safe_name,
        label=max(label if label is not None else collection.label, collection.label),
        uploaded_by_id=uploaded_by.pk if uploaded_by else None,
    )
    stored = _store(content, document_path(document))
    try:
        if existing := _same_bytes(collection, stored.sha256):
            stored.path.unlink()
            return _resubmitted(existing)
        document.sha256, document.size = stored.sha256, stored.size
        with transaction.atomic():
            document.save(force_insert=True)
            _enqueue(document)
    except IntegrityError:
        # Two uploads of the same bytes at once: the other one won.
        stored.path.unlink(missing_ok=True)
        existing = _same_bytes(collection, stored.sha256)
        if existing is None:
            raise
        return _resubmitted(existing)
    except BaseException:
        stored.path.unlink(missing_ok=True)
        raise
    return Submission(document=document, created=True)


def document_retry(document: Document) -> Document:
    """Queue a FAILED document again. Raises DocumentStateError for any other state."""
    with transaction.atomic():
        changed = Document.objects.filter(pk=document.pk, state=DocumentState.FAILED).update(
            state=DocumentState.QUEUED,
            error_code="",
            step="",
            attempts=0,
            enqueued_at=None,
            claimed_until=None,
            finished_at=None,
            updated_at=timezone.now(),
        )
        if not changed:
            raise DocumentStateError(f"{document.pk} is not failed")
        _enqueue(document)
    document.refresh_from_db()
    return document


def document_delete(document: Document) -> None:
    """Hide the document at once, and purge points, passages, quotes and file soon after."""
    with transaction.atomic():
        Document.objects.filter(pk=document.pk).update(
            state=DocumentState.DELETING, claimed_until=None, updated_at=timezone.now()
        )
        transaction.on_commit(lambda: tasks.send_purge(document.pk), robust=True)


def clean_name(name: str) -> str:
    """A name fit to show: no folders, no control or invisible characters, at most 255 characters.

    Long names keep their suffix. Raises InvalidNameError where nothing is left.
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(c for c in base if unicodedata.category(c) not in _UNSAFE_CATEGORIES)
    cleaned = " ".join(visible.split()).strip(". ")
    if not cleaned:
        raise InvalidNameError(repr(name))
    if len(cleaned) <= _NAME_LIMIT:
        return cleaned
    suffix = Path(cleaned).suffix[:12]
    return cleaned[: _NAME_LIMIT - len(suffix) - 1] + "…" + suffix


def _enqueue(document: Document) -> None:
    # robust: the row is the truth. A broker that is down must not fail the upload; the sweep sends it later.
    transaction.on_commit(lambda: tasks.send(document.pk), robust=True)


def _same_bytes(collection: Collection, sha256: str) -> Document | None:
    return collection.documents.filter(sha256=sha256).exclude(state=DocumentState.DELETING).first()


def _resubmitted(document: Document) -> Submission:
    if document.state == DocumentState.FAILED:
        document = document_retry(document)
    return Submission(document=document, created=False)


def _store(content: Iterable[bytes], path: Path) -> _StoredFile:
    limit: int = settings.INGESTION.max_upload_bytes
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            for block in content:
                size += len(block)
                if size > limit:
                    raise UploadTooLargeError(f"more than {limit} bytes")
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if size == 0:
            raise EmptyDocumentError(path.name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _StoredFile(path=path, sha256=digest.hexdigest(), size=size)
