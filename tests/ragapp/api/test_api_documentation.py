"""The schema is true and whole, and its page works under the policy of every other page."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from ragapp.errors import ERRORS
from tests.ragapp.api.world import World


@pytest.fixture
def schema(world: World) -> Any:
    response = world.reader.client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.json()


def operations(schema: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in schema["paths"].items():
        yield from ((f"{method.upper()} {path}", operation) for method, operation in methods.items())


def test_the_schema_is_for_who_signs_in_or_has_a_key(world: World) -> None:
    assert Client().get("/api/v1/openapi.json").json()["error"]["code"] == "not_signed_in"
    page = Client().get("/api/v1/docs")
    assert page.status_code == 302
    client = Client()
    client.force_login(world.reader.user)
    assert client.get("/api/v1/docs").status_code == 200
    assert client.get("/api/v1/openapi.json").status_code == 200


def test_every_reference_points_at_something(schema: Any) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield from [value] if key == "$ref" else references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = set(references(schema))
    assert found
    for reference in found:
        node = schema
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_route_says_what_it_does_and_how_it_fails(schema: Any) -> None:
    for route, operation in operations(schema):
        assert operation["description"], route
        assert operation["security"] == [{"ApiKeyAuth": []}], route
        assert {"401", "500"} <= set(operation["responses"]), route
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}, route
            assert content["examples"], route
            assert set(content["examples"]) <= set(ERRORS), route


def test_every_id_of_an_operation_is_its_own(schema: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(schema)]
    assert len(ids) == len(set(ids))


def test_the_schema_names_the_key(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["ApiKeyAuth"]["scheme"] == "bearer"


def test_requests_are_closed_in_the_schema_too(schema: Any) -> None:
    for name in ("CollectionIn", "SearchIn", "AskIn"):
        assert schema["components"]["schemas"][name]["additionalProperties"] is False
        assert schema["components"]["schemas"][name]["examples"]


def test_the_page_loads_only_files_of_this_site_and_no_inline_script(world: World) -> None:
    client = Client()
    client.force_login(world.reader.user)
    response = client.get("/api/v1/docs")
    page = response.content.decode()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert "application/json" in attributes or not content.strip()
    assert "unsafe-inline" not in response["Content-Security-Policy"]
