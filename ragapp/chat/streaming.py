"""An answer as a stream of events: one claim generates and stores, every other reader follows or replays.

No ORM call runs while tokens flow: the row is written once at the end.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async

from ingestion.access import AccessScope
from ragapp.accounts.models import User
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import (
    AnswerEvent,
    AnswerFailed,
    AnswerFinished,
    TextDelta,
)
from ragapp.chat import services
from ragapp.chat.models import AnswerState, Message

logger = logging.getLogger(__name__)

_FOLLOW_EVERY_S = 0.5


@dataclass(frozen=True)
class _Generation:
    """A running answer: its stop signal and the loop that it must be set from."""

    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event


_running: dict[UUID, _Generation] = {}


async def answer_events(
    answer_id: UUID | str, *, owner: User, answerer: Answerer, scope: AccessScope
) -> AsyncGenerator[AnswerEvent, None]:
    """Generate the pending answer, or wait for the one who does. The last event is stored when it is yielded.

    A reader who finds the answer claimed gets no deltas: the stream ends once it is settled, and the reader shows
    the stored message. Raises AnswerNotFoundError.
    """
    answer = await sync_to_async(services.answer_get)(answer_id, owner=owner)
    if not await sync_to_async(services.answer_claim)(answer.pk):
        await _settled(answer.pk)
        return
    question = await sync_to_async(services.question_of)(answer)
    async with aclosing(_generate(answer, question.text, answerer=answerer, scope=scope)) as events:
        async for event in events:
            yield event


def request_stop(answer_id: UUID) -> bool:
    """Ask the generation to stop, where it runs in this process. May be called from any thread."""
    generation = _running.get(answer_id)
    if generation is None:
        return False
    generation.loop.call_soon_threadsafe(generation.stop.set)
    return True


async def _generate(
    answer: Message, question: str, *, answerer: Answerer, scope: AccessScope
) -> AsyncGenerator[AnswerEvent, None]:
    text: list[str] = []
    stop = asyncio.Event()
    _running[answer.pk] = _Generation(loop=asyncio.get_running_loop(), stop=stop)
    settled = False
    try:
        async with aclosing(answerer.answer(question, scope=scope)) as events:
            async for event in _until(stop, events):
                if isinstance(event, TextDelta):
                    text.append(event.text)
                elif isinstance(event, AnswerFinished | AnswerFailed):
                    await _store(answer.pk, event)
                    settled = True
                yield event
    finally:
        _running.pop(answer.pk, None)
        if not settled:
            # Also on cancellation, when the tab is closed: what was written so far is kept.
            await asyncio.shield(sync_to_async(services.answer_stop)(answer.pk, text="".join(text)))


async def _until(stop: asyncio.Event, events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[AnswerEvent]:
    """The events until `stop` is set, which also ends the wait for a first token that is long in coming."""
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(events, None))
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            event = following.result()
            if event is None or stopped.done():
                return
            yield event
    finally:
        stopped.cancel()
        if not following.done():
            following.cancel()
            await asyncio.wait({following})


async def _store(answer_id: UUID, event: AnswerFinished | AnswerFailed) -> None:
    if isinstance(event, AnswerFinished):
        await sync_to_async(services.answer_finish)(answer_id, event)
    else:
        await sync_to_async(services.answer_fail)(answer_id, code=event.code, text=event.text)


async def _settled(answer_id: UUID) -> None:
    """Wait until whoever claimed the answer has settled it."""
    # Another process may hold the claim, so only SQL knows.
    while await sync_to_async(_is_streaming)(answer_id):  # noqa: ASYNC110
        await asyncio.sleep(_FOLLOW_EVERY_S)


def _is_streaming(answer_id: UUID) -> bool:
    services.answers_expire()
    return Message.objects.filter(pk=answer_id, state=AnswerState.STREAMING).exists()
