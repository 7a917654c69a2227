"""Request bodies are bounded while they arrive and lie on disk, never in memory. Knows no view and no model.

Under ASGI Django spools the whole body to a temporary file before any view or upload handler runs, so the bound has
to stand in front of Django: `BodyLimit`. What Django's parser then takes out of the body goes through
`DiskUploadHandler`. The exact size of one file is judged where it is stored, by `document_submit`.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from ragapp.errors import ErrorEntry, entry_for, error_body

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# What a multipart body holds beside its one file: boundaries, part headers, a few small fields.
MULTIPART_OVERHEAD_BYTES = 1024 * 1024
# Everything that is no file: JSON and forms. Django's DATA_UPLOAD_MAX_MEMORY_SIZE has the same number.
SMALL_BODY_BYTES = 1024 * 1024
# A refused client is listened to a little longer, or the reset of its connection would destroy the answer before it
# reads it. The two numbers are nginx's lingering_time and lingering_timeout.
LINGER_S = 30.0
LINGER_SILENCE_S = 5.0
BODY_SILENCE_S = 60.0
_UPLOAD_PATHS = re.compile(r"/documents/upload|/api/v1/collections/[^/]+/documents")


class DiskUploadHandler(TemporaryFileUploadHandler):
    """Every file of a form goes to a temporary file, whose name on disk holds nothing of the client's.

    Django's own handler appends the client's suffix: one of 300 characters is an OSError, and so a server error.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Start the file, with the client's name kept as a value only."""
        super(TemporaryFileUploadHandler, self).new_file(*args, **kwargs)
        self.file = TemporaryUploadedFile("upload", self.content_type, 0, self.charset, self.content_type_extra)
        self.file.name = self.file_name


class BodyLimit:
    """An ASGI application in front of another: a body over its bound is answered with 413 and never passed on.

    | body | bound |
    |---|---|
    | a form, with a cookie or a key, to where files go | `max_upload_bytes` + MULTIPART_OVERHEAD_BYTES |
    | any other | SMALL_BODY_BYTES |

    One that pauses for BODY_SILENCE_S is given up: what has come of it lies on disk as long as it is open.

    A Content-Length over the bound is refused before a byte is read, so that `Expect: 100-continue` spares the client
    the upload; a body without one is refused at the byte that crosses it.
    """

    def __init__(self, app: Application, *, max_upload_bytes: int) -> None:
        self._app = app
        self._multipart_limit = max_upload_bytes + MULTIPART_OVERHEAD_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope)
        if _declared_length(scope) > limit:
            await _refuse(scope, receive, send)
            return
        try:
            await self._app(scope, _bounded(receive, limit=limit), send)
        except _BodySilentError:
            await _answer(send, 408, b"text/plain; charset=utf-8", b"The request stopped coming.")
        except _BodyTooLargeError:
            # Raised out of the application's first reads: it has answered nothing yet.
            await _refuse(scope, receive, send)

    def _limit_of(self, scope: Scope) -> int:
        return self._multipart_limit if _is_upload(scope) else SMALL_BODY_BYTES


class _BodySilentError(Exception):
    """Nothing came for too long."""


class _BodyTooLargeError(Exception):
    """More bytes came than the bound."""


def _bounded(receive: Receive, *, limit: int) -> Receive:
    received, complete = 0, False

    async def bounded() -> Message:
        nonlocal received, complete
        # A complete body is followed by waiting for the client to leave, which may take as long as it likes.
        try:
            message = await (receive() if complete else asyncio.wait_for(receive(), BODY_SILENCE_S))
        except TimeoutError as exc:
            raise _BodySilentError from exc
        complete = not message.get("more_body", False)
        received += len(message.get("body", b""))
        if received > limit:
            raise _BodyTooLargeError
        return message

    return bounded


def _is_upload(scope: Scope) -> bool:
    """Where files go, from somebody who at least claims to be known; who it is, the view finds out."""
    claims = _header(scope, b"cookie") or _header(scope, b"authorization")
    return _is_form(scope) and bool(claims) and bool(_UPLOAD_PATHS.fullmatch(str(scope["path"])))


def _is_form(scope: Scope) -> bool:
    return _header(scope, b"content-type").lower().startswith(b"multipart/form-data")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    entry = entry_for("upload_too_large" if _is_form(scope) else "request_too_large")
    content_type, body = _told(entry, as_json=str(scope["path"]).startswith("/api/"))
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    # The whole answer is on its way; the response stays open, and its connection with it, while the client reads it.
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await _linger(receive)
    await send({"type": "http.response.body", "body": b""})


def _told(entry: ErrorEntry, *, as_json: bool) -> tuple[bytes, bytes]:
    if not as_json:
        return b"text/plain; charset=utf-8", entry.sentence.encode()
    return b"application/json; charset=utf-8", json.dumps(error_body(entry)).encode()


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _linger(receive: Receive) -> None:
    """Drop what the client still sends until it is done, silent or out of time."""
    try:
        async with asyncio.timeout(LINGER_S):
            while True:
                message = await asyncio.wait_for(receive(), LINGER_SILENCE_S)
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _declared_length(scope: Scope) -> int:
    value = _header(scope, b"content-length")
    return int(value) if value.isdigit() else 0


def _header(scope: Scope, name: bytes) -> bytes:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key.lower() == name), b"")
