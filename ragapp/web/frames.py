"""Answer events as server-sent HTML frames. Knows no database: the final article comes from its caller.

| frame | swapped into | content |
|---|---|---|
| restart | the text, which it empties at every (re)connection | a comment: an event without data is none |
| status | the status line | what is going on, in words |
| delta | appended to the text | the next piece, escaped |
| done | the whole article; the browser closes the stream | the stored answer, rendered |
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from django.utils.html import escape

from ragapp.answering.base import AnswerEvent, SourcesFound, TextDelta

KEEP_ALIVE_S = 10.0
# Redrawing more often than this is work for the browser and noise for a screen reader.
REDRAW_S = 0.05
KEEP_ALIVE = ": keep-alive\n\n"
EMPTY = "<!-- -->"
SEARCHING = "Searching your documents…"
MODEL_LOADING = "The model is loading…"
WRITING = "Writing…"

_LINE_END = re.compile(r"\r\n|\r|\n")


def frame(event: str, html: str) -> str:
    """One server-sent event. A line break in the content becomes a further data line."""
    data = "".join(f"data: {line}\n" for line in _LINE_END.split(html))
    return f"event: {event}\n{data}\n"


async def frames(
    events: AsyncIterator[AnswerEvent],
    *,
    final: Callable[[], Awaitable[str]],
    model_is_ready: Callable[[], Awaitable[bool]],
    keep_alive_s: float = KEEP_ALIVE_S,
) -> AsyncGenerator[str, None]:
    """The frames of an answer. Closing this iterator cancels the events, and waits until they have cleaned up."""
    yield frame("restart", EMPTY) + frame("status", SEARCHING)
    writing = False
    async with aclosing(_batches(events, keep_alive_s=keep_alive_s)) as batches:
        async for batch in batches:
            if not batch:
                ready = writing or await model_is_ready()
                yield KEEP_ALIVE if ready else frame("status", MODEL_LOADING)
            for event in batch:
                if isinstance(event, SourcesFound):
                    yield frame("status", _reading(len(event.passages)))
            text = "".join(event.text for event in batch if isinstance(event, TextDelta))
            if text and not writing:
                writing = True
                yield frame("status", WRITING)
            if text:
                yield frame("delta", escape(text))
    yield frame("done", await final())


def _reading(count: int) -> str:
    return f"Reading {count} passage{'' if count == 1 else 's'}…"


async def _batches(
    events: AsyncIterator[AnswerEvent], *, keep_alive_s: float
) -> AsyncGenerator[list[AnswerEvent], None]:
    """Events in groups of at most one redraw; an empty group after each silence of `keep_alive_s`.

    The events are pulled by one task from first to last: a timeout must never cancel a step half-way.
    """
    queue: asyncio.Queue[AnswerEvent | None] = asyncio.Queue()
    pump = asyncio.create_task(_pump(events, queue))
    try:
        ended = False
        while not ended:
            try:
                batch = [await asyncio.wait_for(queue.get(), keep_alive_s)]
            except TimeoutError:
                yield []
                continue
            if isinstance(batch[0], TextDelta):
                await asyncio.sleep(REDRAW_S)
            while not queue.empty():
                batch.append(queue.get_nowait())
            ended = batch[-1] is None
            yield [event for event in batch if event is not None]
        await pump
    finally:
        if not pump.done():
            pump.cancel()
            await asyncio.wait({pump})


async def _pump(events: AsyncIterator[AnswerEvent], queue: "asyncio.Queue[AnswerEvent | None]") -> None:
    try:
        async for event in events:
            queue.put_nowait(event)
    finally:
        queue.put_nowait(None)
