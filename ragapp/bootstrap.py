"""The first start: a first admin and a sample collection. A later start finds them and changes nothing."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion import services
from ingestion.models import Label
from ragapp.accounts.models import User

SAMPLE_DIR = Path(__file__).parent / "sample"
SAMPLE_COLLECTION = "Merrowby handbook (sample)"
_SAMPLE_SUFFIXES = {".md", ".pdf", ".docx"}
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class FirstAdmin:
    """Credentials to show once."""

    username: str
    password: str


def first_admin() -> FirstAdmin | None:
    """Create the first admin, or None where there are people already."""
    if User.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(username="admin", password=password)
    return FirstAdmin(username="admin", password=password)


def load_sample() -> None:
    """Submit the fictional handbook for everyone to read."""
    collection = services.collection_create(
        name=SAMPLE_COLLECTION,
        description="A fictional company's handbook, to try questions on.",
        label=Label.INTERNAL,
        everyone=True,
    )
    for path in sorted(SAMPLE_DIR.iterdir()):
        if path.suffix in _SAMPLE_SUFFIXES:
            services.document_submit(collection=collection, name=path.name, content=blocks_of(path), uploaded_by=None)


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes in blocks of 1 MiB."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
