"""API keys: shown once, kept as a digest, ended at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ragapp.accounts.models import ApiKey, User
from ragapp.accounts.services import api_key_issue, api_key_revoke, user_of_api_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann")


def test_a_key_acts_for_its_user(user: User) -> None:
    assert user_of_api_key(api_key_issue(user, name="ci").secret) == user


def test_the_secret_is_not_in_the_database(user: User) -> None:
    secret = api_key_issue(user, name="ci").secret
    assert secret not in repr(list(ApiKey.objects.values()))


@pytest.mark.parametrize("guess", ["", "rag_", "rag_wrong", "x" * 10_000])
def test_a_wrong_key_acts_for_nobody(user: User, guess: str) -> None:
    api_key_issue(user, name="ci")
    assert user_of_api_key(guess) is None


def test_a_revoked_key_acts_for_nobody(user: User) -> None:
    issued = api_key_issue(user, name="ci")
    assert api_key_revoke(user, key_id=str(issued.key.pk))
    assert user_of_api_key(issued.secret) is None


def test_another_persons_key_cannot_be_revoked(user: User) -> None:
    issued = api_key_issue(user, name="ci")
    assert not api_key_revoke(User.objects.create_user("bob"), key_id=str(issued.key.pk))
    assert user_of_api_key(issued.secret) == user


def test_an_expired_key_acts_for_nobody(user: User) -> None:
    issued = api_key_issue(user, name="ci", expires_at=timezone.now() - timedelta(seconds=1))
    assert user_of_api_key(issued.secret) is None


def test_a_suspended_persons_key_acts_for_nobody(user: User) -> None:
    issued = api_key_issue(user, name="ci")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert user_of_api_key(issued.secret) is None


def test_use_is_noted(user: User) -> None:
    issued = api_key_issue(user, name="ci")
    user_of_api_key(issued.secret)
    issued.key.refresh_from_db()
    assert issued.key.last_used_at is not None
