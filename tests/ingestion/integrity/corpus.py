"""Documents as workers leave them: rows, files and vectors, without reading anything."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from ingestion.chunking import chunk_id
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.factory import identity_for
from ingestion.models import Chunk, Collection, Document, DocumentState, DocumentVersion, Label
from ingestion.projection import keep_vectors

EMBEDDER = HashingEmbedder(dimension=64)
IDENTITY = identity_for(EMBEDDER)


def collection(name: str = "Handbook", *, label: Label = Label.INTERNAL) -> Collection:
    """Read by nobody yet."""
    return Collection.objects.create(name=name, label=label)


def document(within: Collection, *texts: str, name: str = "a.txt", embedded: bool = True) -> Document:
    """READY, with a passage a text, a file and, unless said otherwise, its vectors."""
    made = Document.objects.create(
        collection=within,
        name=name,
        title=name,
        sha256=hashlib.sha256(f"{name}{texts}".encode()).hexdigest(),
        size=1,
        label=Label.INTERNAL,
        media_type="text/plain",
        language="en",
        dated=datetime(2024, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC),
        finished_at=timezone.now(),
    )
    version(made, 1, texts, embedded=embedded)
    go_live(made, 1)
    return made


def version(of: Document, number: int, texts: Sequence[str], *, embedded: bool = True) -> DocumentVersion:
    """Accepted and cut, not live yet."""
    content = "\n\n".join([of.name, *texts]).encode()
    path = f"{of.pk.hex[:2]}/{of.pk.hex}{number}"
    place = files_dir() / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    Document.objects.filter(pk=of.pk).update(
        version=number, sha256=digest, size=len(content), state=DocumentState.QUEUED
    )
    made = DocumentVersion.objects.create(
        document=of,
        number=number,
        file=path,
        name=of.name,
        sha256=digest,
        size=len(content),
        chunk_count=len(texts),
    )
    chunks = Chunk.objects.bulk_create(
        [
            Chunk(
                id=UUID(chunk_id(str(of.pk), number, ordinal)),
                document=of,
                version=number,
                ordinal=ordinal,
                text=text,
                start=0,
                end=len(text),
            )
            for ordinal, text in enumerate(texts)
        ]
    )
    if embedded:
        vectors = EMBEDDER.embed_documents([f"{of.title}\n{chunk.text}" for chunk in chunks])
        keep_vectors(dict(zip((chunk.pk for chunk in chunks), vectors, strict=True)), model=EMBEDDER.name)
    of.refresh_from_db()
    return made


def go_live(of: Document, number: int) -> None:
    """Searchable from now on."""
    count = Chunk.objects.filter(document=of, version=number).count()
    Document.objects.filter(pk=of.pk).update(live_version=number, state=DocumentState.READY, chunk_count=count)
    of.refresh_from_db()


def files_dir() -> Path:
    """Where the originals lie."""
    folder: Path = settings.INGESTION.files_dir
    return folder


def texts(count: int, *, about: str = "leave") -> list[str]:
    """Passages that differ in their words."""
    return [f"{about} passage number{number} of word{number * 7} and term{number * 13}" for number in range(count)]
