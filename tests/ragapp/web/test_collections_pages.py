"""Collections as admins change them: label, readers, name, and the end of an empty one."""

from django.contrib.auth.models import Group
from django.urls import reverse

from ingestion.models import Collection, Label
from ingestion.selectors import scope_for
from tests.ragapp.web.world import World, browser_of

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
