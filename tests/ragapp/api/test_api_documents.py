"""Documents over the API: handed in, watched, retried, deleted, and given back."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from ingestion.models import Document, DocumentState, Label
from ingestion.selectors import document_path
from tests.ragapp.api.world import World

BOUNDARY = MULTIPART_CONTENT.split("boundary=")[1]


def upload(
    client: Client,
    world: World,
    *,
    name: str = "new.txt",
    content: bytes = b"new",
    fields: dict[str, str] | None = None,
) -> Any:
    address = f"/api/v1/collections/{world.handbook.pk}/documents"
    return client.post(address, data={"file": SimpleUploadedFile(name, content), **(fields or {})})


def parts(client: Client, world: World, disposition: Iterable[str], *, content: bytes = b"new") -> Any:
    """A form written by hand: one part per disposition."""
    body = b""
    for one in disposition:
        body += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {one}\r\n\r\n".encode() + content + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    address = f"/api/v1/collections/{world.handbook.pk}/documents"
    return client.generic("POST", address, body, content_type=MULTIPART_CONTENT)


def test_an_upload_is_accepted_and_says_where_to_look(world: World) -> None:
    response = upload(world.admin.client, world)
    assert response.status_code == 202
    body = response.json()
    assert body["state"] == "queued"
    assert body["name"] == "new.txt"
    assert body["label"] == "internal"
    assert response["Location"] == f"/api/v1/documents/{body['id']}"
    assert world.admin.client.get(response["Location"]).json()["id"] == body["id"]


def test_the_same_bytes_again_are_the_same_document(world: World) -> None:
    first = upload(world.admin.client, world)
    second = upload(world.admin.client, world, name="other.txt")
    assert second.status_code == 200
    assert second.json()["id"] == first.json()["id"]


def test_a_label_may_be_raised(world: World) -> None:
    response = upload(world.admin.client, world, fields={"label": "restricted"})
    assert response.json()["label"] == "restricted"
    assert Document.objects.get(pk=response.json()["id"]).label == Label.RESTRICTED


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"label": "secret"}, "label"), ({"uploaded_by": "x"}, "uploaded_by"), ({"label": ""}, "label")],
)
def test_a_field_of_the_form_that_is_not_offered_is_refused(fields: dict[str, str], field: str, world: World) -> None:
    before = Document.objects.count()
    response = upload(world.admin.client, world, fields=fields)
    assert response.status_code == 422
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]
    assert Document.objects.count() == before


@pytest.mark.parametrize(
    "disposition",
    [
        [],
        ['name="label"'],
        ['name="file"; filename=""'],
        ['name="other"; filename="a.txt"'],
        ['name="file"; filename="a.txt"', 'name="file"; filename="b.txt"'],
        ['name="file"; filename="a.txt"', 'name="more"; filename="b.txt"'],
    ],
)
def test_anything_but_one_file_is_refused(disposition: list[str], world: World) -> None:
    before = Document.objects.count()
    response = parts(world.admin.client, world, disposition)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_request"
    assert Document.objects.count() == before


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=\x01", "text/plain", ""]
)
def test_a_body_that_is_no_form_is_refused(content_type: str, world: World) -> None:
    address = f"/api/v1/collections/{world.handbook.pk}/documents"
    response = world.admin.client.generic("POST", address, b"--x\r\n\r\n", content_type=content_type)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_request"


def test_an_empty_file_is_told_as_such(world: World) -> None:
    response = upload(world.admin.client, world, content=b"")
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "empty_document"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>" * 12 + ".txt",
        "x." + "y" * 300,
        "../../etc/passwd",
        'a"b\\\\c.txt',
        "\u202egpj.exe",
        "名前.pdf",
    ],
)
def test_a_hostile_name_is_stored_as_text_or_refused(name: str, world: World) -> None:
    response = parts(world.admin.client, world, [f'name="file"; filename="{name}"'], content=b"n" * 2_000_000)
    assert response.status_code == 202, response.content
    stored = response.json()["name"]
    assert 0 < len(stored) <= 255
    assert "/" not in stored
    original = world.admin.client.get(f"/api/v1/documents/{response.json()['id']}/file")
    assert "\n" not in original["Content-Disposition"]


def test_a_file_over_the_limit_leaves_nothing(world: World, settings: Any) -> None:
    settings.INGESTION = settings.INGESTION.model_copy(update={"max_upload_bytes": 1_000})
    before = Document.objects.count()
    response = upload(world.admin.client, world, content=b"x" * 1_001)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "upload_too_large"
    assert Document.objects.count() == before


def test_a_list_has_pages_and_a_count(world: World) -> None:
    address = f"/api/v1/collections/{world.handbook.pk}/documents"
    body = world.reader.client.get(f"{address}?limit=1").json()
    assert (len(body["items"]), body["count"]) == (1, 2)
    rest = world.reader.client.get(f"{address}?limit=1&offset=1").json()
    assert {body["items"][0]["id"], rest["items"][0]["id"]} == {str(world.document.pk), str(world.failed.pk)}


def test_a_list_filters_by_state(world: World) -> None:
    address = f"/api/v1/collections/{world.handbook.pk}/documents"
    body = world.reader.client.get(f"{address}?state=failed").json()
    assert [item["id"] for item in body["items"]] == [str(world.failed.pk)]
    assert world.reader.client.get(f"{address}?state=gone").status_code == 422


def test_a_list_costs_the_same_for_one_and_for_many(world: World, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        upload(world.admin.client, world, content=str(number).encode())
    with django_assert_max_num_queries(8):
        world.reader.client.get(f"/api/v1/collections/{world.handbook.pk}/documents")


def test_a_failed_document_says_why_in_the_words_of_the_table(world: World) -> None:
    error = world.reader.client.get(f"/api/v1/documents/{world.failed.pk}").json()["error"]
    assert error["code"] == "damaged_document"
    assert error["message"]


def test_only_a_failed_document_is_retried(world: World) -> None:
    client = world.admin.client
    again = client.post(f"/api/v1/documents/{world.failed.pk}/retry")
    assert (again.status_code, again.json()["state"], again.json()["error"]) == (202, "queued", None)
    response = client.post(f"/api/v1/documents/{world.document.pk}/retry")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "document_state"


def test_a_deleted_document_is_gone_at_once(world: World) -> None:
    client = world.admin.client
    response = client.delete(f"/api/v1/documents/{world.document.pk}")
    assert (response.status_code, response.json()["state"]) == (202, "deleting")
    assert client.get(f"/api/v1/documents/{world.document.pk}").status_code == 404
    assert client.get(f"/api/v1/documents/{world.document.pk}/file").status_code == 404
    assert client.delete(f"/api/v1/documents/{world.document.pk}").status_code == 404
    listed = client.get(f"/api/v1/collections/{world.handbook.pk}/documents").json()
    assert [item["id"] for item in listed["items"]] == [str(world.failed.pk)]


async def test_the_original_comes_back_as_bytes_to_be_saved(world: World) -> None:
    content = b"<script>alert(1)</script>" * 40_000
    path = await sync_to_async(document_path)(world.document)
    path.write_bytes(content)
    response = await world.reader.send("GET", f"documents/{world.document.pk}/file")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="one.txt"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Length"] == str(len(content))
    assert b"".join([block async for block in response.streaming_content]) == content


def test_access_that_is_taken_away_is_gone_on_the_next_request(world: World) -> None:
    client = world.reader.client
    assert client.get(f"/api/v1/documents/{world.document.pk}").status_code == 200
    world.handbook.groups.clear()
    assert client.get(f"/api/v1/documents/{world.document.pk}").status_code == 404


def test_lists_hold_exactly_what_may_be_read(world: World) -> None:
    for person, expected in (
        (world.outsider, set()),
        (world.reader, {"Handbook"}),
        (world.admin, {"Handbook", "Vault"}),
    ):
        body = person.client.get("/api/v1/collections").json()
        assert {item["name"] for item in body["items"]} == expected
        assert body["count"] == len(expected)


def test_a_collection_is_made_as_asked(world: World) -> None:
    body = {"name": " Legal ", "label": "confidential", "groups": ["staff"]}
    made = world.admin.client.post("/api/v1/collections", data=json.dumps(body), content_type="application/json")
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["label"], made.json()["everyone"]) == ("Legal", "confidential", False)
    assert world.reader.client.get(f"/api/v1/collections/{made.json()['id']}").status_code == 200
    again = world.admin.client.post("/api/v1/collections", data=json.dumps(body), content_type="application/json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "collection_exists")


def test_a_state_of_every_kind_can_be_shown(world: World) -> None:
    for state in (DocumentState.QUEUED, DocumentState.PROCESSING, DocumentState.READY, DocumentState.FAILED):
        Document.objects.filter(pk=world.failed.pk).update(state=state, chunk_count=1, live_version=1)
        assert world.reader.client.get(f"/api/v1/documents/{world.failed.pk}").json()["state"] == state
