"""Signing in tells nothing about who exists, and guessing is slowed down."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.ragapp.web.world import World, browser_of

SIGN_IN = "/sign-in"


def attempt(client: Client, username: str, password: str, *, address: str = "127.0.0.1") -> int:
    given = {"username": username, "password": password}
    return client.post(SIGN_IN, given, REMOTE_ADDR=address).status_code


def test_the_right_password_opens_the_chat(world: World) -> None:
    response = Client().post(SIGN_IN, {"username": "rae", "password": "correct horse battery"})
    assert response.status_code == 302
    assert response["Location"] == reverse("web:chat")


def test_a_wrong_name_and_a_wrong_password_read_the_same(world: World) -> None:
    pages = [
        Client().post(SIGN_IN, {"username": name, "password": "wrong"}).content.decode() for name in ("rae", "nobody")
    ]
    assert all("The name or the password is wrong." in page for page in pages)


def test_the_sixth_guess_within_a_minute_is_not_even_tried(world: World) -> None:
    client = Client()
    assert [attempt(client, "rae", "wrong") for _ in range(5)] == [422] * 5
    assert attempt(client, "rae", "correct horse battery") == 429
    assert "Wait a minute" in client.post(SIGN_IN, {"username": "rae", "password": "x"}).content.decode()


@pytest.mark.parametrize("spelling", [" rae", "rae  ", "RAE", "\uff52\uff41\uff45"])
def test_another_spelling_of_the_name_is_no_way_round_the_count(world: World, spelling: str) -> None:
    for _ in range(5):
        attempt(Client(), "rae", "wrong")
    assert attempt(Client(), spelling, "correct horse battery") == 429


def test_one_address_cannot_try_many_names(world: World) -> None:
    assert [attempt(Client(), f"name{n}", "wrong") for n in range(21)] == [422] * 20 + [429]


def test_those_who_know_their_password_may_share_an_address(world: World) -> None:
    assert {attempt(Client(), "rae", "correct horse battery") for _ in range(25)} == {302}


def test_failures_of_one_address_do_not_lock_another_out(world: World) -> None:
    for _ in range(6):
        attempt(Client(), "rae", "wrong")
    assert attempt(Client(), "rae", "correct horse battery", address="10.0.0.9") == 302


def test_signing_in_forgets_earlier_failures(world: World) -> None:
    client = Client()
    for _ in range(4):
        attempt(client, "rae", "wrong")
    attempt(client, "rae", "correct horse battery")
    assert attempt(Client(), "rae", "wrong") == 422


def test_nobody_is_sent_to_another_site_after_signing_in(world: World) -> None:
    given = {"username": "rae", "password": "correct horse battery", "next": "https://evil.example/"}
    assert Client().post(SIGN_IN, given)["Location"] == reverse("web:chat")


def test_signing_out_ends_the_session(world: World) -> None:
    client = browser_of(world.reader)
    client.post(reverse("web:sign_out"))
    assert client.get(reverse("web:chat")).status_code == 302


def test_the_theme_is_remembered_and_only_a_known_one(world: World) -> None:
    client = browser_of(world.reader)
    client.post(reverse("web:appearance"), {"theme": "dark", "next": "//evil.example"})
    assert 'data-theme="dark"' in client.get(reverse("web:chat")).content.decode()
    client.cookies["theme"] = '"><script>'
    assert 'data-theme="auto"' in client.get(reverse("web:chat")).content.decode()
