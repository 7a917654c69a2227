"""Server-sent events (WHATWG HTML, section 9.2): frames, and signs of life between them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from django.http import StreamingHttpResponse

CONTENT_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
# Below the 15 s after which the strictest of the usual proxies ends a silent response.
KEEP_ALIVE_S = 10.0


def frame(event: str, data: Mapping[str, Any]) -> bytes:
    """One event with JSON data. JSON has no raw line ends, so one data line holds it."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def event_stream(frames: AsyncGenerator[bytes, None]) -> StreamingHttpResponse:
    """The frames as a response that no proxy holds back."""
    response = StreamingHttpResponse(kept_alive(frames, every_s=KEEP_ALIVE_S), content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def kept_alive(frames: AsyncGenerator[bytes, None], *, every_s: float) -> AsyncGenerator[bytes, None]:
    """The frames, and a comment wherever none came for `every_s`. Ended early, it ends them before it returns."""
    following: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(frames, None))
            await asyncio.wait({following}, timeout=every_s)
            if not following.done():
                yield KEEP_ALIVE
                continue
            ready, following = following.result(), None
            if ready is None:
                return
            yield ready
    finally:
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait({following})
        await frames.aclose()
