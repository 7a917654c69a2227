"""What a question's search is limited to: collections, types, languages and dates. Stored with the question.

A limit that is malformed or names something unknown is an error; it is never left out, which would find more than was
asked for. A collection that is no longer readable at the time of the answer finds nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ingestion.access import AccessScope
from ingestion.index.base import Conditions
from ingestion.parsing.media_types import FORMAT_NAMES
from ingestion.selectors import collection_get
from ragapp.chat.errors import DatesReversedError, UnknownFormatError, UnknownLanguageError, UnreadableDateError
from ragapp.chat.models import Message

# ISO 639-1, all of it: what a document's language can be.
_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
LANGUAGES = frozenset(_CODES.split())


@dataclass(frozen=True)
class Limits:
    """Empty limits nothing. `collection_ids` are UUIDs as text; `since` and `until` are aware and inclusive."""

    collection_ids: frozenset[str] = frozenset()
    media_types: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def stored_in(cls, question: Message | None) -> "Limits":
        """Those of a stored question."""
        stored = question.limits if question else None
        if not stored:
            return NO_LIMITS
        return cls(
            collection_ids=frozenset(stored["collection_ids"]),
            media_types=frozenset(stored["media_types"]),
            languages=frozenset(stored["languages"]),
            since=_moment(stored["since"]),
            until=_moment(stored["until"]),
        )

    @property
    def stored(self) -> dict[str, Any] | None:
        """As JSON values, for `Message.limits`; None where nothing is limited."""
        if self == NO_LIMITS:
            return None
        return {
            "collection_ids": sorted(self.collection_ids),
            "media_types": sorted(self.media_types),
            "languages": sorted(self.languages),
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }

    @property
    def conditions(self) -> Conditions:
        """The limits besides the scope."""
        return Conditions(media_types=self.media_types, languages=self.languages, since=self.since, until=self.until)

    def scope_within(self, scope: AccessScope) -> AccessScope:
        """The part of a reader's rights that is searched; never more than those."""
        return scope.narrowed_to(self.collection_ids) if self.collection_ids else scope


NO_LIMITS = Limits()


def limits_check(limits: Limits, *, scope: AccessScope) -> Limits:
    """The same limits with every collection found in the scope.

    Raises CollectionNotFoundError, UnknownFormatError, UnknownLanguageError or DatesReversedError.
    """
    named = frozenset(str(collection_get(one, scope=scope).pk) for one in limits.collection_ids)
    if unknown := limits.media_types - FORMAT_NAMES.keys():
        raise UnknownFormatError(", ".join(sorted(unknown)))
    if unknown := limits.languages - LANGUAGES:
        raise UnknownLanguageError(", ".join(sorted(unknown)))
    if limits.since and limits.until and limits.since > limits.until:
        raise DatesReversedError
    return Limits(named, limits.media_types, limits.languages, limits.since, limits.until)


def limits_from_words(
    *,
    scope: AccessScope,
    collections: Iterable[str] = (),
    formats: Iterable[str] = (),
    languages: Iterable[str] = (),
    since: str = "",
    until: str = "",
) -> Limits:
    """Limits as a person gives them: ids, 'PDF' or a media type, 'de', '2024-05-01'. Raises as `limits_check`, and
    UnreadableDateError. The day of `until` is within.
    """
    limits = Limits(
        collection_ids=frozenset(collections),
        media_types=frozenset().union(*(media_types_named(name) for name in formats)),
        languages=frozenset(code.strip().lower() for code in languages),
        since=_given_moment(since, of_day=time.min),
        until=_given_moment(until, of_day=time.max),
    )
    return limits_check(limits, scope=scope)


def media_types_named(name: str) -> frozenset[str]:
    """The media types that a person calls so, in any case; a media type is its own name. Raises UnknownFormatError."""
    wanted = name.strip().casefold()
    found = {media_type for media_type, known in FORMAT_NAMES.items() if wanted in {media_type, known.casefold()}}
    if not found:
        raise UnknownFormatError(name)
    return frozenset(found)


def _given_moment(text: str, *, of_day: time) -> datetime | None:
    """A day stands for its first or last moment here; a moment without a zone is in ours."""
    given = text.strip()
    if not given:
        return None
    try:
        day, moment = parse_date(given), parse_datetime(given)
    except ValueError as exc:
        raise UnreadableDateError(given) from exc
    found = datetime.combine(day, of_day) if day else moment
    if found is None:
        raise UnreadableDateError(given)
    try:
        return found if timezone.is_aware(found) else timezone.make_aware(found)
    except OverflowError as exc:
        raise UnreadableDateError(given) from exc


def _moment(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
