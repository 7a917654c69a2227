"""Bodies are bounded before Django sees them, and files of a form lie on disk under a name of ours."""

import asyncio
import json
import tracemalloc
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest
from django.test import RequestFactory

from ragapp import asgi, uploads
from ragapp.uploads import MULTIPART_OVERHEAD_BYTES, SMALL_BODY_BYTES, BodyLimit, DiskUploadHandler

MEGABYTE = 1024 * 1024
FORM = b"multipart/form-data; boundary=x"
JSON = b"application/json"
UPLOAD = "/api/v1/collections/1/documents"


class Connection:
    """A client that sends `blocks` blocks of a megabyte and then waits, and what it was told."""

    def __init__(
        self, blocks: int, *, content_type: bytes, length: int | None = None, path: str = UPLOAD, known: bool = True
    ) -> None:
        self._left = blocks
        self._block = b"x" * MEGABYTE
        self.taken = 0
        self.sent: list[dict[str, Any]] = []
        headers = [(b"content-type", content_type)]
        if known:
            headers.append((b"authorization", b"Bearer rag_x"))
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        self.scope = {"type": "http", "path": path, "headers": headers}

    async def receive(self) -> dict[str, Any]:
        if self._left == 0:
            return {"type": "http.disconnect"}
        self._left -= 1
        self.taken += 1
        return {"type": "http.request", "body": self._block, "more_body": self._left > 0}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


class Reader:
    """An application that reads the whole body, as Django does, and answers 200."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.read += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


async def served(connection: Connection, *, limit_mb: int = 10) -> Reader:
    reader = Reader()
    application = BodyLimit(reader, max_upload_bytes=limit_mb * MEGABYTE)
    await application(connection.scope, connection.receive, connection.send)
    return reader


async def test_a_declared_length_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    connection = Connection(0, content_type=FORM, length=200 * MEGABYTE)
    reader = await served(connection)
    assert (connection.status, reader.read) == (413, 0)
    assert json.loads(connection.body)["error"]["code"] == "upload_too_large"


async def test_an_undeclared_body_is_refused_at_the_block_that_crosses_the_limit() -> None:
    connection = Connection(200, content_type=FORM)
    reader = await served(connection, limit_mb=10)
    assert connection.status == 413
    assert reader.read == 10 * MEGABYTE + MULTIPART_OVERHEAD_BYTES


async def test_memory_stays_flat_whatever_comes() -> None:
    tracemalloc.start()
    try:
        await served(Connection(200, content_type=FORM), limit_mb=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEGABYTE


async def test_a_body_under_the_limit_passes_unchanged() -> None:
    connection = Connection(10, content_type=FORM, length=10 * MEGABYTE)
    reader = await served(connection, limit_mb=10)
    assert (connection.status, reader.read) == (200, 10 * MEGABYTE)


@pytest.mark.parametrize(("path", "known"), [("/healthz", True), ("/api/v1/ask", True), (UPLOAD, False)])
async def test_only_where_files_go_and_from_who_seems_known_is_the_limit_large(path: str, known: bool) -> None:
    connection = Connection(5, content_type=FORM, path=path, known=known)
    reader = await served(connection)
    assert (connection.status, reader.read) == (413, SMALL_BODY_BYTES)


async def test_a_body_that_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BODY_SILENCE_S", 0.05)
    connection = Connection(1, content_type=FORM)

    async def never() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await BodyLimit(Reader(), max_upload_bytes=MEGABYTE)(connection.scope, never, connection.send)
    assert connection.status == 408


async def test_waiting_for_the_client_to_leave_takes_as_long_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BODY_SILENCE_S", 0.05)
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    left = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        left.append((await receive())["type"])

    connection = Connection(0, content_type=FORM)
    await BodyLimit(application, max_upload_bytes=MEGABYTE)(connection.scope, receive, connection.send)
    assert left == ["http.disconnect"]


async def test_what_is_no_form_has_a_small_limit() -> None:
    connection = Connection(5, content_type=JSON)
    reader = await served(connection)
    assert connection.status == 413
    assert reader.read == SMALL_BODY_BYTES


@pytest.mark.parametrize(
    ("path", "content_type"), [(UPLOAD, b"application/json"), ("/documents/upload", b"text/plain")]
)
async def test_the_refusal_suits_who_asks(path: str, content_type: bytes) -> None:
    connection = Connection(0, content_type=FORM, length=200 * MEGABYTE, path=path)
    await served(connection)
    headers = dict(connection.sent[0]["headers"])
    assert headers[b"content-type"].startswith(content_type)
    assert headers[b"connection"] == b"close"


async def test_a_refused_client_that_never_ends_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LINGER_S", 0.2)
    connection = Connection(-1, content_type=FORM)

    async def slowly() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x" * MEGABYTE, "more_body": True}

    async with asyncio.timeout(10):
        await BodyLimit(Reader(), max_upload_bytes=MEGABYTE)(connection.scope, slowly, connection.send)
    assert connection.status == 413


async def test_a_refused_client_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.05)
    connection = Connection(0, content_type=FORM, length=200 * MEGABYTE)

    async def never() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await BodyLimit(Reader(), max_upload_bytes=MEGABYTE)(connection.scope, never, connection.send)
    assert connection.status == 413


async def test_other_protocols_pass() -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await BodyLimit(application, max_upload_bytes=1)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@pytest.mark.parametrize(("name", "kept"), [("a.txt", "a.txt"), ("x." + "y" * 300, "." + "y" * 254)])
def test_a_file_of_a_form_lies_on_disk_under_a_name_of_ours(name: str, kept: str) -> None:
    request = form(name)
    request.upload_handlers = [DiskUploadHandler(request)]
    file = request.FILES["file"]
    assert isinstance(file, TemporaryUploadedFile)
    assert file.name == kept
    assert file.temporary_file_path().endswith(".upload")
    assert file.read() == b"content"
    file.close()


def test_the_application_uses_both() -> None:
    application: object = asgi.application
    assert isinstance(application, BodyLimit)
    assert settings.FILE_UPLOAD_HANDLERS == ["ragapp.uploads.DiskUploadHandler"]


def form(name: str) -> HttpRequest:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return RequestFactory().generic(
        "POST", "/", head.encode() + b"content\r\n--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
