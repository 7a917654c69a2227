"""Asks the server of this data folder over loopback: it alone may open the embedded index."""

from datetime import timedelta
from typing import Any

import httpx
from django.core.management.base import CommandError
from django.utils import timezone

from ragapp.accounts.models import User
from ragapp.accounts.services import api_key_issue, api_key_revoke
from ragapp.embedded import RunningServer

_TIMEOUT_S = 600.0
_KEY_LIFETIME = timedelta(minutes=15)


def post(server: RunningServer, path: str, *, user: User, body: dict[str, Any]) -> dict[str, Any]:
    """POST to the API as this person, with a key that ends with the call. Raises CommandError."""
    if not server.url:
        raise CommandError(f"Process {server.pid} works on this data folder. Try again when it is done.")
    issued = api_key_issue(user, name="command line", expires_at=timezone.now() + _KEY_LIFETIME)
    # The server may believe that it stands behind a TLS proxy; on loopback we are that proxy.
    headers = {"Authorization": f"Bearer {issued.secret}", "X-Forwarded-Proto": "https"}
    try:
        response = httpx.post(
            f"{server.url}/api/v1{path}", json=body, headers=headers, timeout=_TIMEOUT_S, trust_env=False
        )
        answer: dict[str, Any] = response.json()
    except httpx.HTTPError as exc:
        raise CommandError(f"The server at {server.url} does not answer ({type(exc).__name__}).") from exc
    except ValueError as exc:
        raise CommandError(f"The server at {server.url} answers {response.status_code}, and no JSON.") from exc
    finally:
        api_key_revoke(user, key_id=str(issued.key.pk))
    if response.is_error:
        raise CommandError(answer["error"]["message"])
    return answer
