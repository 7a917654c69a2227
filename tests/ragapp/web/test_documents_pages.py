"""Uploading, watching, retrying, deleting and opening documents in the browser."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Document, DocumentState
from ingestion.selectors import document_path
from tests.ragapp.web.world import HTMX, World, body_of, browser_of, document_in

JSON = {"Accept": "application/json"}
NASTY = '<img src=x onerror=alert(1)>"quoted".md'


def upload(world: World, *files: tuple[str, bytes], **headers: str) -> object:
    given = {
        "collection": str(world.handbook.pk),
        "files": [SimpleUploadedFile(name, content) for name, content in files],
    }
    return browser_of(world.admin).post(reverse("web:upload"), given, headers=headers)


def page_of(world: World, **query: str) -> str:
    return browser_of(world.admin).get(reverse("web:documents"), query).content.decode()


def test_a_script_gets_an_outcome_per_file(world: World) -> None:
    first = upload(world, ("a.txt", b"hello"), **JSON)
    again = upload(world, ("b.txt", b"hello"), **JSON)
    assert (first.status_code, first.json()["sentence"]) == (202, "Uploaded")  # type: ignore[attr-defined]
    assert again.json()["sentence"] == "Already in this collection"  # type: ignore[attr-defined]
    assert Document.objects.get(name="a.txt").uploaded_by == world.admin


def test_a_refused_file_says_why(world: World) -> None:
    response = upload(world, ("empty.pdf", b""), **JSON)
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert response.json()["sentence"].startswith("The file is empty.")  # type: ignore[attr-defined]
    assert not Document.objects.filter(name="empty.pdf").exists()


def test_without_a_script_many_files_go_at_once_and_each_is_told(world: World) -> None:
    given = {
        "collection": str(world.handbook.pk),
        "files": [SimpleUploadedFile("a.txt", b"hello"), SimpleUploadedFile("b.txt", b"")],
    }
    page = browser_of(world.admin).post(reverse("web:upload"), given, follow=True).content.decode()
    assert "a.txt: Uploaded" in page
    assert "b.txt: The file is empty." in page


def test_a_name_with_markup_is_shown_as_text(world: World) -> None:
    document_in(world.handbook, name=NASTY, state=DocumentState.QUEUED)
    page = page_of(world)
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&quot;quoted&quot;.md" in page


def test_the_rows_ask_again_only_while_something_is_unsettled(world: World) -> None:
    assert "every 1500ms" not in page_of(world)
    document_in(world.handbook, name="new.pdf", state=DocumentState.PROCESSING, step="embedding", chunk_count=0)
    page = page_of(world)
    assert "every 1500ms" in page
    assert "Learning their meaning" in page


def test_a_failed_document_says_why_and_can_be_retried(world: World) -> None:
    failed = document_in(
        world.handbook, name="x.pdf", state=DocumentState.FAILED, error_code="encrypted_document", chunk_count=0
    )
    assert "The file is protected by a password." in page_of(world)
    url = reverse("web:document_retry", args=[failed.pk])
    rows = browser_of(world.admin).post(url, headers=HTMX).content.decode()
    assert "Waiting" in rows
    assert "Retry" not in rows


def test_a_ready_document_shows_pages_and_passages(world: World) -> None:
    document_in(world.handbook, name="manual.pdf", pages=12, chunk_count=31)
    assert "12 pages, 31 passages" in page_of(world)


def test_deleting_asks_first_and_keeps_the_filters(world: World) -> None:
    url = reverse("web:document_delete", args=[world.leave.pk]) + "?q=leave"
    client = browser_of(world.admin)
    assert "Delete this document?" in client.get(url, headers=HTMX).content.decode()
    assert Document.objects.filter(pk=world.leave.pk, state=DocumentState.READY).exists()
    rows = client.post(url, headers=HTMX).content.decode()
    assert "leave.md" not in rows
    assert "?q=leave" in rows


def test_documents_are_filtered_by_collection_state_and_name(world: World) -> None:
    document_in(world.handbook, name="travel.md")
    assert "travel.md" not in page_of(world, collection=str(world.vault.pk))
    assert "travel.md" not in page_of(world, state="failed")
    assert "travel.md" in page_of(world, q="RAVEL")
    assert "travel.md" in page_of(world, state="nonsense")


def test_a_long_list_costs_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:documents"))
        return len(captured)

    before = queries()
    for n in range(5):
        document_in(world.handbook, name=f"{n}.md")
    assert queries() == before


def test_readers_see_no_buttons_that_they_may_not_use(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:documents")).content.decode()
    for words in ("Drop files here", "New collection", 'title="Delete"'):
        assert words not in page


def test_a_collection_is_made_and_a_second_one_of_its_name_is_refused(world: World) -> None:
    given = {"name": "Manuals", "description": "", "label": "1", "readers": "everyone"}
    client = browser_of(world.admin)
    url = reverse("web:collection_create")
    assert client.post(url, given).status_code == 302
    assert "A collection of this name exists already." in client.post(url, given).content.decode()


def stored(document: Document, content: bytes) -> Path:
    path = document_path(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("media_type", "served_as", "disposition"),
    [
        ("application/pdf", "application/pdf", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("", "application/octet-stream", "attachment"),
    ],
)
def test_only_a_pdf_opens_in_the_browser(world: World, media_type: str, served_as: str, disposition: str) -> None:
    document = document_in(world.handbook, name="a.bin", media_type=media_type)
    stored(document, b"<script>alert(1)</script>")
    response = browser_of(world.reader).get(reverse("web:document_file", args=[document.pk]))
    assert response["Content-Type"] == served_as
    assert response["Content-Disposition"].startswith(disposition)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "script-src" not in response["Content-Security-Policy"]
    assert "default-src 'none'" in response["Content-Security-Policy"]
    response.close()


@pytest.mark.django_db(transaction=True)
async def test_the_original_comes_back_whole(world: World) -> None:
    content = bytes(range(256)) * 3000
    stored(world.leave, content)
    client = AsyncClient()
    await client.aforce_login(world.reader)
    response = await client.get(reverse("web:document_file", args=[world.leave.pk]))
    assert await body_of(response) == content
