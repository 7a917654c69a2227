"""People with their keys, two collections, and a model that follows a script. Everything else is real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from ingestion import engine, tasks
from ingestion.models import Chunk, Collection, Document, DocumentState, Label
from ingestion.services import collection_create, document_submit
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.accounts.services import api_key_issue
from ragapp.chat.models import Conversation, Message, Role
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.api.world import Person, World

HANDBOOK = b"# Leave\n\nParental leave at Juniper Works is twelve weeks on full pay.\n"


@pytest.fixture(autouse=True)
def _real_database(transactional_db: None) -> None:
    """Committed for real: answers are searched and recorded on other threads, with connections of their own."""


@pytest.fixture(scope="package", autouse=True)
def _index_closed_at_the_end() -> Iterator[None]:
    yield
    engine.close()


@pytest.fixture
def world() -> World:
    staff = Group.objects.create(name="staff")
    admin = _person("ada", is_staff=True)
    reader = _person("rae")
    reader.user.groups.add(staff)
    handbook = collection_create(name="Handbook", label=Label.INTERNAL, groups=[staff])
    vault = collection_create(name="Vault")
    conversation = Conversation.objects.create(owner=reader.user, title="Leave")
    Message.objects.create(conversation=conversation, role=Role.QUESTION, text="How long?")
    Message.objects.create(conversation=conversation, role=Role.ANSWER, text="Twelve weeks.")
    return World(
        admin=admin,
        reader=reader,
        outsider=_person("olu"),
        handbook=handbook,
        vault=vault,
        document=_ready(handbook, b"one"),
        failed=_failed(handbook, b"two"),
        hidden=_ready(vault, b"three"),
        conversation=conversation,
    )


@pytest.fixture
def searchable(world: World, models_dir: Path) -> Iterator[Document]:
    """The handbook's leave policy, read by the real pipeline."""
    document = document_submit(
        collection=world.handbook, name="leave.md", content=[HANDBOOK], uploaded_by=world.admin.user
    ).document
    tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert document.state == DocumentState.READY, document.error_code
    yield document
    engine.index().delete_document(str(document.pk))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, models_dir: Path) -> Iterator[Any]:
    """`script([...], [...])` sets what the model will stream, and returns the model."""

    def write(*replies: Any, pause_s: float = 0.0) -> ScriptedChat:
        model = ScriptedChat(*replies, pause_s=pause_s)
        monkeypatch.setattr(wiring, "chat_model", lambda: model)
        wiring.answerer.cache_clear()
        return model

    yield write
    wiring.answerer.cache_clear()


def _person(name: str, *, is_staff: bool = False) -> Person:
    user = User.objects.create_user(name, password="correct horse battery", is_staff=is_staff)
    return Person(user=user, secret=api_key_issue(user, name="test").secret)


def _ready(collection: Collection, content: bytes) -> Document:
    document = _submitted(collection, content)
    Chunk.objects.create(id=document.pk, document=document, ordinal=0, text=content.decode(), start=0, end=len(content))
    Document.objects.filter(pk=document.pk).update(state=DocumentState.READY, chunk_count=1, live_version=1)
    document.refresh_from_db()
    return document


def _failed(collection: Collection, content: bytes) -> Document:
    document = _submitted(collection, content)
    Document.objects.filter(pk=document.pk).update(state=DocumentState.FAILED, error_code="damaged_document")
    document.refresh_from_db()
    return document


def _submitted(collection: Collection, content: bytes) -> Document:
    name = f"{content.decode()}.txt"
    return document_submit(collection=collection, name=name, content=[content], uploaded_by=None).document
