"""Every route, asked by everyone. The routes come from `api.urls`: one without a row here fails."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern

from ragapp.accounts.models import ApiKey
from ragapp.api.v1 import api
from ragapp.chat.models import Feedback, Role
from tests.ragapp.api.world import World

# Method and address -> status for nobody, for one who reads nothing, for a reader of it, for an admin.
# A reader owns the conversation.
MATRIX = {
    "GET me": (401, 200, 200, 200),
    "GET collections": (401, 200, 200, 200),
    "POST collections": (401, 403, 403, 201),
    "GET collections/<collection_id>": (401, 404, 200, 200),
    "GET collections/<collection_id>/documents": (401, 404, 200, 200),
    "POST collections/<collection_id>/documents": (401, 404, 403, 202),
    "GET documents/<document_id>": (401, 404, 200, 200),
    "DELETE documents/<document_id>": (401, 404, 403, 202),
    "POST documents/<document_id>/retry": (401, 404, 403, 202),
    "POST documents/<document_id>/reparse": (401, 404, 403, 202),
    "GET documents/<document_id>/versions": (401, 404, 200, 200),
    "GET documents/<document_id>/file": (401, 404, 200, 200),
    "GET documents/<document_id>/pages/<page>": (401, 404, 404, 404),
    # Nothing of theirs is deleted; test_api_erasures.py has what is.
    "GET erasures/<document_id>": (401, 404, 404, 404),
    "POST audit": (401, 403, 403, 200),
    "POST search": (401, 404, 200, 200),
    "POST ask": (401, 404, 200, 200),
    "GET answers/<answer_id>/feedback": (401, 404, 200, 404),
    "PUT answers/<answer_id>/feedback": (401, 404, 200, 404),
    "DELETE answers/<answer_id>/feedback": (401, 404, 204, 404),
    "GET feedback": (401, 403, 403, 200),
    "PATCH feedback/<feedback_id>": (401, 403, 403, 200),
    "GET conversations": (401, 200, 200, 200),
    "GET conversations/<conversation_id>": (401, 404, 200, 404),
    "DELETE conversations/<conversation_id>": (401, 404, 204, 404),
}
# They take a session too, and hold no data; test_api_documentation.py has them.
DOCUMENTATION = {"openapi.json", "docs", "", "unknown"}
# The routes whose address names a thing.
NAMING = [route for route in MATRIX if "<" in route]


def routes() -> Iterator[str]:
    """METHOD address, for everything that `api.urls` serves beside the documentation."""
    addresses = {str(one.pattern) for one in api.urls[0] if isinstance(one, URLPattern)} - DOCUMENTATION
    served = {
        path.removeprefix("/").replace("{", "<").replace("}", ">"): view
        for router in api._get_bound_routers()
        for path, view in router.path_operations.items()
    }
    assert addresses == set(served)
    for address, view in served.items():
        yield from (f"{method} {address}" for operation in view.operations for method in operation.methods)


def test_every_route_has_a_row() -> None:
    assert sorted(routes()) == sorted(MATRIX)


def call(client: Client, route: str, world: World, **ids: object) -> Any:
    """The route's request, well-formed, about the world's visible things unless `ids` name others."""
    method, address = route.split(" ")
    document = world.failed if address.endswith("retry") else world.document
    known = {
        "collection_id": world.handbook.pk,
        "document_id": document.pk,
        "conversation_id": world.conversation.pk,
        "page": 1,
        **_of_the_answer(world),
    } | ids
    for name, value in known.items():
        address = address.replace(f"<{name}>", str(value))
    options = _body(route, collection_id=str(known["collection_id"]))
    send = {"PUT": client.put, "PATCH": client.patch}.get(method, client.post)
    return client.generic(method, f"/api/v1/{address}") if options is None else send(f"/api/v1/{address}", **options)


def _of_the_answer(world: World) -> dict[str, object]:
    """The reader's answer, and what the reader thinks of it."""
    answer = world.conversation.messages.get(role=Role.ANSWER)
    given, _ = Feedback.objects.get_or_create(message=answer, author=world.reader.user, defaults={"thumb": "up"})
    return {"answer_id": answer.pk, "feedback_id": given.pk}


def _body(route: str, *, collection_id: str) -> dict[str, Any] | None:
    if route == "POST collections/<collection_id>/documents":
        return {"data": {"file": SimpleUploadedFile("new.txt", b"new")}}
    bodies = {
        "POST collections": {"name": "New"},
        "POST audit": {},
        "POST documents/<document_id>/reparse": {},
        "PUT answers/<answer_id>/feedback": {"thumb": "up"},
        "PATCH feedback/<feedback_id>": {"state": "seen"},
        "POST search": {"query": "leave", "collection_ids": [collection_id]},
        "POST ask": {"question": "How long?", "collection_ids": [collection_id]},
    }
    return {"data": bodies[route], "content_type": "application/json"} if route in bodies else None


@pytest.mark.parametrize("route", MATRIX)
def test_nobody_is_refused(route: str, world: World) -> None:
    response = call(Client(), route, world)
    assert response.status_code == MATRIX[route][0]
    assert response.json()["error"]["code"] == "not_signed_in"
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", MATRIX)
def test_one_who_reads_nothing_sees_nothing(route: str, world: World) -> None:
    assert call(world.outsider.client, route, world).status_code == MATRIX[route][1]


@pytest.mark.parametrize("route", MATRIX)
def test_a_reader_reads_and_no_more(route: str, world: World, script: Callable[..., Any]) -> None:
    script(["Twelve weeks [1]."])
    assert call(world.reader.client, route, world).status_code == MATRIX[route][2]


@pytest.mark.parametrize("route", MATRIX)
def test_an_admin_governs_but_reads_no_conversation(route: str, world: World, script: Callable[..., Any]) -> None:
    script(["Twelve weeks [1]."])
    assert call(world.admin.client, route, world).status_code == MATRIX[route][3]


@pytest.mark.parametrize("route", MATRIX)
def test_a_session_opens_no_route(route: str, world: World) -> None:
    client = Client()
    client.force_login(world.admin.user)
    assert call(client, route, world).status_code == 401


@pytest.mark.parametrize("route", MATRIX)
def test_a_suspended_admins_key_opens_no_route(route: str, world: World) -> None:
    world.admin.user.is_active = False
    world.admin.user.save()
    assert call(world.admin.client, route, world).status_code == 401


@pytest.mark.parametrize("route", MATRIX)
def test_a_revoked_key_opens_no_route(route: str, world: World) -> None:
    ApiKey.objects.filter(user=world.admin.user).delete()
    assert call(world.admin.client, route, world).status_code == 401


@pytest.mark.parametrize("route", NAMING)
def test_hidden_absent_and_malformed_ids_are_told_alike(route: str, world: World) -> None:
    hidden: dict[str, object] = {"collection_id": world.vault.pk, "document_id": world.hidden.pk}
    if "conversation_id" in route:
        hidden = {"conversation_id": world.conversation.pk}
    hidden |= {name: key for name, key in _of_the_answer(world).items() if name in route}
    client = world.outsider.client
    answers = [
        call(client, route, world, **ids)
        for ids in (hidden, dict.fromkeys(hidden, uuid4()), dict.fromkeys(hidden, "no-uuid"))
    ]
    assert [answer.status_code for answer in answers] == [MATRIX[route][1]] * 3
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    "header", ["", "rag_x", "Basic rag_x", "Bearer", "Bearer ", "Bearer rag_unknown", "Bearer \xff"]
)
def test_no_other_credential_is_taken(header: str, world: World) -> None:
    response = Client(headers={"authorization": header}).get("/api/v1/me")
    assert response.status_code == 401


@pytest.mark.parametrize("carrier", ["HTTP_X_API_KEY", "HTTP_REMOTE_USER", "REMOTE_USER", "HTTP_COOKIE"])
def test_the_key_is_taken_from_no_other_place(carrier: str, world: World) -> None:
    secret = world.admin.secret
    response = Client(**{carrier: secret}).get(f"/api/v1/me?key={secret}&authorization=Bearer+{secret}")  # type: ignore[arg-type]
    assert response.status_code == 401
