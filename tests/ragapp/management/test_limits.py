"""What `ask` and `search` are limited to on the command line."""

from argparse import ArgumentParser
from typing import Any

import pytest
from django.core.management.base import CommandError

from ingestion.access import AccessScope
from ingestion.models import Collection
from ragapp.management.limits import add_limit_arguments, limits_body, limits_given

pytestmark = pytest.mark.django_db


def given(*words: str, scope: AccessScope) -> Any:
    parser = ArgumentParser()
    add_limit_arguments(parser)  # type: ignore[arg-type]
    return limits_given(vars(parser.parse_args(words)), scope=scope)


def test_collections_are_named_and_limits_become_the_apis_body() -> None:
    handbook = Collection.objects.create(name="Handbook")
    scope = AccessScope(frozenset({str(handbook.pk)}))
    limits = given(
        "--collection", "handbook", "--type", "pdf", "--language", "en", "--since", "2024-05-01", scope=scope
    )
    body = limits_body(limits)
    assert body["collection_ids"] == [str(handbook.pk)]
    assert body["media_types"] == ["application/pdf"]
    assert body["since"].startswith("2024-05-01T00:00:00")
    assert "until" not in body


def test_nothing_given_limits_nothing() -> None:
    assert limits_body(given(scope=AccessScope(frozenset()))) == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--collection", "Vault"], "There is no such collection."),
        (["--type", "Sculpture"], "No document can be of this type."),
        (["--language", "zz"], "There is no such language."),
        (["--until", "soon"], "This is no date."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words: list[str], sentence: str) -> None:
    Collection.objects.create(name="Vault")
    with pytest.raises(CommandError, match=sentence):
        given(*words, scope=AccessScope(frozenset()))
