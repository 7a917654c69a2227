"""API keys: the secret is shown once."""

from django.urls import reverse

from ragapp.accounts.models import ApiKey
from ragapp.accounts.services import user_of_api_key
from tests.ragapp.web.world import World, browser_of


def test_a_new_key_is_shown_once_and_works(world: World) -> None:
    client = browser_of(world.reader)
    response = client.post(reverse("web:keys"), {"name": "Nightly"})
    secret = response.content.decode().partition('<code id="secret" tabindex="0">')[2].partition("</code>")[0]
    assert user_of_api_key(secret) == world.reader
    assert "no-store" in response["Cache-Control"]
    assert secret not in client.get(reverse("web:keys")).content.decode()


def test_a_key_needs_a_name(world: World) -> None:
    response = browser_of(world.reader).post(reverse("web:keys"), {"name": " "})
    assert response.status_code == 422
    assert not ApiKey.objects.exists()


def test_revoking_ends_the_key_at_once(world: World) -> None:
    client = browser_of(world.reader)
    client.post(reverse("web:keys"), {"name": "Nightly"})
    url = reverse("web:key_revoke", args=[ApiKey.objects.get().pk])
    assert "Revoke this key?" in client.get(url).content.decode()
    client.post(url)
    assert not ApiKey.objects.exists()
