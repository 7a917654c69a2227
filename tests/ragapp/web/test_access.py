"""Strangers are sent to sign in, hidden ids do not exist, and readers change nothing."""

from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.urls.converters import IntConverter

from ragapp.accounts.services import api_key_issue
from ragapp.web.urls import urlpatterns
from tests.ragapp.web.world import HTMX, World, browser_of

OPEN = {"sign_in", "sign_out", "appearance"}
POST_ONLY = {
    "ask",
    "answer_stop",
    "upload",
    "document_retry",
    "document_reparse",
    "document_restore",
    "document_change",
    "documents_bulk",
    "queue_retry",
    "evaluation_start",
    "feedback_move",
    "feedback_take_back",
}
ADMINS_ONLY = {
    "feedback",
    "feedback_move",
    "upload",
    "document_retry",
    "document_delete",
    "document_reparse",
    "document_restore",
    "document_change",
    "documents_bulk",
    "queue",
    "queue_status",
    "queue_retry",
    "erasures",
    "erasure",
    "collection_create",
    "collections",
    "collection_change",
    "collection_delete",
    "people",
    "person_change",
    "person_password",
    "bench",
    "evaluation",
    "evaluation_set",
    "evaluation_start",
    "evaluation_compare",
    "evaluation_case",
    "evaluation_case_add",
    "evaluation_case_delete",
    "evaluation_run",
    "evaluation_run_delete",
}


def guarded() -> list[URLPattern]:
    return [pattern for pattern in urlpatterns if pattern.name not in OPEN]


def url_of(pattern: URLPattern, key: UUID) -> str:
    names = pattern.pattern.converters
    kwargs = {name: 1 if isinstance(kind, IntConverter) else key for name, kind in names.items()}
    return reverse(f"web:{pattern.name}", kwargs=kwargs)


def opened(client: Client, pattern: URLPattern, key: UUID, **headers: str) -> int:
    method = client.post if pattern.name in POST_ONLY else client.get
    return method(url_of(pattern, key), headers=headers).status_code


@pytest.mark.parametrize("pattern", guarded(), ids=lambda pattern: pattern.name)
def test_a_stranger_is_sent_to_sign_in(pattern: URLPattern) -> None:
    status = opened(Client(), pattern, uuid4())
    assert status == (401 if pattern.name == "answer_stream" else 302)


def test_a_strangers_fragment_moves_the_whole_page_to_sign_in() -> None:
    response = Client().get(reverse("web:document_rows"), headers=HTMX)
    assert response.status_code == 204
    assert response["HX-Redirect"] == reverse("web:sign_in")


@pytest.mark.parametrize(
    "pattern", [pattern for pattern in guarded() if pattern.pattern.converters], ids=lambda pattern: pattern.name
)
def test_an_id_that_does_not_exist_is_404(world: World, pattern: URLPattern) -> None:
    assert opened(browser_of(world.admin), pattern, uuid4()) == 404


def test_what_is_hidden_is_404_for_those_it_is_hidden_from(world: World) -> None:
    secret, passage = world.secret.pk, world.secret.chunks.get().pk
    key = api_key_issue(world.reader, name="mine").key
    for who, name, hidden in [
        (world.reader, "source", passage),
        (world.reader, "document_file", secret),
        (world.reader, "document", secret),
        (world.reader, "document_progress", secret),
        (world.reader, "collection", world.vault.pk),
        (world.stranger, "conversation", world.conversation.pk),
        (world.stranger, "conversation_rename", world.conversation.pk),
        (world.stranger, "conversation_delete", world.conversation.pk),
        (world.stranger, "answer_stream", world.answer.pk),
        (world.admin, "conversation", world.conversation.pk),
        (world.admin, "answer_stream", world.answer.pk),
        (world.admin, "key_revoke", key.pk),
    ]:
        assert browser_of(who).get(reverse(f"web:{name}", args=[hidden])).status_code == 404, name
    stop = reverse("web:answer_stop", args=[world.answer.pk])
    assert browser_of(world.admin).post(stop).status_code == 404


def test_nobody_asks_in_another_persons_conversation(world: World) -> None:
    given = {"question": "How long?", "conversation": str(world.conversation.pk)}
    assert browser_of(world.admin).post(reverse("web:ask"), given).status_code == 404
    assert world.conversation.messages.count() == 2


@pytest.mark.parametrize("name", sorted(ADMINS_ONLY))
def test_a_reader_changes_no_documents(world: World, name: str) -> None:
    pattern = next(pattern for pattern in urlpatterns if pattern.name == name)
    assert browser_of(world.reader).post(url_of(pattern, world.leave.pk)).status_code == 403


def test_the_list_holds_only_what_the_reader_may_read(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:documents")).content.decode()
    assert "leave.md" in page
    assert "secret.md" not in page
    assert "Vault" not in page


def test_a_hidden_collection_is_404_as_a_filter(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:documents"), {"collection": str(world.vault.pk)})
    assert page.status_code == 404


@pytest.mark.parametrize("name", ["ask", "upload", "keys", "sign_out", "appearance"])
def test_a_forged_post_is_refused(world: World, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    assert client.post(reverse(f"web:{name}")).status_code == 403


@pytest.mark.parametrize("name", sorted(POST_ONLY | {"sign_out", "appearance"}))
def test_a_get_changes_nothing(world: World, name: str) -> None:
    pattern = next(pattern for pattern in urlpatterns if pattern.name == name)
    assert browser_of(world.admin).get(url_of(pattern, world.leave.pk)).status_code == 405
