"""The filters of the documents list and of a question: what is asked for, and what there is to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.formats import date_format

from ingestion.access import AccessScope
from ingestion.models import Document, DocumentState
from ingestion.parsing.media_types import FORMAT_NAMES
from ingestion.selectors import collection_get, collections_visible_to, document_get, documents_visible_to
from ragapp.chat.limits import Limits, limits_from_words
from ragapp.web.templatetags.documents import language_name

STATES = (DocumentState.READY, DocumentState.PROCESSING, DocumentState.QUEUED, DocumentState.FAILED)
_GONE = "a collection that you may not read"
_NAMES = ("collection", "q", "state", "format", "language", "archive")


@dataclass(frozen=True)
class Choice:
    """An entry of a filter's list."""

    value: str
    name: str


@dataclass(frozen=True)
class Option:
    """A box to tick."""

    value: str
    name: str
    is_chosen: bool


@dataclass(frozen=True)
class LimitChoices:
    """What a question can be limited to, and what is chosen. Days are ISO 8601, or ''."""

    collections: list[Option]
    formats: list[Option]
    languages: list[Option]
    since: str
    until: str
    words: tuple[str, ...]


def limits_of(posted: QueryDict, *, scope: AccessScope) -> Limits:
    """What the composer's form limits the question to. Raises LimitError or CollectionNotFoundError."""
    return limits_from_words(
        scope=scope,
        collections=posted.getlist("limit_collection"),
        formats=posted.getlist("limit_format"),
        languages=posted.getlist("limit_language"),
        since=posted.get("limit_since", ""),
        until=posted.get("limit_until", ""),
    )


def limit_choices(limits: Limits, *, scope: AccessScope) -> LimitChoices:
    """What the asker may read offers. What was chosen stays, though it is no longer offered."""
    names = collection_names(scope)
    formats = {_format_name(media_type) for media_type in limits.media_types}
    return LimitChoices(
        collections=_options(names, {key: names.get(key, _GONE) for key in limits.collection_ids}),
        formats=_options({c.value: c.name for c in formats_in(scope)}, {name: name for name in formats}),
        languages=_options(
            {c.value: c.name for c in languages_in(scope)}, {code: language_name(code) for code in limits.languages}
        ),
        since=_day(limits.since, "Y-m-d"),
        until=_day(limits.until, "Y-m-d"),
        words=tuple(words_of(limits, collections=names)),
    )


def collection_names(scope: AccessScope) -> dict[str, str]:
    """The names of the collections that may be read, by id. One query."""
    return {str(pk): name for pk, name in collections_visible_to(scope).values_list("pk", "name")}


def words_of(limits: Limits, *, collections: Mapping[str, str]) -> list[str]:
    """Each limit as a person says it."""
    words = sorted(collections.get(key, _GONE) for key in limits.collection_ids)
    words += sorted({_format_name(media_type) for media_type in limits.media_types})
    words += sorted(language_name(code) for code in limits.languages)
    words += [f"since {_day(limits.since, 'j M Y')}"] if limits.since else []
    words += [f"until {_day(limits.until, 'j M Y')}"] if limits.until else []
    return words


def _options(offered: Mapping[str, str], chosen: Mapping[str, str]) -> list[Option]:
    options = [Option(value, name, value in chosen) for value, name in {**chosen, **offered}.items()]
    return sorted(options, key=lambda option: option.name.casefold())


def _format_name(media_type: str) -> str:
    return FORMAT_NAMES.get(media_type, media_type)


def _day(moment: datetime | None, form: str) -> str:
    return date_format(timezone.localtime(moment), form) if moment else ""


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
