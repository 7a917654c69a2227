"""One reader generates; others follow; leaving keeps what was written."""

import asyncio
from contextlib import aclosing, nullcontext

import pytest
from asgiref.sync import sync_to_async

from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.accounts.models import User
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import AnswerFailed, AnswerFinished, Passage, Retrieval, TextDelta
from ragapp.chat import services, streaming
from ragapp.chat.errors import AnswerNotFoundError
from ragapp.chat.limits import Limits
from ragapp.chat.models import AnswerState, Message
from ragapp.chat.streaming import answer_events, request_stop
from ragapp.gateway.errors import ChatModelUnavailableError
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.gateway.routing import router

pytestmark = pytest.mark.django_db(transaction=True)

SCOPE = AccessScope(frozenset({"c"}))


class OnePassage:
    def __init__(self) -> None:
        self.seen: list[tuple[AccessScope, Conditions]] = []

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        self.seen.append((scope, conditions))
        passage = Passage(
            chunk_id="11111111-1111-1111-1111-111111111111",
            document_id="22222222-2222-2222-2222-222222222222",
            collection_id="c",
            title="leave.md",
            text="25 days of leave",
            label=1,
            dense=0.9,
        )
        return Retrieval(passages=(passage,), relevant=True)


def answerer(model: ScriptedChat, retriever: OnePassage | None = None) -> Answerer:
    return Answerer(
        retriever=retriever or OnePassage(),
        router=router(),
        model=model,
        passages=4,
        generating=nullcontext,
        embedder=HashingEmbedder,
    )


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def turn(user: User) -> services.Turn:
    return services.turn_start(user=user, question="How many days?")


async def stored(turn: services.Turn) -> Message:
    return await Message.objects.aget(pk=turn.answer.pk)


async def test_the_answer_is_stored_by_the_time_it_is_told(user: User, turn: services.Turn) -> None:
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(ScriptedChat(["25 days"])), scope=SCOPE)
    async for event in events:
        if isinstance(event, AnswerFinished):
            assert (await stored(turn)).state == AnswerState.FINISHED
    assert (await stored(turn)).text.startswith("25 days")


async def test_another_person_cannot_read_the_stream(turn: services.Turn) -> None:
    bob = await sync_to_async(User.objects.create_user)("bob")
    with pytest.raises(AnswerNotFoundError):
        async for _ in answer_events(turn.answer.pk, owner=bob, answerer=answerer(ScriptedChat()), scope=SCOPE):
            pass
    assert (await stored(turn)).state == AnswerState.PENDING


async def test_a_second_reader_follows_and_does_not_ask_the_model_again(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25", " days"], pause_s=0.1)

    async def read() -> list[object]:
        events = answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)
        return [event async for event in events]

    first, second = await asyncio.gather(read(), read())
    assert first == second
    assert len(first) == 5
    assert len(model.requests) == 1
    assert (await stored(turn)).state == AnswerState.FINISHED


async def test_a_reader_of_a_finished_answer_gets_no_events(user: User, turn: services.Turn) -> None:
    await Message.objects.filter(pk=turn.answer.pk).aupdate(state=AnswerState.FINISHED, text="25 days")
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(ScriptedChat()), scope=SCOPE)
    assert [event async for event in events] == []


async def test_stop_ends_the_stream_and_keeps_the_words(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25 ", *["days "] * 1000], pause_s=0.02)
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)
    async for event in events:
        if isinstance(event, TextDelta):
            assert request_stop(turn.answer.pk)
    answer = await stored(turn)
    assert answer.state == AnswerState.STOPPED
    assert answer.text.startswith("25 ")


async def test_stop_does_not_wait_for_the_first_token(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["never"], pause_s=3600)
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)

    async def read() -> None:
        async for _ in events:
            pass

    reader = asyncio.ensure_future(read())
    while not model.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    request_stop(turn.answer.pk)
    await asyncio.wait_for(reader, timeout=5)
    assert (await stored(turn)).state == AnswerState.STOPPED


async def test_a_reader_who_comes_back_sees_the_same_answer_grow(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25 ", "days ", "of ", "leave"], pause_s=0.1)
    async with aclosing(answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    again = answer_events(turn.answer.pk, owner=user, answerer=answerer(ScriptedChat()), scope=SCOPE)
    told = [event async for event in again]
    assert "".join(event.text for event in told if isinstance(event, TextDelta)) == "25 days of leave"
    assert (await stored(turn)).state == AnswerState.FINISHED
    assert len(model.requests) == 1


@pytest.fixture
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "RELOAD_GRACE_S", 0.1)


async def settled(turn: services.Turn) -> Message:
    """The answer once its generation has noticed that nobody reads it."""
    async with asyncio.timeout(5):
        while (await stored(turn)).state == AnswerState.STREAMING:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return await stored(turn)


@pytest.mark.usefixtures("_no_grace")
async def test_leaving_for_good_keeps_the_words_and_frees_the_model(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25 ", *["days "] * 1000], pause_s=0.02)
    async with aclosing(answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    answer = await settled(turn)
    assert answer.state == AnswerState.STOPPED
    assert answer.text.startswith("25 ")
    assert not request_stop(turn.answer.pk)


@pytest.mark.usefixtures("_no_grace")
async def test_a_cancelled_request_keeps_the_words(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25 ", *["days "] * 1000], pause_s=0.02)
    told = asyncio.Event()

    async def read() -> None:
        async for event in answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE):
            if isinstance(event, TextDelta):
                told.set()

    reader = asyncio.ensure_future(read())
    await told.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert (await settled(turn)).state == AnswerState.STOPPED


async def test_a_failed_answer_is_stored_with_its_code(user: User, turn: services.Turn) -> None:
    model = ScriptedChat(["25", ChatModelUnavailableError("gone")])
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE)
    assert [event async for event in events][-1] == AnswerFailed(code="model_unavailable", text="25")
    answer = await stored(turn)
    assert (answer.state, answer.error_code, answer.text) == (AnswerState.FAILED, "model_unavailable", "25")


async def test_a_follow_up_is_searched_as_it_stands_alone_and_that_is_kept(user: User, turn: services.Turn) -> None:
    await Message.objects.filter(pk=turn.answer.pk).aupdate(state=AnswerState.FINISHED, text="25 days")
    start = sync_to_async(services.turn_start)
    follow_up = await start(user=user, question="And part-timers?", conversation=turn.conversation)
    model = ScriptedChat(["How many days do part-timers get?"], ["Fewer."])
    async for _ in answer_events(follow_up.answer.pk, owner=user, answerer=answerer(model), scope=SCOPE):
        pass
    assert (await stored(follow_up)).asked == "How many days do part-timers get?"
    assert (await stored(turn)).asked == ""


async def test_the_limits_of_a_question_hold_when_it_is_answered(user: User) -> None:
    limits = Limits(collection_ids=frozenset({"c", "taken away"}), languages=frozenset({"de"}))
    turn = await sync_to_async(services.turn_start)(user=user, question="Wie viele Tage?", limits=limits)
    retriever, scope = OnePassage(), AccessScope(frozenset({"c", "d"}))
    events = answer_events(turn.answer.pk, owner=user, answerer=answerer(ScriptedChat(["25"]), retriever), scope=scope)
    async for _ in events:
        pass
    assert retriever.seen == [(SCOPE, Conditions(languages=frozenset({"de"})))]
