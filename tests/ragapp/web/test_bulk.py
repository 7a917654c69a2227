"""Actions on many documents: asked first, done one by one, and told."""

import pytest
from django.urls import reverse

from ingestion.models import Document, DocumentState, Erasure, Label
from ingestion.selectors import documents_visible_to, scope_for
from tests.ragapp.web.world import World, browser_of, document_in


def act(world: World, action: str, *documents: Document, **fields: str) -> str:
    given = {"action": action, "document": [str(document.pk) for document in documents], **fields}
    return browser_of(world.admin).post(reverse("web:documents_bulk"), given, follow=True).content.decode()


def names(world: World) -> set[str]:
    return set(documents_visible_to(scope_for(world.admin)).values_list("name", flat=True))


def test_deleting_asks_with_the_count_first(world: World) -> None:
    page = act(world, "delete", world.leave, world.secret)
    assert "Delete 2 documents?" in page
    assert names(world) == {"leave.md", "secret.md"}


def test_confirmed_documents_go_and_leave_receipts(world: World) -> None:
    page = act(world, "delete", world.leave, world.secret, confirmed="1")
    assert "2 documents deleted." in page
    assert names(world) == set()
    assert set(Erasure.objects.values_list("requested_by__username", flat=True)) == {"ada"}


def test_only_failed_documents_are_retried(world: World) -> None:
    failed = document_in(world.handbook, name="x.pdf", state=DocumentState.FAILED, error_code="no_text")
    assert "Read 1 document again?" in act(world, "retry", failed, world.leave)
    assert "1 document will be read again." in act(world, "retry", failed, world.leave, confirmed="1")
    failed.refresh_from_db()
    assert failed.state == DocumentState.QUEUED
    assert "None of the ticked documents has failed." in act(world, "retry", world.leave)


def test_a_label_is_changed(world: World) -> None:
    assert "Change the label of 1 document" in act(world, "label", world.leave)
    page = act(world, "label", world.leave, confirmed="1", label=str(Label.RESTRICTED.value))
    assert "1 document got the label." in page
    world.leave.refresh_from_db()
    assert world.leave.label == Label.RESTRICTED


def test_what_cannot_be_moved_is_told_and_the_rest_is_moved(world: World) -> None:
    twin = document_in(world.handbook, name="twin.md")
    Document.objects.filter(pk=twin.pk).update(sha256=world.secret.sha256)
    page = act(world, "move", twin, world.leave, confirmed="1", collection=str(world.vault.pk))
    assert "1 document moved." in page
    assert "twin.md: That collection holds the same file already." in page
    world.leave.refresh_from_db()
    assert world.leave.collection == world.vault


@pytest.mark.parametrize("action", ["retry", "label", "move", "delete"])
def test_nothing_ticked_changes_nothing(world: World, action: str) -> None:
    page = act(world, action)
    assert "ticked" in page or "Tick the documents first." in page
    assert names(world) == {"leave.md", "secret.md"}


def test_nonsense_is_refused(world: World) -> None:
    url, client = reverse("web:documents_bulk"), browser_of(world.admin)
    ticked = {"document": [str(world.leave.pk)], "confirmed": "1"}
    assert client.post(url, {**ticked, "action": "explode"}).status_code == 400
    assert client.post(url, {**ticked, "action": "label", "label": "9"}).status_code == 400
    assert client.post(url, {**ticked, "action": "move", "collection": "x"}).status_code == 404
    assert client.post(url, {"action": "delete", "document": ["x", "\x00"], "confirmed": "1"}).status_code == 302


def test_the_way_back_keeps_the_filters_and_leads_nowhere_else(world: World) -> None:
    given = {"action": "delete", "document": [str(world.leave.pk)], "confirmed": "1"}
    url, client = reverse("web:documents_bulk"), browser_of(world.admin)
    assert client.post(url, {**given, "back": "q=leave"})["Location"] == "/documents?q=leave"
    assert client.post(url, {**given, "back": "//evil.example"})["Location"] == "/documents"
