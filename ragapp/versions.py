"""Which versions of a document a person may open, and what the latest ones are at. Knows no view."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F

from ingestion.errors import VersionNotFoundError
from ingestion.models import Document, DocumentVersion
from ingestion.selectors import version_get


def readable_version(document: Document, *, number: int | None, is_admin: bool) -> DocumentVersion:
    """The version of that number; without one, the one that is searched, or the latest while none is.

    A reader opens what answers cite: the live version and those that were live before it. What came in and was
    never read, or has not been read yet, is an admin's. Raises VersionNotFoundError.
    """
    current = document.live_version or document.version
    version = version_get(document, current if number is None else number)
    if version.number == current or is_admin or was_live(version, document):
        return version
    raise VersionNotFoundError(f"{document.pk} v{version.number}")


def readable_versions(document: Document, *, is_admin: bool) -> list[DocumentVersion]:
    """Those that `readable_version` gives, newest first."""
    current = document.live_version or document.version
    return [
        version
        for version in document.versions.all()
        if is_admin or version.number == current or was_live(version, document)
    ]


def latest_versions(documents: Iterable[Document]) -> dict[UUID, DocumentVersion]:
    """The latest accepted version of each, by the document's id. One query."""
    found = DocumentVersion.objects.filter(
        document__in=[document.pk for document in documents], number=F("document__version")
    )
    return {version.document_id: version for version in found}


def was_live(version: DocumentVersion, document: Document) -> bool:
    """Whether it was searched before the one that is: what answers can cite."""
    earlier = document.live_version is not None and version.number < document.live_version
    return earlier and version.finished_at is not None and not version.error_code
