"""What a person may read, as exact sets; hidden and absent are the same."""

from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from ingestion import selectors
from ingestion.access import AccessScope
from ingestion.errors import CollectionNotFoundError, DocumentNotFoundError
from ingestion.models import Chunk, Collection, Document, DocumentState
from ragapp.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def hr() -> Collection:
    collection = Collection.objects.create(name="HR")
    group = Group.objects.create(name="hr")
    collection.groups.add(group)
    return collection


@pytest.fixture
def handbook() -> Collection:
    return Collection.objects.create(name="Handbook", everyone=True)


@pytest.fixture
def board() -> Collection:
    return Collection.objects.create(name="Board")


def document_in(collection: Collection, state: str = DocumentState.READY) -> Document:
    code = "no_text" if state == DocumentState.FAILED else ""
    document = Document.objects.create(
        collection=collection,
        name="a",
        sha256=uuid4().hex,
        size=1,
        state=state,
        live_version=1 if state == DocumentState.READY else None,
        chunk_count=1,
        error_code=code,
    )
    Chunk.objects.create(id=uuid4(), document=document, ordinal=0, text="x", start=0, end=1)
    return document


def visible(user: User) -> set[str]:
    return set(selectors.collections_visible_to(selectors.scope_for(user)).values_list("name", flat=True))


def test_a_person_reads_what_everyone_and_their_groups_may(
    hr: Collection, handbook: Collection, board: Collection
) -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    ann.groups.add(Group.objects.get(name="hr"))
    assert visible(ann) == {"HR", "Handbook"}
    assert visible(bob) == {"Handbook"}


def test_an_admin_reads_everything(hr: Collection, handbook: Collection, board: Collection) -> None:
    assert visible(User.objects.create_superuser("root")) == {"HR", "Handbook", "Board"}


def test_strangers_and_the_suspended_read_nothing(handbook: Collection) -> None:
    assert selectors.scope_for(AnonymousUser()).is_empty
    assert selectors.scope_for(User.objects.create_superuser("gone", is_active=False)).is_empty


def test_leaving_a_group_holds_at_once(hr: Collection) -> None:
    ann = User.objects.create_user("ann")
    ann.groups.add(Group.objects.get(name="hr"))
    assert visible(ann) == {"HR"}
    ann.groups.clear()
    assert visible(ann) == set()


def test_hidden_and_absent_documents_are_the_same(hr: Collection, board: Collection) -> None:
    scope = AccessScope(frozenset({str(hr.pk)}))
    keys: list[str | UUID] = [document_in(board).pk, uuid4(), "nonsense", ""]
    for key in keys:
        with pytest.raises(DocumentNotFoundError):
            selectors.document_get(key, scope=scope)
    with pytest.raises(CollectionNotFoundError):
        selectors.collection_get(board.pk, scope=scope)


def test_a_deleted_document_is_gone_at_once(hr: Collection) -> None:
    scope = AccessScope(frozenset({str(hr.pk)}))
    document = document_in(hr)
    chunk = document.chunks.get()
    assert selectors.chunk_get(chunk.pk, scope=scope) == chunk
    Document.objects.filter(pk=document.pk).update(state=DocumentState.DELETING)
    with pytest.raises(DocumentNotFoundError):
        selectors.document_get(document.pk, scope=scope)
    with pytest.raises(DocumentNotFoundError):
        selectors.chunk_get(chunk.pk, scope=scope)


@pytest.mark.parametrize("state", [DocumentState.QUEUED, DocumentState.PROCESSING, DocumentState.FAILED])
def test_passages_of_an_unready_document_are_not_shown(hr: Collection, state: str) -> None:
    document_in(hr, state)
    assert not selectors.chunks_visible_to(AccessScope(frozenset({str(hr.pk)}))).exists()


def test_an_empty_scope_sees_nothing(hr: Collection) -> None:
    document_in(hr)
    nothing = AccessScope(frozenset())
    assert not selectors.documents_visible_to(nothing).exists()
    assert not selectors.collections_visible_to(nothing).exists()
    assert not selectors.chunks_visible_to(nothing).exists()


def test_neighbours_come_in_order(hr: Collection) -> None:
    document = document_in(hr)
    for ordinal in range(1, 5):
        Chunk.objects.create(id=uuid4(), document=document, ordinal=ordinal, text=str(ordinal), start=0, end=1)
    middle = document.chunks.get(ordinal=2)
    assert [chunk.ordinal for chunk in selectors.chunks_around(middle)] == [1, 2, 3]
