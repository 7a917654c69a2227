"""The picture of a page: real drawings, for those who may read the document, and errors that are pages."""

import io
import struct
from uuid import uuid4

import pytest
from django.urls import reverse
from reportlab.pdfgen.canvas import Canvas

from ingestion.models import Document, DocumentState
from tests.ragapp.web.world import World, browser_of, document_in, version_in

PDF = "application/pdf"


def pdf_bytes(pages: int = 2) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(300, 400))
    for n in range(pages):
        canvas.drawString(40, 300, f"Page {n + 1}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


@pytest.fixture
def manual(world: World) -> Document:
    return drawn(world, pdf_bytes())


def drawn(world: World, content: bytes, **fields: object) -> Document:
    values: dict[str, object] = {"media_type": PDF, "pages": 2, **fields}
    document = document_in(world.handbook, name="manual.pdf", **values)
    document.versions.all().delete()
    version_in(document, number=1, content=content)
    return document


def url_of(document: Document, page: int = 1) -> str:
    return reverse("web:document_page_image", args=[document.pk, page])


def width_of(png: bytes) -> int:
    return int(struct.unpack(">I", png[16:20])[0])


def test_a_reader_gets_the_page_at_one_of_a_few_widths(world: World, manual: Document) -> None:
    client = browser_of(world.reader)
    response = client.get(url_of(manual), {"width": "300"})
    assert response["Content-Type"] == "image/png"
    assert response["Cache-Control"].startswith("private")
    assert width_of(response.content) == 480
    assert width_of(client.get(url_of(manual, 2), {"width": "99999"}).content) == 1440


def test_a_browser_that_has_the_picture_is_told_so(world: World, manual: Document) -> None:
    client = browser_of(world.reader)
    etag = client.get(url_of(manual))["ETag"]
    again = client.get(url_of(manual), headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url_of(manual, 2), headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("page", [0, 3, 2**40])
def test_a_page_that_is_not_there_is_404(world: World, manual: Document, page: int) -> None:
    assert browser_of(world.reader).get(url_of(manual, page)).status_code == 404


@pytest.mark.parametrize("width", ["", "-1", "x", "0", "9" * 30, "4\x00"])
def test_a_width_that_is_none_is_the_usual_one(world: World, manual: Document, width: str) -> None:
    response = browser_of(world.reader).get(url_of(manual), {"width": width})
    assert width_of(response.content) in {480, 960, 1440}


def test_a_format_without_pages_is_404(world: World) -> None:
    assert browser_of(world.reader).get(url_of(world.leave)).status_code == 404


def test_a_broken_file_is_a_page_that_says_why(world: World) -> None:
    broken = drawn(world, b"%PDF-1.7 nothing else")
    response = browser_of(world.reader).get(url_of(broken))
    assert response.status_code in {404, 422}
    assert "text/html" in response["Content-Type"]


def test_a_file_that_is_gone_is_404(world: World) -> None:
    document = document_in(world.handbook, name="gone.pdf", media_type=PDF, pages=1)
    document.versions.update(file=f"00/{uuid4().hex}")
    assert browser_of(world.reader).get(url_of(document)).status_code == 404


def test_what_a_reader_may_not_read_is_404(world: World, manual: Document) -> None:
    Document.objects.filter(pk=manual.pk).update(collection=world.vault)
    assert browser_of(world.reader).get(url_of(manual)).status_code == 404
    assert browser_of(world.admin).get(url_of(manual)).status_code == 200


def test_a_version_that_is_not_searched_is_an_admins(world: World, manual: Document) -> None:
    version_in(manual, number=2, content=pdf_bytes(1), pages=1)
    Document.objects.filter(pk=manual.pk).update(version=2, state=DocumentState.PROCESSING)
    assert browser_of(world.reader).get(url_of(manual), {"version": "2"}).status_code == 404
    assert browser_of(world.admin).get(url_of(manual), {"version": "2"}).status_code == 200


def test_a_deleted_document_has_no_pages(world: World, manual: Document) -> None:
    Document.objects.filter(pk=manual.pk).update(state=DocumentState.DELETING)
    assert browser_of(world.admin).get(url_of(manual)).status_code == 404
