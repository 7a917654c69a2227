"""One document: what its readers see of it, and what an admin sees and does."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Collection, Document, DocumentState, Erasure, Label, OcrChoice
from ragapp.accounts.models import User
from ragapp.web.document import PASSAGES_A_PART
from tests.ragapp.web.world import HTMX, World, browser_of, document_in, passage_in, version_in

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def page_of(user: User, document: Document, **query: str) -> str:
    response = browser_of(user).get(reverse("web:document", args=[document.pk]), query)
    assert response.status_code == 200
    return response.content.decode()


def pdf_in(collection: Collection, **fields: object) -> Document:
    return document_in(collection, name="manual.pdf", media_type="application/pdf", pages=9, **fields)


def test_a_reader_sees_what_it_is_and_what_it_says(world: World) -> None:
    dated = datetime(2024, 5, 17, tzinfo=UTC)
    document = pdf_in(world.handbook, title="The manual", language="de", dated=dated, label=Label.INTERNAL)
    page = page_of(world.reader, document)
    for words in ("The manual", "PDF", "9 pages", "German", "17 May 2024", "Internal", "What manual.pdf says."):
        assert words in page


def test_a_reader_sees_nothing_of_how_it_is_governed(world: World) -> None:
    group = Group.objects.create(name="auditors")
    world.handbook.groups.add(group)
    page = page_of(world.reader, world.leave)
    for words in ("Who reads it", "Delete document", "Read again", "SHA-256", "auditors", world.leave.sha256):
        assert words not in page


def test_a_reader_sees_no_passage_of_a_version_that_is_not_searched_yet(world: World) -> None:
    version_in(world.leave, number=2, chunk_count=1)
    passage_in(world.leave, text="Not yet said.", version=2)
    url = reverse("web:document", args=[world.leave.pk])
    assert browser_of(world.reader).get(url, {"version": "2"}).status_code == 404
    assert "Not yet said." not in page_of(world.reader, world.leave)
    assert "Not yet said." in page_of(world.admin, world.leave, version="2")


def test_steps_are_told_with_their_times(world: World) -> None:
    began = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    times = {
        step: (began + timedelta(seconds=s)).isoformat()
        for step, s in {"queued": 0, "parsing": 4, "embedding": 9, "indexing": 131, "ready": 133}.items()
    }
    world.leave.versions.update(times=times | {"odd": None, "bad": "2026-99"})
    page = page_of(world.admin, world.leave)
    for words in ("1 Mar, 09:00:09", "5.0 s", "2 min 02 s", "Learning their meaning"):
        assert words in page


def test_the_readers_notes_are_shown_as_text(world: World) -> None:
    world.leave.versions.update(notes=["3 pages were read by text recognition.", NASTY])
    page = page_of(world.admin, world.leave)
    assert "3 pages were read by text recognition." in page
    assert "<script>alert" not in page
    assert "3 pages were read" not in page_of(world.reader, world.leave)


def test_markup_in_passages_names_and_headings_is_inert(world: World) -> None:
    for media_type in ("text/plain", "text/markdown"):
        document = document_in(world.handbook, name=NASTY, title=NASTY, media_type=media_type)
        passage_in(document, text=NASTY, ordinal=1, heading=NASTY, place=NASTY)
        page = page_of(world.admin, document)
        assert "<script>alert" not in page
        assert "<img" not in page


def test_a_table_is_a_table_in_a_pdf_too(world: World) -> None:
    document = pdf_in(world.handbook)
    passage_in(document, text="| Part | Price |\n|---|---|\n| Bolt | 3 |", ordinal=1, page=2, is_table=True)
    assert "<td>Bolt</td>" in page_of(world.reader, document)


def test_a_page_is_drawn_beside_its_passages_with_their_boxes(world: World) -> None:
    document = pdf_in(world.handbook)
    passage_in(document, text="Seen.", ordinal=1, page=2, boxes=[[0.1, 0.2, 0.6, 0.25], [0, 0, 2, 0.5], ["x"], 7])
    page = page_of(world.reader, document)
    assert reverse("web:document_page_image", args=[document.pk, 2]) in page
    assert '<rect x="1000" y="2000" width="5000" height="500"/>' in page
    assert '<rect x="0" y="0" width="10000" height="5000"/>' in page
    assert page.count("<rect x=") == 2


def test_passages_come_in_parts_and_htmx_gets_the_part_alone(world: World) -> None:
    for ordinal in range(1, PASSAGES_A_PART + 3):
        passage_in(world.leave, text=f"Passage number {ordinal}.", ordinal=ordinal)
    page = page_of(world.reader, world.leave)
    assert "Part 1 of 2" in page
    url = reverse("web:document", args=[world.leave.pk])
    fragment = browser_of(world.reader).get(url, {"part": "2"}, headers=HTMX).content.decode()
    assert "<html" not in fragment
    assert f"Passage number {PASSAGES_A_PART + 2}." in fragment


def test_more_passages_and_versions_cost_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:document", args=[world.leave.pk]))
        return len(captured)

    before = queries()
    for n in range(1, 6):
        passage_in(world.leave, text=f"{n}", ordinal=n, page=n)
        version_in(world.leave, number=n + 1, uploaded_by=world.admin)
    assert queries() == before


def test_a_failed_document_says_why_and_what_next_and_is_retried_from_its_page(world: World) -> None:
    document = document_in(
        world.handbook, name="x.pdf", state=DocumentState.FAILED, error_code="parse_timeout", chunk_count=0
    )
    page = page_of(world.admin, document)
    assert "took too long" in page
    assert "Trying again may help." in page
    response = browser_of(world.admin).post(
        reverse("web:document_retry", args=[document.pk]), {"back": "document"}, follow=True
    )
    assert "Waiting" in response.content.decode()


def test_progress_asks_again_until_it_is_settled_and_then_loads_the_page(world: World) -> None:
    document = document_in(world.handbook, name="x.pdf", state=DocumentState.PROCESSING, step="embedding")
    document.versions.update(chunk_count=40, embedded_count=12)
    url, client = reverse("web:document_progress", args=[document.pk]), browser_of(world.reader)
    fragment = client.get(url, headers=HTMX).content.decode()
    assert '<progress max="40" value="12"' in fragment
    assert "every 1500ms" in fragment
    Document.objects.filter(pk=document.pk).update(state=DocumentState.READY, chunk_count=40, live_version=1)
    assert client.get(url, headers=HTMX)["HX-Refresh"] == "true"


def test_it_is_read_again_with_another_setting(world: World) -> None:
    url = reverse("web:document_reparse", args=[world.leave.pk])
    page = browser_of(world.admin).post(url, {"ocr": "always"}, follow=True).content.decode()
    assert "It is read again, as version 2." in page
    assert world.leave.versions.get(number=2).ocr == OcrChoice.ALWAYS
    again = browser_of(world.admin).post(url, {"ocr": "never"}, follow=True).content.decode()
    assert "state does not allow this now" in again
    assert "Choose when" in browser_of(world.admin).post(url, {"ocr": "x"}, follow=True).content.decode()


def test_an_earlier_version_is_made_current_again(world: World) -> None:
    document = pdf_in(world.handbook, version=2)
    version_in(document, number=1, name="first.pdf")
    page = page_of(world.admin, document)
    assert "Make it current again" in page
    url, client = reverse("web:document_restore", args=[document.pk]), browser_of(world.admin)
    assert "as version 3" in client.post(url, {"number": "1"}, follow=True).content.decode()
    document.refresh_from_db()
    assert (document.version, document.versions.get(number=3).name) == (3, "first.pdf")
    assert client.post(url, {"number": "77"}).status_code == 404


def test_versions_say_what_became_of_them(world: World) -> None:
    document = pdf_in(world.handbook, version=4, live_version=3, state=DocumentState.QUEUED)
    version_in(document, number=1)
    version_in(document, number=2, error_code="encrypted_document", finished_at=document.created_at)
    version_in(document, number=3, finished_at=document.created_at)
    page = page_of(world.admin, document)
    for words in ("Searched now", "Being read", "Failed", "Overtaken before it was read", "protected by a password"):
        assert words in page
    for_readers = page_of(world.reader, document)
    assert "Searched now" in for_readers
    assert "Failed" not in for_readers


def test_label_and_collection_are_changed(world: World) -> None:
    url, client = reverse("web:document_change", args=[world.leave.pk]), browser_of(world.admin)
    given = {"label": str(Label.INTERNAL.value), "collection": str(world.vault.pk)}
    page = client.post(url, given, follow=True).content.decode()
    assert "nothing is less sensitive than its collection" in page
    world.leave.refresh_from_db()
    assert (world.leave.collection, world.leave.label) == (world.vault, Label.RESTRICTED)
    assert browser_of(world.reader).get(reverse("web:document", args=[world.leave.pk])).status_code == 404
    assert "Choose a sensitivity" in client.post(url, {"label": "9"}, follow=True).content.decode()


def test_it_says_who_reads_it(world: World) -> None:
    assert "Everyone who can sign in" in page_of(world.admin, world.leave)
    assert "Admins only" in page_of(world.admin, world.secret)
    world.vault.groups.add(Group.objects.create(name="auditors"))
    assert "auditors, and admins" in page_of(world.admin, world.secret)


def test_an_archive_and_its_members_lead_to_each_other(world: World) -> None:
    archive = document_in(world.handbook, name="all.zip", media_type="application/zip", member_count=1)
    member = document_in(world.handbook, name="inner.md", archive=archive)
    assert reverse("web:document", args=[member.pk]) in page_of(world.admin, archive)
    assert reverse("web:document", args=[archive.pk]) in page_of(world.reader, member)


def test_deleting_it_leads_to_its_receipt(world: World) -> None:
    url, client = reverse("web:document_delete", args=[world.leave.pk]), browser_of(world.admin)
    asked = client.get(url, {"back": "receipt"}, headers=HTMX).content.decode()
    assert "hx-post" not in asked
    response = client.post(url, {"back": "receipt"})
    assert response["Location"] == reverse("web:erasure", args=[world.leave.pk])
    assert Erasure.objects.get(document_id=world.leave.pk).requested_by == world.admin
    assert client.get(response["Location"]).status_code == 200
