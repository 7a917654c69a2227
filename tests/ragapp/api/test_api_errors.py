"""One body for every error, and nothing of the inside or of the input in it."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from ragapp import wiring
from ragapp.api.schemas import PersonOut
from ragapp.gateway.errors import ChatModelBusyError
from tests.ragapp.api.world import World

SECRET = "hunter2-do-not-repeat"


def error_of(response: Any, *, status: int, code: str) -> dict[str, Any]:
    """The error, after its shape and status are checked."""
    assert response.status_code == status, response.content
    assert response["Content-Type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert error["code"] == code
    assert isinstance(error["message"], str)
    assert isinstance(error["retryable"], bool)
    assert set(error) <= {"code", "message", "retryable", "details"}
    return error


def post(client: Client, address: str, body: object) -> Any:
    """JSON, or bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body)
    return client.post(f"/api/v1/{address}", data=data, content_type="application/json")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 100_000, b'{"query": ' + b"9" * 5_000 + b"}"],
)
def test_a_body_that_is_no_object_of_ours_is_refused(body: bytes, world: World) -> None:
    error = error_of(post(world.reader.client, "search", body), status=422, code="invalid_request")
    assert error["details"]


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        ("search", {}, "query"),
        ("search", {"query": ""}, "query"),
        ("search", {"query": 5}, "query"),
        ("search", {"query": "x" * 4_001}, "query"),
        ("search", {"query": "a\x00b"}, "query"),
        ("search", {"query": "\ud800"}, "query"),
        ("search", {"query": "x", "limit": 0}, "limit"),
        ("search", {"query": "x", "limit": 51}, "limit"),
        ("search", {"query": "x", "limit": "5"}, "limit"),
        ("search", {"query": "x", "limit": True}, "limit"),
        ("search", {"query": "x", "collection_ids": []}, "collection_ids"),
        ("search", {"query": "x", "collection_ids": [5]}, "collection_ids.0"),
        ("ask", {"question": 5}, "question"),
        ("ask", {"question": "x", "stream": "yes"}, "stream"),
        ("collections", {"name": "  "}, "name"),
        ("collections", {"name": "a\nb"}, "name"),
        ("collections", {"name": "x" * 101}, "name"),
        ("collections", {"name": "x", "label": "secret"}, "label"),
        ("collections", {"name": "x", "groups": ["nobody"]}, "groups.0"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(address: str, body: dict[str, Any], field: str, world: World) -> None:
    error = error_of(post(world.admin.client, address, body), status=422, code="invalid_request")
    assert [detail["field"] for detail in error["details"]] == [field]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("collections", {"name": "x", "id": 1, "owner": 1}),
        ("search", {"query": "x", "filter": {}, "scope": "all"}),
        ("ask", {"question": "x", "model": "gpt", "api_base": "http://127.0.0.1", "user": "ada", "is_staff": True}),
    ],
)
def test_a_field_that_is_not_offered_is_refused(address: str, body: dict[str, Any], world: World) -> None:
    error = error_of(post(world.admin.client, address, body), status=422, code="invalid_request")
    assert {detail["field"] for detail in error["details"]} == set(list(body)[1:])


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"a": SECRET}},
        {"query": "x", "limit": SECRET},
        {"query": "x", "collection_ids": SECRET},
        {"query": "x", "unknown": SECRET},
    ],
)
def test_what_was_sent_is_not_repeated(body: dict[str, Any], world: World) -> None:
    response = post(world.reader.client, "search", body)
    assert response.status_code == 422
    assert SECRET not in response.content.decode()


def test_many_mistakes_give_a_bounded_answer(world: World) -> None:
    body = {"query": "x"} | {f"{'long' * 100}{number}": 1 for number in range(1_000)}
    response = post(world.reader.client, "search", body)
    assert response.status_code == 422
    assert len(response.content) < 10_000


def test_json_over_a_megabyte_is_refused(world: World) -> None:
    body = {"query": "x" * 2_000_000}
    error_of(post(world.reader.client, "search", body), status=413, code="request_too_large")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1", "offset=99999999999999999999"])
def test_paging_is_bounded(query: str, world: World) -> None:
    response = world.reader.client.get(f"/api/v1/conversations?{query}")
    error = error_of(response, status=422, code="invalid_request")
    assert [detail["field"] for detail in error["details"]] == [query.split("=")[0]]


def test_an_unknown_address_is_json(world: World) -> None:
    for address in ("", "nothing", "collections/", "documents/a/b/c", "%00"):
        error_of(world.reader.client.get(f"/api/v1/{address}"), status=404, code="not_found")


@pytest.mark.parametrize(("method", "address"), [("PUT", "collections"), ("GET", "ask"), ("PATCH", "me")])
def test_a_wrong_method_is_json(method: str, address: str, world: World) -> None:
    response = world.reader.client.generic(method, f"/api/v1/{address}")
    error_of(response, status=405, code="method_not_allowed")
    assert response["Allow"]


def test_what_nobody_foresaw_shows_nothing_of_the_inside(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise DatabaseError(f"password={SECRET}")

    monkeypatch.setattr(PersonOut, "of", lambda user: broken())
    with caplog.at_level(logging.ERROR):
        response = world.reader.client.get("/api/v1/me")
    error_of(response, status=500, code="internal_error")
    assert SECRET not in response.content.decode()
    assert "GET /api/v1/me" in caplog.text


def test_a_part_that_is_down_says_when_to_come_back(
    world: World, script: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise ChatModelBusyError("full")

    monkeypatch.setattr(wiring, "search", busy)
    response = post(world.reader.client, "search", {"query": "x"})
    assert error_of(response, status=503, code="model_busy")["retryable"] is True
    assert int(response["Retry-After"]) > 0


def test_answers_are_kept_by_no_cache(world: World) -> None:
    assert world.reader.client.get("/api/v1/me")["Cache-Control"] == "no-store"
    assert Client().get("/api/v1/me")["Cache-Control"] == "no-store"
