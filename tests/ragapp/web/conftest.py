"""Two collections, three people and a conversation, in a real database."""

import pytest
from django.core.cache import cache

from ingestion.models import Label
from ingestion.services import collection_create
from ragapp.accounts.models import User
from ragapp.chat.models import Conversation
from tests.ragapp.web.world import World, answer_in, cite, document_in


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every page reads it."""


@pytest.fixture(autouse=True)
def _no_failures_remembered() -> None:
    cache.clear()


@pytest.fixture
def world() -> World:
    reader = User.objects.create_user("rae", password="correct horse battery")
    handbook = collection_create(name="Handbook", label=Label.INTERNAL, everyone=True)
    vault = collection_create(name="Vault")
    leave = document_in(handbook, name="leave.md")
    conversation = Conversation.objects.create(owner=reader, title="Parental leave")
    answer = answer_in(conversation, text="Twelve weeks on full pay. [1]")
    cite(answer, leave)
    return World(
        admin=User.objects.create_user("ada", password="correct horse battery", is_staff=True),
        reader=reader,
        stranger=User.objects.create_user("olu", password="correct horse battery"),
        handbook=handbook,
        vault=vault,
        leave=leave,
        secret=document_in(vault, name="secret.md"),
        conversation=conversation,
        answer=answer,
    )
