"""The live answer over ASGI: real search, real storage, a scripted model."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import reverse

from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp import wiring
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import Passage, Retrieval
from ragapp.chat.models import AnswerState, Message
from ragapp.chat.services import turn_start
from ragapp.gateway.errors import ChatModelBusyError
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.gateway.routing import router
from tests.ragapp.web.world import World, body_of


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """Committed for real: the stream reads and writes on other threads."""


class OnePassage:
    """Finds the handbook's one passage."""

    def __init__(self, world: World) -> None:
        chunk = world.leave.chunks.get()
        self._passage = Passage(
            chunk_id=str(chunk.pk),
            document_id=str(world.leave.pk),
            collection_id=str(world.handbook.pk),
            title="leave.md",
            text="Parental leave is twelve weeks on full pay.",
            label=1,
            score=0.9,
            dense=0.9,
        )

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        return Retrieval(passages=(self._passage,), relevant=True)


@pytest.fixture
def script(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`script(...)` sets the pieces that the model will stream."""
    retriever = OnePassage(world)

    def write(*reply: object) -> None:
        answerer = Answerer(
            retriever=retriever,
            router=router(),
            model=ScriptedChat(reply),  # type: ignore[arg-type]
            passages=4,
            generating=nullcontext,
            embedder=HashingEmbedder,
        )
        monkeypatch.setattr(wiring, "answerer", lambda: answerer)

    return write


async def asked(world: World) -> Message:
    turn = await sync_to_async(turn_start)(user=world.reader, question="How long is parental leave?")
    return turn.answer


async def streamed(world: World, answer: Message) -> str:
    client = AsyncClient()
    await client.aforce_login(world.reader)
    response = await client.get(reverse("web:answer_stream", args=[answer.pk]))
    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-cache" in response["Cache-Control"]
    return (await body_of(response)).decode()


async def test_the_stream_ends_with_the_cited_article(world: World, script: Callable[..., None]) -> None:
    script("Parental leave is twelve ", "weeks on full pay.")
    answer = await asked(world)
    stream = await streamed(world, answer)
    assert "event: delta" in stream
    done = stream.partition("event: done")[2]
    assert 'class="cite"' in done
    assert "sse-connect" not in done
    await answer.arefresh_from_db()
    assert answer.state == AnswerState.FINISHED


async def test_a_second_reader_gets_the_stored_article(world: World, script: Callable[..., None]) -> None:
    script("Parental leave is twelve weeks on full pay.")
    answer = await asked(world)
    await streamed(world, answer)
    again = await streamed(world, answer)
    assert "event: delta" not in again
    assert 'class="cite"' in again.partition("event: done")[2]


async def test_an_error_of_the_model_is_told_as_a_sentence(world: World, script: Callable[..., None]) -> None:
    script("Paren", ChatModelBusyError("busy"))
    stream = await streamed(world, await asked(world))
    assert "The language model is busy." in stream.partition("event: done")[2]


async def test_markup_from_the_model_is_inert_in_the_stream_and_after_it(
    world: World, script: Callable[..., None]
) -> None:
    script("<img src=x onerror=alert(1)>", " and <script>alert(1)</script>")
    stream = await streamed(world, await asked(world))
    assert "<img" not in stream
    assert "<script" not in stream


async def test_text_that_looks_like_an_event_stays_text(world: World, script: Callable[..., None]) -> None:
    script("a\n\nevent: done\ndata: <b>x</b>\n\n", "b")
    stream = await streamed(world, await asked(world))
    assert stream.count("\nevent: done\n") == 1
    assert "<b>" not in stream.partition("\nevent: done\n")[0]
