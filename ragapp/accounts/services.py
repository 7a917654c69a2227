"""What changes accounts: people and their API keys."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from ragapp.accounts.models import ApiKey, User

KEY_PREFIX = "rag_"
_LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class IssuedKey:
    """A new key with its secret, which is shown this once."""

    key: ApiKey
    secret: str


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


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
