"""The filters of the documents list: what the address asks for, and what there is to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest

from ingestion.access import AccessScope
from ingestion.models import Document, DocumentState
from ingestion.parsing.media_types import FORMAT_NAMES
from ingestion.selectors import collection_get, document_get, documents_visible_to
from ragapp.web.templatetags.documents import language_name

STATES = (DocumentState.READY, DocumentState.PROCESSING, DocumentState.QUEUED, DocumentState.FAILED)
_NAMES = ("collection", "q", "state", "format", "language", "archive")


@dataclass(frozen=True)
class Choice:
    """An entry of a filter's list."""

    value: str
    name: str


def filters_of(request: HttpRequest) -> dict[str, str]:
    """The filters in use; a state that does not exist filters nothing."""
    given = {name: request.GET.get(name, "").replace("\x00", "").strip() for name in _NAMES}
    if given["state"] not in STATES:
        given["state"] = ""
    return {name: value for name, value in given.items() if value}


def within(filters: Mapping[str, str], *, scope: AccessScope) -> QuerySet[Document]:
    """The documents of the collection or archive that is asked for, before anything is searched in them.

    Raises CollectionNotFoundError or DocumentNotFoundError, also where it is hidden.
    """
    found = documents_visible_to(scope)
    if "collection" in filters:
        found = found.filter(collection=collection_get(filters["collection"], scope=scope))
    if "archive" in filters:
        found = found.filter(archive=document_get(filters["archive"], scope=scope))
    return found


def filtered(found: QuerySet[Document], filters: Mapping[str, str]) -> QuerySet[Document]:
    """Those that match name, state, format and language, newest first."""
    if "q" in filters:
        found = found.filter(name__icontains=filters["q"])
    if "state" in filters:
        found = found.filter(state=filters["state"])
    if "format" in filters:
        found = found.filter(media_type__in=_media_types(filters["format"]))
    if "language" in filters:
        found = found.filter(language=filters["language"])
    return found.order_by("-created_at", "name")


def formats_in(scope: AccessScope) -> list[Choice]:
    """The formats that the documents of the scope have, by name. One query."""
    present = documents_visible_to(scope).order_by().values_list("media_type", flat=True).distinct()
    names = {FORMAT_NAMES[media_type] for media_type in present if media_type in FORMAT_NAMES}
    return [Choice(name, name) for name in sorted(names)]


def languages_in(scope: AccessScope) -> list[Choice]:
    """The languages that the documents of the scope are written in, by name. One query."""
    present = documents_visible_to(scope).exclude(language="").order_by().values_list("language", flat=True).distinct()
    return sorted((Choice(code, language_name(code)) for code in present), key=lambda choice: choice.name)


def _media_types(name: str) -> list[str]:
    return [media_type for media_type, known in FORMAT_NAMES.items() if known == name]
