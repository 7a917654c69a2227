"""The picture of a page over the API: drawn for who may read it, and every error in JSON."""

import io
import struct
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from ingestion.models import Document
from ingestion.services import document_submit
from tests.ragapp.api.world import World


@pytest.fixture
def manual(world: World) -> Document:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(300, 400))
    canvas.drawString(40, 300, "Page 1")
    canvas.save()
    return submitted(world, buffer.getvalue())


def submitted(world: World, content: bytes) -> Document:
    document = document_submit(
        collection=world.handbook, name="manual.pdf", content=[content], uploaded_by=None
    ).document
    document.versions.update(media_type="application/pdf", pages=1)
    return document


def get(world: World, document: Document, page: object = 1, query: str = "", **headers: str) -> Any:
    return world.reader.client.get(f"/api/v1/documents/{document.pk}/pages/{page}{query}", headers=headers)


def test_a_page_comes_as_a_png_that_is_kept_by_its_tag(world: World, manual: Document) -> None:
    response = get(world, manual, query="?width=100")
    assert response["Content-Type"] == "image/png"
    assert struct.unpack(">I", response.content[16:20]) == (480,)
    assert response["Cache-Control"] == "private, no-cache"
    again = get(world, manual, query="?width=100", **{"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("page", ["0", "2", "x", "9" * 40, "-1", "1.5"])
def test_a_page_that_is_not_there_is_404(world: World, manual: Document, page: str) -> None:
    response = get(world, manual, page)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "page_not_found"


def test_a_version_that_is_not_there_is_404(world: World, manual: Document) -> None:
    assert get(world, manual, query="?version=7").json()["error"]["code"] == "version_not_found"


@pytest.mark.parametrize("query", ["?width=0", "?width=x", "?version=0", "?version=99999999999999"])
def test_nonsense_is_told_as_such(world: World, manual: Document, query: str) -> None:
    assert get(world, manual, query=query).json()["error"]["code"] == "invalid_request"


def test_a_broken_file_is_an_error_of_the_file(world: World) -> None:
    response = get(world, submitted(world, b"%PDF-1.7 nothing else"))
    assert response.status_code in {404, 422}
    assert response.json()["error"]["code"] in {"damaged_document", "page_not_found", "parser_crashed"}


def test_a_hidden_document_has_no_pages(world: World, manual: Document) -> None:
    response = world.outsider.client.get(f"/api/v1/documents/{manual.pk}/pages/1")
    assert response.json()["error"]["code"] == "document_not_found"
