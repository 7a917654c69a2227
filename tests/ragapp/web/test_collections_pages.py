"""Collections as admins change them: label, readers, name, and the end of an empty one."""

from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Collection, DocumentState, Label, OcrChoice
from ingestion.selectors import scope_for
from tests.ragapp.web.world import World, browser_of, document_in

FIELDS = {"name": "Vault", "description": "", "label": str(Label.RESTRICTED.value), "readers": "groups"}


def test_the_list_says_who_reads_what(world: World) -> None:
    html = browser_of(world.admin).get(reverse("web:collections")).content.decode()
    assert "Everyone" in html
    assert "Admins only" in html


def test_a_group_can_be_let_in_and_out(world: World) -> None:
    group = Group.objects.create(name="vault")
    world.reader.groups.add(group)
    url, admin = reverse("web:collection_change", args=[world.vault.pk]), browser_of(world.admin)
    assert admin.post(url, {**FIELDS, "groups": [group.pk]}).status_code == 302
    assert str(world.vault.pk) in scope_for(world.reader).collection_ids
    assert f'value="{group.pk}" checked' in admin.get(url).content.decode()
    admin.post(url, FIELDS)
    assert str(world.vault.pk) not in scope_for(world.reader).collection_ids


def test_everyone_can_be_let_in(world: World) -> None:
    url = reverse("web:collection_change", args=[world.vault.pk])
    browser_of(world.admin).post(url, {**FIELDS, "readers": "everyone", "label": str(Label.INTERNAL.value)})
    world.vault.refresh_from_db()
    assert (world.vault.everyone, world.vault.label) == (True, Label.INTERNAL)


def test_a_taken_name_is_refused(world: World) -> None:
    url = reverse("web:collection_change", args=[world.vault.pk])
    response = browser_of(world.admin).post(url, {**FIELDS, "name": "Handbook"})
    assert response.status_code == 422
    assert "exists already" in response.content.decode()


def test_only_an_empty_collection_goes(world: World) -> None:
    admin = browser_of(world.admin)
    full = admin.post(reverse("web:collection_delete", args=[world.vault.pk]), follow=True)
    assert "Delete them first" in full.content.decode()
    empty = Collection.objects.create(name="Empty")
    assert "Delete this collection?" in admin.get(reverse("web:collection_delete", args=[empty.pk])).content.decode()
    admin.post(reverse("web:collection_delete", args=[empty.pk]))
    assert set(Collection.objects.values_list("name", flat=True)) == {"Handbook", "Vault"}


def test_a_collection_says_what_is_in_it(world: World) -> None:
    document_in(world.handbook, name="a.png", media_type="image/png", size=2048, chunk_count=3)
    document_in(world.handbook, name="b.jpg", media_type="image/jpeg", size=1024, chunk_count=2)
    document_in(world.handbook, name="c.pdf", media_type="", state=DocumentState.FAILED, error_code="no_text")
    page = browser_of(world.admin).get(reverse("web:collection", args=[world.handbook.pk])).content.decode()
    row = page.partition('<th scope="row">Image</th>')[2].partition("</tr>")[0]
    assert '<td class="number">2</td><td class="number">5</td>' in row
    assert "3.0" in row
    for words in ("Not read yet", "Failed", "Everyone who can sign in", "Where a page has no text", "c.pdf"):
        assert words in page


def test_a_reader_sees_name_and_counts_and_no_settings(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:collection", args=[world.handbook.pk])).content.decode()
    assert "Handbook" in page
    assert "leave.md" in page
    assert "Text in images" not in page
    assert reverse("web:collection_change", args=[world.handbook.pk]) not in page


def test_how_images_are_read_is_a_setting(world: World) -> None:
    url = reverse("web:collection_change", args=[world.vault.pk])
    browser_of(world.admin).post(url, {**FIELDS, "ocr": "never"})
    world.vault.refresh_from_db()
    assert world.vault.ocr == OcrChoice.NEVER


def test_more_documents_cost_a_collections_page_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:collection", args=[world.handbook.pk]))
        return len(captured)

    document_in(world.handbook, name="new.md", state=DocumentState.QUEUED)
    before = queries()
    for n in range(5):
        document_in(world.handbook, name=f"{n}.md")
        document_in(world.handbook, name=f"new {n}.md", state=DocumentState.QUEUED)
    assert queries() == before
