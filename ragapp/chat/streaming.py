"""An answer as a stream of events: one claim generates and stores; every reader follows it from its beginning.

The generation is a task of its own, so that a reader may leave and come back: a reload shows the same answer growing.
When nobody has come back within RELOAD_GRACE_S it is stopped, the model is free, and what was written is kept.
No ORM call runs while tokens flow: the row is written once at the end.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async

from ingestion.access import AccessScope
from ragapp.accounts.models import User
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import AnswerEvent, AnswerFailed, AnswerFinished, SourcesFound, TextDelta
from ragapp.chat import services
from ragapp.chat.limits import Limits
from ragapp.chat.models import AnswerState, Message
from ragapp.connections import refresh_connection

logger = logging.getLogger(__name__)

RELOAD_GRACE_S = 4.0
_FOLLOW_EVERY_S = 0.5

P = ParamSpec("P")
T = TypeVar("T")


async def answer_events(
    answer_id: UUID | str, *, owner: User, answerer: Answerer, scope: AccessScope
) -> AsyncGenerator[AnswerEvent, None]:
    """The events of an answer, from its first on; the last one is stored before it is told.

    A reader of an answer that is settled, or that another process generates, gets no events: the stream ends once it
    is settled, and the reader shows the stored message. Raises AnswerNotFoundError.
    """
    answer = await sync_to_async(services.answer_get)(answer_id, owner=owner)
    question = await sync_to_async(services.question_of)(answer)
    limits = Limits.stored_in(question)
    # Also of the history: the prefix cache is salted by what may be in a prompt.
    within = limits.scope_within(scope)
    history = await sync_to_async(services.history_before)(question, scope=within)
    told = answerer.answer(question.text, scope=within, history=history, conditions=limits.conditions)
    # Shielded: a reader who leaves between the two must not leave a claim without a generation.
    await asyncio.shield(_claim_and_start(answer.pk, told, [turn.answer_id for turn in history if turn.answer_id]))
    generation = await _found(answer.pk)
    if generation is None:
        return
    async with aclosing(generation.follow()) as events:
        async for event in events:
            yield event


def request_stop(answer_id: UUID) -> bool:
    """Ask the generation to stop, where it runs in this process. May be called from any thread."""
    generation = _running.get(answer_id)
    if generation is None:
        return False
    generation.loop.call_soon_threadsafe(generation.stop.set)
    return True


class _Generation:
    """A running answer: what it told so far, who reads it, and its stop signal. Belongs to one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._told: list[AnswerEvent] = []
        self._over = False
        self._news = asyncio.Condition()
        self._readers = 0
        # Whoever started it may be gone already.
        self._abandoned: asyncio.TimerHandle | None = self.loop.call_later(RELOAD_GRACE_S, self.stop.set)

    async def tell(self, event: AnswerEvent) -> None:
        """Add an event."""
        async with self._news:
            self._told.append(event)
            self._news.notify_all()

    async def end(self) -> None:
        """Nothing more will be told."""
        async with self._news:
            self._over = True
            self._news.notify_all()

    async def follow(self) -> AsyncGenerator[AnswerEvent, None]:
        """Every event from the first to the last."""
        self._arrive()
        seen = 0
        try:
            while not (self._over and seen == len(self._told)):
                async with self._news:
                    while len(self._told) == seen and not self._over:
                        await self._news.wait()
                for event in self._told[seen:]:
                    seen += 1
                    yield event
        finally:
            self._leave()

    def _arrive(self) -> None:
        self._readers += 1
        if self._abandoned is not None:
            self._abandoned.cancel()
            self._abandoned = None

    def _leave(self) -> None:
        self._readers -= 1
        if self._readers == 0 and not self._over:
            self._abandoned = self.loop.call_later(RELOAD_GRACE_S, self.stop.set)


_running: dict[UUID, _Generation] = {}


async def _claim_and_start(answer_id: UUID, events: AsyncGenerator[AnswerEvent, None], rests_on: list[UUID]) -> None:
    # Nothing is awaited between claim and start: a second reader of this process finds the generation.
    if await sync_to_async(services.answer_claim)(answer_id):
        _start(answer_id, events, rests_on)


def _start(answer_id: UUID, events: AsyncGenerator[AnswerEvent, None], rests_on: list[UUID]) -> None:
    generation = _running[answer_id] = _Generation()
    generation.task = asyncio.create_task(_generate(answer_id, events, generation, rests_on))


async def _generate(
    answer_id: UUID, events: AsyncGenerator[AnswerEvent, None], generation: _Generation, rests_on: list[UUID]
) -> None:
    text: list[str] = []
    settled = False
    try:
        async with aclosing(_until(generation.stop, events)) as following:
            async for event in following:
                if isinstance(event, SourcesFound):
                    await _in_database(services.answer_found)(answer_id, event, rests_on=rests_on)
                elif isinstance(event, TextDelta):
                    text.append(event.text)
                elif isinstance(event, AnswerFinished | AnswerFailed):
                    await _store(answer_id, event)
                    settled = True
                await generation.tell(event)
    except Exception:
        logger.exception("answer %s", answer_id)
        await _in_database(services.answer_fail)(answer_id, code="internal_error", text="".join(text))
        settled = True
    finally:
        if not settled:
            # Stopped, abandoned, or the server ends: what was written so far is kept.
            await asyncio.shield(_in_database(services.answer_stop)(answer_id, text="".join(text)))
        _running.pop(answer_id, None)
        await generation.end()


async def _until(stop: asyncio.Event, events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[AnswerEvent, None]:
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
        await events.aclose()


async def _store(answer_id: UUID, event: AnswerFinished | AnswerFailed) -> None:
    if isinstance(event, AnswerFinished):
        await _in_database(services.answer_finish)(answer_id, event)
    else:
        await _in_database(services.answer_fail)(answer_id, code=event.code, text=event.text)


def _in_database(function: Callable[P, T]) -> Callable[P, "asyncio.Future[T]"]:
    """For a task that outlives its request: nobody else closes its connection."""

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        refresh_connection()
        try:
            return function(*args, **kwargs)
        finally:
            refresh_connection()

    def scheduled(*args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        return asyncio.ensure_future(sync_to_async(call)(*args, **kwargs))

    return scheduled


async def _found(answer_id: UUID) -> _Generation | None:
    """The generation, where it is in this process; otherwise None, once whoever claimed the answer has settled it."""
    # Another process may hold the claim, so only SQL knows.
    while answer_id not in _running and await sync_to_async(_is_streaming)(answer_id):  # noqa: ASYNC110
        await asyncio.sleep(_FOLLOW_EVERY_S)
    return _running.get(answer_id)


def _is_streaming(answer_id: UUID) -> bool:
    return Message.objects.filter(pk=answer_id, state=AnswerState.STREAMING).exists()
