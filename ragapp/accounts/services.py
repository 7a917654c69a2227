"""What changes accounts: people and their API keys."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from ragapp.accounts.errors import InvalidUsernameError, LastAdminError, PersonExistsError
from ragapp.accounts.models import ApiKey, User

KEY_PREFIX = "rag_"
_LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class IssuedKey:
    """A new key with its secret, which is shown this once."""

    key: ApiKey
    secret: str


@dataclass(frozen=True)
class NewPassword:
    """A person with a password that is shown this once."""

    user: User
    password: str


def person_create(*, username: str, is_admin: bool, groups: Iterable[str]) -> NewPassword:
    """Make an account with a first password. Raises PersonExistsError or InvalidUsernameError."""
    try:
        User.username_validator(username)
    except ValidationError as exc:
        raise InvalidUsernameError(username) from exc
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, password=password, is_staff=is_admin)
            user.groups.set(_groups(groups))
    except IntegrityError as exc:
        raise PersonExistsError(username) from exc
    return NewPassword(user=user, password=password)


def person_change(user: User, *, is_admin: bool, is_active: bool, groups: Iterable[str]) -> None:
    """Change rights; they hold on the person's next request. Raises LastAdminError."""
    with transaction.atomic():
        others = User.objects.select_for_update().filter(is_staff=True, is_active=True).exclude(pk=user.pk)
        if not (is_admin and is_active) and not others.exists():
            raise LastAdminError(user.username)
        user.is_staff, user.is_active = is_admin, is_active
        user.save(update_fields=["is_staff", "is_active"])
        user.groups.set(_groups(groups))


def password_reset(user: User) -> NewPassword:
    """Give a new password; every session of the person ends with the old one, and every API key."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        user.api_keys.all().delete()
    return NewPassword(user=user, password=password)


def group_names(text: str) -> list[str]:
    """The names in a comma-separated list, each once, without blanks."""
    return list(dict.fromkeys(name for part in text.split(",") if (name := " ".join(part.split())[:150])))


def api_key_issue(user: User, *, name: str, expires_at: datetime | None = None) -> IssuedKey:
    """Make a key that acts for `user`."""
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(user=user, name=name, prefix=secret[:10], digest=_digest(secret), expires_at=expires_at)
    return IssuedKey(key=key, secret=secret)


def api_key_revoke(user: User, *, key_id: str) -> bool:
    """End a key of this user at once. False where the user has no such key."""
    deleted, _ = ApiKey.objects.filter(user=user, pk=key_id).delete()
    return bool(deleted)


def user_of_api_key(secret: str) -> User | None:
    """The active user for whom this key acts, or None."""
    now = timezone.now()
    key = (
        ApiKey.objects.select_related("user")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), digest=_digest(secret), user__is_active=True)
        .first()
    )
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at > _LAST_USED_PRECISION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key.user


def _groups(names: Iterable[str]) -> list[Group]:
    return [Group.objects.get_or_create(name=name)[0] for name in names]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
