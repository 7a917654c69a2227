"""Search, answers and conversations: real search over a real document, and a model that follows a script."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from ingestion.models import Document
from ragapp.api import sse
from ragapp.api.schemas import AnswerOut
from ragapp.asgi import application
from ragapp.chat.models import AnswerState, Conversation, Message, Role
from ragapp.gateway.errors import ChatModelUnavailableError
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.api.world import Person, World

QUESTION = "How long is parental leave?"
Script = Callable[..., ScriptedChat]


def post(person: Person, address: str, **body: Any) -> Any:
    return person.client.post(f"/api/v1/{address}", data=json.dumps(body), content_type="application/json")


def events_of(raw: bytes) -> list[tuple[str, Any]]:
    """The named events of a stream, parsed as a browser would."""
    events = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


async def streamed(person: Person, **body: Any) -> list[tuple[str, Any]]:
    response = await person.send("POST", "ask", body=body | {"stream": True})
    assert response["Content-Type"] == "text/event-stream"
    return events_of(b"".join([part async for part in response.streaming_content]))


def test_search_finds_the_passage(world: World, searchable: Document) -> None:
    body = post(world.reader, "search", query=QUESTION).json()
    assert body["relevant"] is True
    hit = body["hits"][0]
    assert hit["document_id"] == str(searchable.pk)
    assert "twelve weeks" in hit["text"]
    assert hit["url"] == f"http://testserver/sources/{hit['chunk_id']}"


def test_search_finds_nothing_where_nothing_may_be_read(world: World, searchable: Document) -> None:
    assert post(world.outsider, "search", query=QUESTION).json()["hits"] == []


def test_search_stays_in_the_collections_named(world: World, searchable: Document) -> None:
    assert post(world.admin, "search", query=QUESTION, collection_ids=[str(world.vault.pk)]).json()["hits"] == []
    named = [str(world.handbook.pk), str(world.handbook.pk).upper()]
    assert post(world.admin, "search", query=QUESTION, collection_ids=named).json()["hits"]


@pytest.mark.parametrize("address", ["search", "ask"])
def test_naming_a_hidden_collection_is_an_error_and_not_an_empty_result(address: str, world: World) -> None:
    words = {"query": QUESTION} if address == "search" else {"question": QUESTION}
    for hidden in (str(world.vault.pk), "no-uuid"):
        response = post(world.reader, address, collection_ids=[str(world.handbook.pk), hidden], **words)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "collection_not_found"
    assert not Message.objects.filter(text=QUESTION).exists()


def test_an_answer_is_whole_and_of_the_documented_shape(world: World, searchable: Document, script: Script) -> None:
    script(["Parental leave is ", "twelve weeks [1]."])
    response = post(world.reader, "ask", question=QUESTION)
    assert response.status_code == 200
    body = response.json()
    assert AnswerOut.model_validate(body).model_dump() == body
    assert body["state"] == "finished"
    assert body["refused"] is False
    assert [citation["document_id"] for citation in body["citations"]] == [str(searchable.pk)]
    assert body["route"]["verdict"] == "inside"


def test_a_conversation_goes_on_and_is_its_owners_alone(world: World, searchable: Document, script: Script) -> None:
    script(["Twelve weeks [1]."], ["What is the pay during parental leave?"], ["On full pay [1]."])
    first = post(world.reader, "ask", question=QUESTION).json()
    second = post(world.reader, "ask", question="And the pay?", conversation_id=first["conversation_id"]).json()
    assert second["conversation_id"] == first["conversation_id"]
    whole = world.reader.client.get(f"/api/v1/conversations/{first['conversation_id']}").json()
    assert [message["role"] for message in whole["messages"]] == ["question", "answer", "question", "answer"]
    assert whole["messages"][1]["answer"] == first
    for person in (world.admin, world.outsider):
        response = post(person, "ask", question="And the pay?", conversation_id=first["conversation_id"])
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "conversation_not_found"
    assert Message.objects.filter(conversation=first["conversation_id"]).count() == 4


@pytest.mark.parametrize(
    ("question", "code"), [("", "question_empty"), (" \n\t", "question_empty"), ("x" * 4_001, "question_too_long")]
)
def test_a_question_without_words_or_end_has_its_own_code(question: str, code: str, world: World) -> None:
    response = post(world.reader, "ask", question=question)
    assert (response.status_code, response.json()["error"]["code"]) == (422, code)


def test_a_model_that_is_down_is_an_error_with_its_code(world: World, searchable: Document, script: Script) -> None:
    script(["Twelve ", ChatModelUnavailableError("gone")])
    response = post(world.reader, "ask", question=QUESTION)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_unavailable")
    answer = Message.objects.get(role=Role.ANSWER, error_code="model_unavailable")
    assert (answer.state, answer.text) == (AnswerState.FAILED, "Twelve ")


async def test_a_stream_tells_sources_route_and_text_and_ends_with_the_whole_answer(
    world: World, searchable: Document, script: Script
) -> None:
    script(["Parental leave is\n\n", "twelve weeks [1]."])
    events = await streamed(world.reader, question=QUESTION)
    assert [name for name, _ in events] == ["sources", "route", "delta", "delta", "done"]
    told = dict(events)
    assert told["sources"]["sources"][0]["document_id"] == str(searchable.pk)
    assert told["route"]["verdict"] == "inside"
    assert "".join(data["text"] for name, data in events if name == "delta") == "Parental leave is\n\ntwelve weeks [1]."
    whole = await world.reader.send("GET", f"conversations/{told['done']['conversation_id']}")
    assert whole.json()["messages"][1]["answer"] == told["done"]


async def test_an_accept_header_asks_for_a_stream_too(world: World, script: Script) -> None:
    script()
    headers = {"accept": "text/event-stream"}
    response = await world.outsider.send("POST", "ask", body={"question": QUESTION}, headers=headers)
    assert response["Cache-Control"] == "no-store"
    assert response["X-Accel-Buffering"] == "no"
    events = events_of(b"".join([part async for part in response.streaming_content]))
    assert events[-1][0] == "done"
    assert events[-1][1]["refused"] is True


async def test_a_stream_that_fails_ends_with_the_error(world: World, searchable: Document, script: Script) -> None:
    script(["Twelve ", ChatModelUnavailableError("gone")])
    name, data = (await streamed(world.reader, question=QUESTION))[-1]
    assert name == "error"
    assert data["error"]["code"] == "model_unavailable"
    assert data["error"]["retryable"] is True


async def test_a_stream_refused_before_it_starts_is_plain_json(world: World) -> None:
    response = await world.reader.send("POST", "ask", body={"question": "", "stream": True})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "question_empty")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_closed_connection_stops_the_model_and_keeps_the_text(
    stream: bool, world: World, searchable: Document, script: Script
) -> None:
    model = script(["word "] * 1_000, pause_s=0.02)
    body = json.dumps({"question": QUESTION, "stream": stream}).encode()
    gone = asyncio.Event()
    call = asyncio.create_task(application(_http_scope(world.reader), _receiver(body, gone), _ignore))
    while not model.requests:  # noqa: ASYNC110  the scripted model tells nobody
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    gone.set()
    async with asyncio.timeout(10):
        await call
        answer = await _settled(world.reader)
    assert answer.state == AnswerState.STOPPED
    assert answer.text.startswith("word ")
    assert len(answer.text) < 5_000


async def test_silence_is_filled_with_comments_and_the_end_closes_the_source() -> None:
    closed = asyncio.Event()

    async def frames() -> Any:
        try:
            yield b"first"
            await asyncio.sleep(0.2)
            yield b"second"
            await asyncio.sleep(60)
        finally:
            closed.set()

    received = []
    stream = sse.kept_alive(frames(), every_s=0.05)
    async for part in stream:
        received.append(part)
        if part == b"second":
            break
    await stream.aclose()
    assert closed.is_set()
    assert received[0] == b"first"
    assert sse.KEEP_ALIVE in received
    assert received[-1] == b"second"


def test_a_conversation_is_deleted_with_its_messages(world: World) -> None:
    address = f"/api/v1/conversations/{world.conversation.pk}"
    assert world.reader.client.delete(address).status_code == 204
    assert not Conversation.objects.filter(pk=world.conversation.pk).exists()
    assert world.reader.client.get(address).status_code == 404


def test_lists_of_conversations_are_ones_own(world: World) -> None:
    assert world.reader.client.get("/api/v1/conversations").json()["count"] == 1
    assert world.admin.client.get("/api/v1/conversations").json()["count"] == 0


async def _settled(person: Person) -> Message:
    answers = Message.objects.filter(role=Role.ANSWER, conversation__owner=person.user).exclude(text="Twelve weeks.")
    while True:
        answer = await sync_to_async(answers.first)()
        if answer is not None and answer.state not in {AnswerState.PENDING, AnswerState.STREAMING}:
            return answer
        await asyncio.sleep(0.05)


def _http_scope(person: Person) -> dict[str, Any]:
    headers = {"host": "testserver", "authorization": f"Bearer {person.secret}", "content-type": "application/json"}
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/ask",
        "raw_path": b"/api/v1/ask",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("testserver", 80),
        "scheme": "http",
    }


def _receiver(body: bytes, gone: asyncio.Event) -> Any:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        message = next(messages, None)
        if message is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


async def _ignore(message: Any) -> None:
    """Nobody reads."""
