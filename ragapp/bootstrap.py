"""The first start: a first admin and a sample collection. A later start finds them and changes nothing."""

from pathlib import Path

from django.db import transaction

from ingestion import services
from ingestion.files import blocks_of
from ingestion.models import Label
from ragapp.accounts.models import User
from ragapp.accounts.services import NewPassword, person_create

FIRST_ADMIN = "admin"
SAMPLE_DIR = Path(__file__).parent / "sample"
SAMPLE_COLLECTION = "Merrowby handbook (sample)"
_SAMPLE_SUFFIXES = {".md", ".pdf", ".docx"}


def first_start() -> NewPassword | None:
    """Make the first admin and the sample, both or neither; None where there are people already."""
    with transaction.atomic():
        if User.objects.exists():
            return None
        admin = person_create(username=FIRST_ADMIN, is_admin=True, groups=())
        _load_sample()
    return admin


def _load_sample() -> None:
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
