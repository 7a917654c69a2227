"""What a question is limited to: as a person types it, as it is stored, and what is refused."""

from datetime import UTC, datetime

import pytest

from ingestion.access import AccessScope
from ingestion.errors import CollectionNotFoundError
from ingestion.models import Collection
from ingestion.parsing.media_types import IMAGES, PDF
from ragapp.accounts.models import User
from ragapp.chat import services
from ragapp.chat.errors import DatesReversedError, UnknownFormatError, UnknownLanguageError, UnreadableDateError
from ragapp.chat.limits import NO_LIMITS, Limits, limits_check, limits_from_words

pytestmark = pytest.mark.django_db
NOWHERE = AccessScope(frozenset())


def test_words_become_limits() -> None:
    handbook = Collection.objects.create(name="Handbook")
    limits = limits_from_words(
        scope=AccessScope(frozenset({str(handbook.pk)})),
        collections=[str(handbook.pk).upper()],
        formats=["pdf", "Image"],
        languages=["DE"],
        since="2024-05-01",
        until="2024-05-01",
    )
    assert limits.collection_ids == {str(handbook.pk)}
    assert limits.media_types == {PDF} | IMAGES
    assert limits.languages == {"de"}
    assert limits.since is not None
    assert limits.until is not None
    assert 0 < (limits.until - limits.since).total_seconds() < 86_400, "the last day is within, and no more than it"


def test_stored_limits_come_back_as_they_were() -> None:
    limits = Limits(frozenset({"a"}), frozenset({PDF}), frozenset({"de"}), since=datetime(2024, 5, 1, tzinfo=UTC))
    turn = services.turn_start(user=User.objects.create_user("ann"), question="One?", limits=limits)
    assert Limits.stored_in(services.question_of(turn.answer)) == limits


def test_a_question_without_limits_stores_none() -> None:
    turn = services.turn_start(user=User.objects.create_user("ann"), question="One?")
    assert turn.question.limits is None
    assert Limits.stored_in(turn.question) == NO_LIMITS


def test_a_collection_taken_away_finds_nothing_rather_than_everything() -> None:
    assert Limits(frozenset({"gone"})).scope_within(AccessScope(frozenset({"a"}))).is_empty


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"collections": ["no id"]}, CollectionNotFoundError),
        ({"formats": ["Sculpture"]}, UnknownFormatError),
        ({"formats": [""]}, UnknownFormatError),
        ({"languages": ["zz"]}, UnknownLanguageError),
        ({"languages": ["German"]}, UnknownLanguageError),
        ({"since": "last week"}, UnreadableDateError),
        ({"since": "2024-02-31"}, UnreadableDateError),
        ({"until": "2024-05-01x"}, UnreadableDateError),
        ({"since": "2024-05-02", "until": "2024-05-01"}, DatesReversedError),
    ],
)
def test_what_is_malformed_or_unknown_is_an_error(given: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        limits_from_words(scope=NOWHERE, **given)  # type: ignore[arg-type]


def test_a_hidden_collection_is_not_found() -> None:
    vault = Collection.objects.create(name="Vault")
    with pytest.raises(CollectionNotFoundError):
        limits_check(Limits(frozenset({str(vault.pk)})), scope=NOWHERE)
