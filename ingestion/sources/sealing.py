"""Keys of sources at rest: encrypted under a key that is derived from the installation's secret key.

A copy of the database alone opens nothing. A reference to an environment variable would keep them out of it
altogether, but each new bucket would then need a restart by whoever runs the server.
"""

import base64
import json
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.encoding import force_bytes

from ingestion.errors import SourceSecretError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_PURPOSE = b"ragapp: keys of sources"


def seal(values: dict[str, str]) -> str:
    """One token for all values; '' for none."""
    return _cipher().encrypt(json.dumps(values).encode()).decode() if values else ""


def unseal(token: str) -> dict[str, str]:
    """Raises SourceSecretError where it was sealed under another secret key."""
    if not token:
        return {}
    from cryptography.fernet import InvalidToken

    try:
        values: dict[str, str] = json.loads(_cipher().decrypt(token.encode()))
    except InvalidToken as exc:
        raise SourceSecretError("sealed under another secret key") from exc
    return values


def _cipher() -> "MultiFernet":
    # Here, as it is 7 MiB that an installation without buckets need not hold.
    from cryptography.fernet import Fernet, MultiFernet

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key))) for key in keys])


def _derived(secret: str | bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(force_bytes(secret))
