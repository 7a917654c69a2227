"""Events become frames that a browser reads back unchanged, and cleaning up is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from ragapp.answering.base import AnswerEvent, AnswerFailed, Passage, SourcesFound, TextDelta
from ragapp.web.frames import frame, frames


@pytest.fixture(autouse=True)
def _database() -> None:
    """None of these needs one."""


def passage(n: int) -> Passage:
    return Passage(chunk_id=str(n), document_id="d", collection_id="c", title="t", text="x", label=0)


async def final() -> str:
    return "<article>done</article>"


async def ready() -> bool:
    return True


async def loading() -> bool:
    return False


async def told(*events: AnswerEvent, pause_s: float = 0.0) -> AsyncIterator[AnswerEvent]:
    for event in events:
        await asyncio.sleep(pause_s)
        yield event


def parsed(stream: str) -> list[tuple[str, str]]:
    """(event, data) as the standard's algorithm reads them."""
    found = []
    for block in stream.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        found += [(name, "\n".join(data)) for name in names]
    return found


@pytest.mark.parametrize("text", ["a", " a ", "a\nb", "\n", "a\r\nb", "\n\n", "data: x\nevent: done"])
def test_a_frame_carries_its_text_unchanged(text: str) -> None:
    assert parsed(frame("delta", text)) == [("delta", text.replace("\r\n", "\n"))]


async def test_an_answer_goes_from_searching_to_done() -> None:
    events = told(
        SourcesFound(asked="How many?", passages=(passage(1), passage(2))), TextDelta("25 "), TextDelta("days")
    )
    seen = parsed("".join([part async for part in frames(events, final=final, model_is_ready=ready)]))
    names = [name for name, _ in seen]
    assert names[:2] == ["restart", "status"]
    assert ("status", "Reading 2 passages…") in seen
    assert "".join(data for name, data in seen if name == "delta") == "25 days"
    assert seen[-1] == ("done", "<article>done</article>")


async def test_markup_in_a_delta_is_escaped() -> None:
    events = told(TextDelta("<img src=x onerror=alert(1)>"))
    stream = "".join([part async for part in frames(events, final=final, model_is_ready=ready)])
    assert "<img" not in stream
    assert "&lt;img" in stream


async def test_a_failed_answer_ends_with_its_article_too() -> None:
    parts = [part async for part in frames(told(AnswerFailed("model_busy")), final=final, model_is_ready=ready)]
    assert parsed(parts[-1])[0][0] == "done"


async def test_a_silence_is_filled_so_that_no_proxy_cuts_the_stream() -> None:
    events = told(TextDelta("a"), pause_s=0.2)
    parts = [part async for part in frames(events, final=final, model_is_ready=ready, keep_alive_s=0.05)]
    assert ": keep-alive\n\n" in parts


async def test_a_silence_while_the_model_loads_says_so() -> None:
    events = told(TextDelta("a"), pause_s=0.2)
    parts = [part async for part in frames(events, final=final, model_is_ready=loading, keep_alive_s=0.05)]
    assert frame("status", "The model is loading…") in parts


async def test_leaving_cancels_the_events_and_waits_for_their_clean_up() -> None:
    cleaned = asyncio.Event()

    async def endless() -> AsyncIterator[AnswerEvent]:
        try:
            while True:
                await asyncio.sleep(0.01)
                yield TextDelta("x")
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    async with aclosing(frames(endless(), final=final, model_is_ready=ready)) as parts:
        async for part in parts:
            if "event: delta" in part:
                break
    assert cleaned.is_set()


async def test_an_error_in_the_events_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[AnswerEvent]:
        yield TextDelta("x")
        raise LookupError

    with pytest.raises(LookupError):
        _ = [part async for part in frames(broken(), final=final, model_is_ready=ready)]
