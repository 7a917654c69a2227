"""From an item of a source to a document and back: whose a document is, and when it goes."""

import hashlib
from dataclasses import dataclass
from enum import Enum

from django.db import transaction
from django.utils import timezone

from ingestion.models import Collection, Document, DocumentState
from ingestion.services import Outcome, SameName, Submission, document_delete, document_submit
from ingestion.sources.base import Item
from ingestion.sources.models import Source, SourceItem
from ingestion.sources.spool import Spooled


class Taken(Enum):
    """What an item's content meant."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Known:
    """What the last runs noted of an item; `is_fresh`: this round fetched it already, or failed to."""

    fingerprint: str
    error_code: str
    is_fresh: bool


def key_digest(key: str) -> str:
    """How a key of any length is looked up."""
    return hashlib.sha256(key.encode()).hexdigest()


def item_take(source: Source, item: Item, content: Spooled) -> Taken:
    """Make the content this item's document, at once or not at all. Raises UploadError."""
    with transaction.atomic():
        _alone_in(source)
        row, _ = SourceItem.objects.get_or_create(
            source=source, key_sha256=key_digest(item.key), defaults={"key": item.key, "name": item.name[:255]}
        )
        if row.sha256 == content.sha256:
            # Also where its document was deleted by hand: it comes back when the file changes.
            _note(row, item)
            return Taken.UNCHANGED
        was_new, earlier, was_owned = row.sha256 == "", _earlier(row), row.owned
        replaces = earlier if earlier and _may_change(row) else None
        submission = document_submit(
            collection=source.collection,
            name=item.name,
            content=content.blocks(),
            uploaded_by=source.created_by,
            replaces=replaces,
            same_name=SameName.KEEP_BOTH,
        )
        row.owned = _is_owned(row, submission)
        row.document, row.sha256, row.changed_at = submission.document, content.sha256, timezone.now()
        _note(row, item)
        if earlier and earlier.pk != submission.document.pk and was_owned:
            _drop(earlier)
    return Taken.ADDED if was_new else Taken.CHANGED


def item_failed(source: Source, item: Item, *, code: str, fingerprint: str) -> None:
    """Note why it could not be taken; its document stays. With a fingerprint: not again until that changes."""
    SourceItem.objects.update_or_create(
        source=source,
        key_sha256=key_digest(item.key),
        defaults={"error_code": code, "fingerprint": fingerprint, "checked_at": timezone.now()},
        create_defaults={
            "key": item.key,
            "name": item.name[:255],
            "error_code": code,
            "fingerprint": fingerprint,
            "checked_at": timezone.now(),
        },
    )


def item_remove(source: Source, *, digest: str) -> bool:
    """Forget an item, if it is there; its document goes when a source brought it and no other item has it."""
    with transaction.atomic():
        _alone_in(source)
        row = SourceItem.objects.filter(source=source, key_sha256=digest).first()
        if row is None:
            return False
        document = _earlier(row)
        row.delete()
        if document and row.owned:
            _drop(document)
    return True


def _alone_in(source: Source) -> None:
    """Whose a document is must not change between looking and writing: of all sources of a collection, one at a time.

    `document_submit` takes the same lock, so an upload by hand waits too, as long as one file takes to be copied.
    """
    Collection.objects.select_for_update(no_key=True).get(pk=source.collection_id)


def _note(row: SourceItem, item: Item) -> None:
    row.fingerprint, row.name = item.fingerprint, item.name[:255]
    row.error_code, row.checked_at = "", timezone.now()
    row.save()


def _earlier(row: SourceItem) -> Document | None:
    """The item's document, unless it is being deleted. Locked, so that it is still there when it is replaced."""
    if row.document_id is None:
        return None
    documents = Document.objects.select_for_update(of=("self",)).filter(pk=row.document_id)
    return documents.exclude(state=DocumentState.DELETING).first()


def _may_change(row: SourceItem) -> bool:
    """Whether the document may change with this item: nobody else has it, and no person put it there."""
    return row.owned and not SourceItem.objects.filter(document=row.document_id).exclude(pk=row.pk).exists()


def _is_owned(row: SourceItem, submission: Submission) -> bool:
    if submission.outcome is not Outcome.DUPLICATE:
        return True
    if submission.document.pk == row.document_id:
        return row.owned
    return SourceItem.objects.filter(document=submission.document, owned=True).exclude(pk=row.pk).exists()


def _drop(document: Document) -> None:
    if not SourceItem.objects.filter(document=document).exists():
        document_delete(document)
