"""What changes the corpus. Tasks are sent on commit and carry ids; a lost one is found by the sweep."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import F, ProtectedError, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from ingestion import files, outbox
from ingestion.errors import (
    CollectionExistsError,
    CollectionNotEmptyError,
    DocumentExistsError,
    DocumentStateError,
    InvalidNameError,
    QueueFullError,
)
from ingestion.files import StoredFile
from ingestion.models import Collection, Document, DocumentState, DocumentVersion, Erasure, Label, OcrChoice
from ingestion.parsing.base import Ocr
from ingestion.selectors import version_get

# Beyond that the disk fills with what nobody will read for hours; the uploader is told to come back.
MOST_WAITING = 50_000
_NAME_LIMIT = 255
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class SameName(Enum):
    """What a file is whose name a document of the collection has already."""

    NEW_VERSION = "new_version"
    KEEP_BOTH = "keep_both"


class Outcome(Enum):
    """What an upload became. DUPLICATE: the collection held the same bytes already."""

    CREATED = "created"
    NEW_VERSION = "new_version"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Submission:
    """An accepted upload."""

    document: Document
    outcome: Outcome

    @property
    def created(self) -> bool:
        """False where nothing new is to be read."""
        return self.outcome is not Outcome.DUPLICATE


@dataclass(frozen=True)
class _Upload:
    name: str
    stored: StoredFile
    ocr: str
    uploaded_by_id: UUID | None


def collection_create(
    *,
    name: str,
    description: str = "",
    label: Label = Label.RESTRICTED,
    everyone: bool = False,
    groups: Iterable[Group] = (),
    ocr: OcrChoice = OcrChoice.AUTO,
) -> Collection:
    """Make a collection. Raises CollectionExistsError."""
    try:
        with transaction.atomic():
            collection = Collection.objects.create(
                name=name.strip(), description=description.strip(), label=label, everyone=everyone, ocr=ocr
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
    ocr: OcrChoice | None = None,
) -> None:
    """Change a collection; readers gain or lose it on their next request. Raises CollectionExistsError.

    A document is at least as sensitive as its collection, so a raised label counts at once and a lowered one does
    not lower what its documents were given.
    """
    try:
        with transaction.atomic():
            collection.name, collection.description = name.strip(), description.strip()
            relabelled = collection.label != label
            collection.label, collection.everyone = label, everyone
            collection.ocr = ocr or collection.ocr
            collection.save(update_fields=["name", "description", "label", "everyone", "ocr"])
            collection.groups.set(groups)
            if relabelled:
                collection.documents.update(index_stale=True)
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
    replaces: Document | None = None,
    same_name: SameName = SameName.NEW_VERSION,
    archive: Document | None = None,
) -> Submission:
    """Accept one file: on return its bytes are on disk and its row is committed.

    The same bytes in the collection again give the document that is there; one that FAILED is tried anew. Another
    file of a name that is there is a new version of that document, as is any file with `replaces`: what is
    searchable stays so until the new version is. `archive` is the ZIP that it came out of.
    Raises UploadTooLargeError, EmptyDocumentError, StorageFullError, InvalidNameError or QueueFullError; then
    nothing is kept.
    """
    safe_name = clean_name(name)
    if Document.objects.filter(state=DocumentState.QUEUED).count() >= MOST_WAITING:
        raise QueueFullError(f"{MOST_WAITING} documents are waiting")
    stored = files.store(content)
    upload = _Upload(
        name=safe_name, stored=stored, ocr=collection.ocr, uploaded_by_id=uploaded_by.pk if uploaded_by else None
    )
    try:
        with transaction.atomic():
            # One at a time decides what an upload to this collection is; on SQLite every writer is alone anyway.
            Collection.objects.select_for_update(no_key=True).get(pk=collection.pk)
            submission = _accept(upload, collection, label=label, replaces=replaces, same_name=same_name, zip_=archive)
    except BaseException:
        files.discard(stored.name)
        raise
    if submission.outcome is Outcome.DUPLICATE:
        files.discard(stored.name)
    return submission


def document_retry(document: Document) -> Document:
    """Queue a FAILED document again. Raises DocumentStateError for any other state."""
    with transaction.atomic():
        changed = Document.objects.filter(pk=document.pk, state=DocumentState.FAILED).update(**queued_again())
        if not changed:
            raise DocumentStateError(f"{document.pk} is not failed")
        _enqueue(document)
    document.refresh_from_db()
    return document


def document_reparse(document: Document, *, ocr: Ocr) -> Document:
    """Read the latest file again, as a new version with another setting. Raises DocumentStateError while it is read."""
    return _version_again(document, number=document.version, ocr=OcrChoice(ocr))


def version_restore(document: Document, *, number: int) -> Document:
    """Make an earlier version's file the latest. Raises VersionNotFoundError; DocumentStateError while it is read."""
    return _version_again(document, number=number, ocr=None)


def document_change(document: Document, *, label: Label, collection: Collection) -> None:
    """Give it another label or collection; it holds from everybody's next request on.

    The label is at least the collection's. Raises DocumentExistsError where the other collection has these bytes.
    """
    try:
        with transaction.atomic():
            alive = _within(document).exclude(state=DocumentState.DELETING)
            least = max(label, collection.label)
            changes = {"collection": collection, "index_stale": True, "updated_at": timezone.now()}
            # What came out of an archive may have a higher label of its own.
            alive.exclude(pk=document.pk).update(label=Greatest(F("label"), least), **changes)
            alive.filter(pk=document.pk).update(label=least, **changes)
            transaction.on_commit(lambda: outbox.send_refresh(document.pk), robust=True)
    except IntegrityError as exc:
        raise DocumentExistsError(f"{collection.pk} has these bytes") from exc
    document.refresh_from_db()


def document_delete(document: Document, *, requested_by: AbstractBaseUser | None = None) -> None:
    """Hide the document at once, and purge points, passages, quotes and files soon after. Members go along."""
    with transaction.atomic():
        # A claim is left alone: its holder must let go before the purge, or it would write after it.
        keys = list(_within(document).exclude(state=DocumentState.DELETING).values_list("pk", flat=True))
        Document.objects.filter(pk__in=keys).update(state=DocumentState.DELETING, updated_at=timezone.now())
        Erasure.objects.bulk_create(
            [Erasure(document_id=key, requested_by_id=requested_by.pk if requested_by else None) for key in keys],
            ignore_conflicts=True,
        )
        for key in keys:
            transaction.on_commit(lambda key=key: outbox.send_purge(key), robust=True)  # type: ignore[misc]


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


def _accept(
    upload: _Upload,
    collection: Collection,
    *,
    label: Label | None,
    replaces: Document | None,
    same_name: SameName,
    zip_: Document | None,
) -> Submission:
    if zip_ is not None:
        label = _label_of_member(zip_, collection=collection, label=label)
    if existing := _alive(collection).filter(sha256=upload.stored.sha256).first():
        if zip_ is None and existing.archive_id is not None:
            # Somebody's own upload now: it does not go with the archive any more.
            Document.objects.filter(pk=existing.pk).update(archive=None)
            existing.archive = None
        _raise_label(existing, label)
        if existing.state == DocumentState.FAILED:
            existing = document_retry(existing)
        return Submission(existing, Outcome.DUPLICATE)
    earlier = replaces
    if earlier is None and same_name is SameName.NEW_VERSION:
        earlier = _alive(collection).filter(name=upload.name, archive=zip_).order_by("-created_at").first()
    if earlier is not None and (document := _next_version(earlier, upload, collection=collection, label=label)):
        return Submission(document, Outcome.NEW_VERSION)
    document = Document(
        collection=collection,
        name=upload.name,
        title=upload.name,
        sha256=upload.stored.sha256,
        size=upload.stored.size,
        label=max(label if label is not None else collection.label, collection.label),
        uploaded_by_id=upload.uploaded_by_id,
        archive=zip_,
    )
    document.save(force_insert=True)
    _add_version(document, upload)
    _enqueue(document)
    return Submission(document, Outcome.CREATED)


def _label_of_member(archive: Document, *, collection: Collection, label: Label | None) -> Label:
    """At least the archive's, as it is now. Raises DocumentStateError where that was deleted or moved meanwhile."""
    now = Document.objects.select_for_update(of=("self",)).filter(pk=archive.pk).first()
    if now is None or now.state == DocumentState.DELETING or now.collection_id != collection.pk:
        raise DocumentStateError(f"archive {archive.pk} is not in {collection.pk} any more")
    return Label(max(now.label, label or 0))


def _raise_label(document: Document, label: Label | None) -> None:
    """What somebody says is more sensitive is so, whatever their upload became."""
    if label is not None and label > document.label:
        document.label = label
        Document.objects.filter(pk=document.pk).update(label=label, index_stale=True)


def _next_version(
    document: Document, upload: _Upload, *, collection: Collection, label: Label | None = None
) -> Document | None:
    """The document with the upload as its latest version; None where it was deleted or moved meanwhile.

    Its name stays until the version is live: readers see what they can read.
    """
    document = Document.objects.select_for_update(of=("self",)).get(pk=document.pk)
    if document.state == DocumentState.DELETING or document.collection_id != collection.pk:
        return None
    # Whoever reads the version before finds its claim gone, and lets go.
    for field, value in (
        queued_again()
        | {
            "version": document.version + 1,
            "label": max(document.label, label or 0),
            "sha256": upload.stored.sha256,
            "size": upload.stored.size,
            "index_stale": True,
        }
    ).items():
        setattr(document, field, value)
    document.save()
    _add_version(document, upload)
    _enqueue(document)
    return document


def _add_version(document: Document, upload: _Upload) -> None:
    DocumentVersion.objects.create(
        document=document,
        number=document.version,
        file=upload.stored.name,
        name=upload.name,
        sha256=upload.stored.sha256,
        size=upload.stored.size,
        ocr=upload.ocr,
        uploaded_by_id=upload.uploaded_by_id,
        times={"queued": timezone.now().isoformat()},
    )


def _version_again(document: Document, *, number: int, ocr: OcrChoice | None) -> Document:
    earlier = version_get(document, number)
    upload = _Upload(
        name=earlier.name,
        stored=StoredFile(name=earlier.file, sha256=earlier.sha256, size=earlier.size),
        ocr=ocr or earlier.ocr,
        uploaded_by_id=earlier.uploaded_by_id,
    )
    try:
        with transaction.atomic():
            settled = Document.objects.select_for_update(of=("self",)).filter(
                pk=document.pk, state__in=[DocumentState.READY, DocumentState.FAILED]
            )
            now = settled.select_related("collection").first()
            changed = _next_version(now, upload, collection=now.collection) if now else None
            if changed is None:
                raise DocumentStateError(f"{document.pk} is being read or deleted")
    except IntegrityError as exc:
        raise DocumentExistsError(f"another document has the bytes of {document.pk} v{number}") from exc
    return changed


def _within(document: Document) -> QuerySet[Document]:
    """The document and, of an archive, whatever came out of it, archives within archives included."""
    keys = newest = {document.pk}
    while newest:
        newest = set(Document.objects.filter(archive__in=newest).values_list("pk", flat=True)) - keys
        keys = keys | newest
    return Document.objects.filter(pk__in=keys)


def queued_again() -> dict[str, object]:
    """What every way back into the queue sets."""
    return {
        "state": DocumentState.QUEUED,
        "error_code": "",
        "step": "",
        "attempts": 0,
        "delays": 0,
        "enqueued_at": None,
        "available_at": None,
        "claim": None,
        "claimed_until": None,
        "finished_at": None,
        "updated_at": timezone.now(),
    }


def _enqueue(document: Document) -> None:
    # robust: the row is the truth. A broker that is down must not fail the upload; the sweep sends it later.
    transaction.on_commit(lambda: outbox.send((document.pk, document.size)), robust=True)


def _alive(collection: Collection) -> QuerySet[Document]:
    return collection.documents.exclude(state=DocumentState.DELETING)
