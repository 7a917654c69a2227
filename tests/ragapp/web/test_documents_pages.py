"""Uploading, watching, retrying, deleting and opening documents in the browser."""

from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Document, DocumentState
from ingestion.selectors import document_path
from tests.ragapp.web.world import HTMX, World, body_of, browser_of, document_in, version_in

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
    assert again.json()["sentence"] == "Already in this collection, as a.txt"  # type: ignore[attr-defined]
    assert Document.objects.get(name="a.txt").uploaded_by == world.admin


def test_a_file_of_a_name_that_is_there_is_a_new_version(world: World) -> None:
    upload(world, ("rules.txt", b"one"))
    Document.objects.filter(name="rules.txt").update(
        state=DocumentState.READY, live_version=1, chunk_count=1, title="The rules"
    )
    again = upload(world, ("rules.txt", b"two"), **JSON)
    assert again.json()["sentence"] == (  # type: ignore[attr-defined]
        "New version of The rules, version 2; the one before stays until this one is read"
    )
    assert Document.objects.filter(name="rules.txt").count() == 1


def test_a_file_of_a_name_that_is_there_can_be_kept_beside_it(world: World) -> None:
    upload(world, ("rules.txt", b"one"))
    given = {
        "collection": str(world.handbook.pk),
        "same_name": "keep_both",
        "files": [SimpleUploadedFile("rules.txt", b"two")],
    }
    response = browser_of(world.admin).post(reverse("web:upload"), given, headers=JSON)
    assert response.json()["sentence"] == "Uploaded"
    assert Document.objects.filter(name="rules.txt").count() == 2


def test_the_form_takes_every_format_and_archives(world: World) -> None:
    page = page_of(world)
    for suffix in (".pdf", ".msg", ".zip", ".heic", ".epub"):
        assert suffix in page


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


def test_documents_are_filtered_by_format_and_language(world: World) -> None:
    document_in(world.handbook, name="plan.png", media_type="image/png", language="de")
    document_in(world.handbook, name="photo.jpg", media_type="image/jpeg", language="en")
    page = page_of(world, format="Image")
    assert "plan.png" in page
    assert "photo.jpg" in page
    assert "leave.md" not in page
    assert "photo.jpg" not in page_of(world, format="Image", language="de")
    assert ">German</option>" in page
    assert "No document matches" in page_of(world, format="nonsense")


def test_the_members_of_an_archive_are_listed_alone(world: World) -> None:
    archive = document_in(world.handbook, name="all.zip", media_type="application/zip", member_count=1)
    document_in(world.handbook, name="inner.md", archive=archive)
    page = page_of(world, archive=str(archive.pk))
    assert "inner.md" in page
    assert "leave.md" not in page
    assert browser_of(world.reader).get(reverse("web:documents"), {"archive": str(world.secret.pk)}).status_code == 404


def test_a_failed_new_version_says_that_the_one_before_still_answers(world: World) -> None:
    document_in(
        world.handbook, name="r.pdf", state=DocumentState.FAILED, error_code="no_text", version=2, live_version=1
    )
    page = page_of(world)
    assert "Version 2 failed" in page
    assert "Version 1 still answers." in page


def test_a_new_version_that_is_read_says_how_far_and_what_answers_until_then(world: World) -> None:
    document = document_in(
        world.handbook, name="r.pdf", state=DocumentState.PROCESSING, step="embedding", version=2, live_version=1
    )
    document.versions.update(chunk_count=40, embedded_count=12)
    page = page_of(world)
    assert "12 of 40" in page
    assert "version 1 answers until then" in page


def test_a_delayed_document_says_what_it_waits_for(world: World) -> None:
    document_in(world.handbook, name="r.pdf", state=DocumentState.QUEUED, error_code="index_unavailable", chunk_count=0)
    assert "The search index is not available." in page_of(world)


@pytest.mark.django_db(transaction=True)
def test_an_earlier_version_is_downloaded_by_its_number_and_not_by_readers(world: World) -> None:
    version_in(world.leave, number=2, content=b"two", name="later.md")
    url = reverse("web:document_file", args=[world.leave.pk])
    response = browser_of(world.admin).get(url, {"version": "2"})
    assert "later.md" in response["Content-Disposition"]
    response.close()
    assert browser_of(world.reader).get(url, {"version": "2"}).status_code == 404
    assert browser_of(world.admin).get(url, {"version": "9"}).status_code == 404


def test_a_long_list_costs_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:documents"))
        return len(captured)

    document_in(world.handbook, name="new.md", state=DocumentState.QUEUED)
    before = queries()
    for n in range(5):
        document_in(world.handbook, name=f"{n}.md")
        document_in(world.handbook, name=f"new {n}.md", state=DocumentState.QUEUED)
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
    await sync_to_async(stored)(world.leave, content)
    client = AsyncClient()
    await client.aforce_login(world.reader)
    response = await client.get(reverse("web:document_file", args=[world.leave.pk]))
    assert await body_of(response) == content
