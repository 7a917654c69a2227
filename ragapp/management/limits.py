"""What a command's search is limited to, as a person types it."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ingestion.access import AccessScope
from ingestion.errors import CollectionNotFoundError
from ingestion.selectors import collections_visible_to, uuid_or_none
from ragapp.chat.errors import LimitError
from ragapp.chat.limits import Limits, limits_from_words
from ragapp.errors import entry_for


def add_limit_arguments(parser: CommandParser) -> None:
    """`--collection`, `--type`, `--language`, `--since`, `--until`; the first three any number of times."""
    parser.add_argument("--collection", action="append", default=[], metavar="NAME", help="only in this collection")
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type: PDF, Word, E-mail")
    parser.add_argument("--language", action="append", default=[], metavar="CODE", help="only this language: en, de")
    parser.add_argument("--since", default="", metavar="DATE", help="only what was changed then or later: 2024-05-01")
    parser.add_argument("--until", default="", metavar="DATE", help="only what was changed then or earlier")


def limits_given(options: Mapping[str, Any], *, scope: AccessScope) -> Limits:
    """The limits of the command line. Raises CommandError with the sentence that says what is wrong."""
    try:
        return limits_from_words(
            scope=scope,
            collections=[key for name in options["collection"] for key in _collections_named(name, scope=scope)],
            formats=options["type"],
            languages=options["language"],
            since=options["since"],
            until=options["until"],
        )
    except (CollectionNotFoundError, LimitError) as exc:
        sentence = entry_for(exc.code).sentence
        raise CommandError(f"{exc}: {sentence}" if str(exc) else sentence) from exc


def limits_body(limits: Limits) -> dict[str, Any]:
    """As the API takes them: what limits nothing is left out."""
    return {name: value for name, value in (limits.stored or {}).items() if value}


def _collections_named(name: str, *, scope: AccessScope) -> list[str]:
    """By name, in any case where no other fits, or by id. Raises CollectionNotFoundError."""
    if uuid_or_none(name):
        return [name]
    visible = collections_visible_to(scope)
    found = visible.filter(name=name) or visible.filter(name__iexact=name)
    if not found:
        raise CollectionNotFoundError(name)
    return [str(collection.pk) for collection in found]
