"""Who calls: an API key in the Authorization header, and nothing else. A session cookie opens no route."""

from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from ragapp.accounts.models import User
from ragapp.accounts.services import user_of_api_key
from ragapp.api.errors import NotAllowedError


class ApiKeyAuth(HttpBearer):
    """`Authorization: Bearer rag_…`. The user is `request.auth`."""

    openapi_bearerFormat = "rag_…"  # noqa: N815  the field's name in OpenAPI
    openapi_description = "A key of your account, sent as `Authorization: Bearer rag_…`."

    def __call__(self, request: HttpRequest) -> User | None:
        """The key's user. Ninja's own version writes an unknown header into the log, secret and all."""
        scheme, _, secret = request.headers.get(self.header, "").partition(" ")
        return self.authenticate(request, secret.strip()) if scheme.lower() == self.openapi_scheme else None

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """None for a key that is unknown, revoked or expired, and for one of a suspended user."""
        return user_of_api_key(token) if token else None


def caller_of(request: HttpRequest) -> User:
    """The user whose key this request carries."""
    return cast(User, request.auth)  # type: ignore[attr-defined]


def require_admin(user: User) -> None:
    """Raises NotAllowedError. Called after the look-up, so that a hidden id is not found rather than forbidden."""
    if not user.is_staff:
        raise NotAllowedError
