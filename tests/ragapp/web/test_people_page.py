"""Accounts and groups: made by admins, effective at once, and never without an admin."""

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from ingestion.selectors import scope_for
from ragapp.accounts.models import User
from ragapp.accounts.services import api_key_issue, user_of_api_key
from tests.ragapp.web.world import World, browser_of


def secret_in(html: str) -> str:
    return html.partition('<code id="secret" tabindex="0">')[2].partition("</code>")[0]


def test_a_new_person_can_sign_in_with_the_password_that_is_shown_once(world: World) -> None:
    client = browser_of(world.admin)
    response = client.post(reverse("web:people"), {"username": "mia", "groups": "finance,  managers ,finance"})
    password = secret_in(response.content.decode())
    assert Client().login(username="mia", password=password)
    assert not User.objects.get(username="mia").is_staff
    assert set(User.objects.get(username="mia").groups.values_list("name", flat=True)) == {"finance", "managers"}
    assert password not in client.get(reverse("web:people")).content.decode()
    assert "no-store" in response["Cache-Control"]


def test_a_taken_or_impossible_name_is_refused_with_a_reason(world: World) -> None:
    client = browser_of(world.admin)
    for name, words in [("rae", "taken"), ("<b>x</b>", "letters, digits")]:
        response = client.post(reverse("web:people"), {"username": name})
        assert response.status_code == 422
        assert words in response.content.decode()
    assert User.objects.count() == 3


def test_a_group_opens_its_collections_on_the_next_request(world: World) -> None:
    world.vault.groups.add(Group.objects.create(name="vault"))
    url = reverse("web:person_change", args=[world.reader.pk])
    browser_of(world.admin).post(url, {"groups": "vault", "is_active": "on"})
    assert str(world.vault.pk) in scope_for(User.objects.get(pk=world.reader.pk)).collection_ids
    browser_of(world.admin).post(url, {"groups": "", "is_active": "on"})
    assert str(world.vault.pk) not in scope_for(User.objects.get(pk=world.reader.pk)).collection_ids


def test_a_suspended_person_is_out_at_once(world: World) -> None:
    reader, key = browser_of(world.reader), api_key_issue(world.reader, name="ci").secret
    browser_of(world.admin).post(reverse("web:person_change", args=[world.reader.pk]), {"groups": ""})
    assert reader.get(reverse("web:chat")).status_code == 302
    assert user_of_api_key(key) is None


def test_the_last_admin_stays_one(world: World) -> None:
    response = browser_of(world.admin).post(
        reverse("web:person_change", args=[world.admin.pk]), {"groups": "", "is_active": "on"}
    )
    assert response.status_code == 422
    assert "last active admin" in response.content.decode()
    assert User.objects.get(pk=world.admin.pk).is_staff


def test_a_new_password_ends_the_old_one(world: World) -> None:
    url = reverse("web:person_password", args=[world.reader.pk])
    admin = browser_of(world.admin)
    assert "Give a new password?" in admin.get(url).content.decode()
    key = api_key_issue(world.reader, name="ci").secret
    password = secret_in(admin.post(url).content.decode())
    assert user_of_api_key(key) is None
    assert not Client().login(username="rae", password="correct horse battery")
    assert Client().login(username="rae", password=password)


def test_everybody_changes_their_own_password(world: World) -> None:
    client = browser_of(world.reader)
    wrong = {"old_password": "guess", "new_password1": "a new long phrase", "new_password2": "a new long phrase"}
    assert client.post(reverse("web:password"), wrong).status_code == 422
    client.post(reverse("web:password"), {**wrong, "old_password": "correct horse battery"})
    assert Client().login(username="rae", password="a new long phrase")
    assert client.get(reverse("web:chat")).status_code == 200
