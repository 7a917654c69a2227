"""The chat-model contract over the child server with a real small model; the adapter against a misbehaving server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ragapp import weights
from ragapp.gateway.base import Beginning, ChatModel, ChatRequest, Usage
from ragapp.gateway.errors import ChatModelBusyError, ChatModelError, ChatModelUnavailableError
from ragapp.gateway.openai_compatible import Endpoint, OpenAICompatibleChat
from ragapp.gateway.supervisor import ModelServerSupervisor
from tests.ragapp.gateway.contract import QUESTION, ChatModelContract

SMALL = "smollm2-135m-instruct"


def chat(endpoint: Endpoint, name: str = SMALL) -> OpenAICompatibleChat:
    async def fixed() -> Endpoint:
        return endpoint

    return OpenAICompatibleChat(name=name, endpoint=fixed, supports_cache_salt=False)


@pytest.fixture(scope="module")
def child(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServerSupervisor]:
    path = weights.find(SMALL, models_dir)
    assert path is not None
    server = ModelServerSupervisor(path, alias=SMALL, log_file=tmp_path_factory.mktemp("model") / "model.log")
    server.start()
    try:
        assert server.wait_ready(120), server.status().detail
        yield server
    finally:
        server.stop()


class TestChildServer(ChatModelContract):
    @pytest.fixture
    def model(self, child: ModelServerSupervisor) -> ChatModel:
        return chat(Endpoint(child.base_url, child.api_key))

    async def test_a_wrong_key_is_refused(self, child: ModelServerSupervisor) -> None:
        with pytest.raises(ChatModelUnavailableError):
            await _drain(chat(Endpoint(child.base_url, "wrong")))


def _server(reply: bytes) -> AbstractAsyncContextManager[Endpoint]:
    """Answers every request with these bytes and hangs up."""
    return _answering(lambda body: reply)


@asynccontextmanager
async def _answering(reply: Callable[[bytes], bytes]) -> AsyncIterator[Endpoint]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        writer.write(reply(await reader.readexactly(int(length.group(1)) if length else 0)))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint(f"http://127.0.0.1:{port}/v1", "")


async def _drain(model: OpenAICompatibleChat, request: ChatRequest = QUESTION) -> str:
    return "".join([delta.text async for delta in model.stream(request)])


def _http(status: str, body: bytes, content_type: bytes = b"application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: ".encode()
    return head + content_type + b"\r\nConnection: close\r\n\r\n" + body


EVENTS = b"text/event-stream"
ANSWER = _http("200 OK", b'data: {"choices": [{"delta": {"content": "25"}}]}\n\ndata: [DONE]\n\n', EVENTS)
CONSTRAINED = replace(QUESTION, grammar=r"root ::= [^\n]+")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (_http("503 Service Unavailable", b'{"error":"loading"}'), ChatModelUnavailableError),
        (_http("429 Too Many Requests", b"{}"), ChatModelBusyError),
        (_http("302 Found", b""), ChatModelError),
        (_http("200 OK", b'{"choices": []}'), ChatModelError),
        (_http("200 OK", b"data: not json\n\n", EVENTS), ChatModelError),
        (_http("200 OK", b"data: [1, 2]\n\n", EVENTS), ChatModelError),
        (_http("200 OK", b'data: {"error": {"message": "boom"}}\n\n', EVENTS), ChatModelError),
        (_http("200 OK", b'data: {"choices": [{"delta": {"content": "25"}}]}\n\n', EVENTS), ChatModelUnavailableError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nContent-Type: text/event-stream\r\n\r\n",
            ChatModelUnavailableError,
        ),
        (b"nonsense\r\n\r\n", ChatModelUnavailableError),
        (b"", ChatModelUnavailableError),
    ],
)
async def test_whatever_a_server_does_is_one_of_our_errors(reply: bytes, error: type[ChatModelError]) -> None:
    async with _server(reply) as endpoint:
        with pytest.raises(error):
            await _drain(chat(endpoint))


@pytest.mark.parametrize(
    "body", [b"not json", b"[]", b'{"choices": []}', b'{"choices": [{"logprobs": null}]}', b'{"choices": [{}]}']
)
async def test_a_server_that_tells_no_likelihoods_has_none(body: bytes) -> None:
    async with _server(_http("200 OK", body)) as endpoint:
        assert await chat(endpoint).begins_with(QUESTION, token="I") == Beginning(None)


async def test_the_likelihood_of_a_beginning_comes_with_what_asking_took() -> None:
    told = b'[{"token": " I", "logprob": 0.0}, {"token": "The", "logprob": -9.0}]'
    body = b'{"choices": [{"logprobs": {"content": [{"top_logprobs": %s}]}}], "usage": {"prompt_tokens": 7}}' % told
    async with _server(_http("200 OK", body)) as endpoint:
        assert await chat(endpoint).begins_with(QUESTION, token="I") == Beginning(1.0, Usage(prompt_tokens=7))


async def test_a_server_that_refuses_to_tell_likelihoods_is_one_of_our_errors() -> None:
    async with _server(_http("400 Bad Request", b'{"error": "logprobs"}')) as endpoint:
        with pytest.raises(ChatModelError):
            await chat(endpoint).begins_with(QUESTION, token="I")


@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Entity"])
async def test_a_server_that_refuses_grammars_is_asked_without_and_never_again_with_one(status: str) -> None:
    asked: list[bytes] = []

    def reply(body: bytes) -> bytes:
        asked.append(body)
        refused = _http(status, b'{"error": {"message": "Unrecognized request argument supplied: grammar"}}')
        return refused if b'"grammar"' in body else ANSWER

    async with _answering(reply) as endpoint:
        model = chat(endpoint)
        assert [await _drain(model, CONSTRAINED) for _ in range(2)] == ["25", "25"]
    assert [b'"grammar"' in body for body in asked] == [True, False, False]
    assert json.loads(asked[0])["structured_outputs"] == {"grammar": CONSTRAINED.grammar}


async def test_what_is_refused_for_another_reason_says_nothing_about_grammars() -> None:
    asked: list[bytes] = []

    def reply(body: bytes) -> bytes:
        asked.append(body)
        return _http("400 Bad Request", b'{"error": "no such model"}')

    async with _answering(reply) as endpoint:
        model = chat(endpoint)
        for _ in range(2):
            with pytest.raises(ChatModelError):
                await _drain(model, CONSTRAINED)
    assert [b'"grammar"' in body for body in asked] == [True, False] * 2


async def test_a_server_that_is_not_there_is_unavailable_and_not_ready() -> None:
    async with _server(b"") as endpoint:
        pass
    with pytest.raises(ChatModelUnavailableError):
        await _drain(chat(endpoint))
    assert not await chat(endpoint).is_ready()


async def test_an_environment_proxy_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with _server(ANSWER) as endpoint:
        assert await _drain(chat(endpoint)) == "25"
