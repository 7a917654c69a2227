"""Who and what the pages' tests are about."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from django.utils import timezone

from ingestion import files
from ingestion.models import Chunk, Collection, Document, DocumentState, DocumentVersion
from ragapp.accounts.models import User
from ragapp.chat.models import AnswerState, Citation, Conversation, Message, Role

HTMX = {"HX-Request": "true"}


@dataclass(frozen=True)
class World:
    """`reader` may read `handbook`, not `vault`; both conversations belong to the reader."""

    admin: User
    reader: User
    stranger: User
    handbook: Collection
    vault: Collection
    leave: Document
    secret: Document
    conversation: Conversation
    answer: Message


def browser_of(user: User) -> Client:
    """A signed-in browser."""
    client = Client()
    client.force_login(user)
    return client


async def body_of(response: Any) -> bytes:
    """A streamed response, read to its end. The test client's response has no type of its own for it."""
    assert response.streaming
    return b"".join([part async for part in response.streaming_content])


def document_in(collection: Collection, *, name: str, **fields: object) -> Document:
    """A READY document with one passage."""
    values: dict[str, object] = {
        "state": DocumentState.READY,
        "chunk_count": 1,
        "size": 1200,
        "media_type": "text/markdown",
        "title": name,
        **fields,
    }
    if values["state"] == DocumentState.READY:
        values.setdefault("live_version", values.get("version", 1))
    document = Document.objects.create(collection=collection, name=name, sha256=uuid4().hex * 2, **values)
    version_in(document, number=document.version)
    if document.state == DocumentState.READY:
        passage_in(document, text=f"What {name} says.")
    return document


def version_in(document: Document, *, number: int, content: bytes = b"", **fields: object) -> DocumentVersion:
    """A version with its file, settled as the document is."""
    values: dict[str, object] = {
        "name": document.name,
        "sha256": document.sha256,
        "size": document.size,
        "media_type": document.media_type,
        "pages": document.pages,
        "chunk_count": document.chunk_count,
        "error_code": document.error_code,
        "finished_at": timezone.now() if document.is_settled else None,
        **fields,
    }
    stored = files.store([content or uuid4().bytes])
    return DocumentVersion.objects.create(document=document, number=number, file=stored.name, **values)


def passage_in(document: Document, *, text: str, ordinal: int = 0, **fields: object) -> Chunk:
    """A passage of the latest version."""
    start = ordinal * 1000
    values: dict[str, object] = {"version": document.version, **fields}
    return Chunk.objects.create(
        id=uuid4(), document=document, ordinal=ordinal, text=text, start=start, end=start + len(text), **values
    )


def answer_in(conversation: Conversation, *, text: str, question: str = "How long?", **fields: object) -> Message:
    """A question with its settled answer."""
    Message.objects.create(conversation=conversation, role=Role.QUESTION, text=question)
    values: dict[str, object] = {"state": AnswerState.FINISHED, **fields}
    return Message.objects.create(conversation=conversation, role=Role.ANSWER, text=text, **values)


def cite(
    answer: Message, document: Document, *, n: int = 1, quote: str = "Twelve weeks.", nearest: bool = False
) -> UUID:
    """A citation of the document's first passage; returns the passage's id."""
    chunk = document.chunks.order_by("ordinal")[0]
    Citation.objects.create(
        message=answer,
        n=n,
        document=document,
        chunk=chunk,
        title=document.title,
        quote=quote,
        score=0.71,
        nearest=nearest,
    )
    return chunk.pk
