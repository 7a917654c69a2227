"""A chat model behind an OpenAI-compatible endpoint inside the perimeter: vLLM, or the child server."""

import json
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from httpx_sse import SSEError, aconnect_sse

from ragapp.gateway.base import Beginning, ChatDelta, ChatRequest, Usage
from ragapp.gateway.errors import (
    ChatModelBusyError,
    ChatModelError,
    ChatModelUnavailableError,
    PromptTooLongError,
)

logger = logging.getLogger(__name__)

_CONNECT_S, _READ_S = 5.0, 180.0
_READY_S = 10.0
_TOLD = 20
_UNAVAILABLE = frozenset({401, 403, 404, 500, 502, 503, 504})
_BUSY = frozenset({408, 409, 425, 429})
_REFUSED = frozenset({400, 422})


@dataclass(frozen=True)
class Endpoint:
    """Where a server is right now. `base_url` ends before /chat/completions."""

    base_url: str
    api_key: str


class _RefusedError(ChatModelError):
    """The server does not take the request as it is, and not because the prompt is too long."""


class OpenAICompatibleChat:
    """Streams chat completions. Environment proxies are ignored and redirects are not followed.

    `endpoint` is asked at each call, since a child that loads is waited for and a restarted one may have another
    port; it may raise a ChatModelError.
    """

    def __init__(self, *, name: str, endpoint: Callable[[], Awaitable[Endpoint]], supports_cache_salt: bool) -> None:
        self.name = name
        self._endpoint = endpoint
        self._supports_cache_salt = supports_cache_salt
        self._takes_grammars = True

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """Deltas as they come; leaving the iterator closes the connection, which ends the generation.

        A server that refuses the grammar is asked without it, and from then on without any.
        """
        body = self._body(request)
        try:
            async with aclosing(self._deltas(body)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        except _RefusedError as exc:
            if "grammar" not in body:
                raise
            logger.warning("%s is asked without a grammar: %s", self.name, exc)
        async with aclosing(self._deltas(self._body(replace(request, grammar="")))) as deltas:
            async for delta in deltas:
                # Only now is it known that it was the grammar.
                self._takes_grammars = False
                yield delta

    async def _deltas(self, body: dict[str, Any]) -> AsyncGenerator[ChatDelta, None]:
        endpoint = await self._endpoint()
        finished = False
        async with _client(endpoint, read_s=_READ_S) as client:
            try:
                async with aconnect_sse(client, "POST", f"{endpoint.base_url}/chat/completions", json=body) as source:
                    await _raise_for_status(source.response)
                    async for event in source.aiter_sse():
                        if event.data == "[DONE]":
                            finished = True
                            break
                        yield _delta(event.data)
            except (httpx.HTTPError, SSEError) as exc:
                raise ChatModelUnavailableError(f"{type(exc).__name__}: {exc}") from exc
        if not finished:
            raise ChatModelUnavailableError("the stream ended before it was done")

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        """From the log probabilities of the first token, of which the servers tell the twenty likeliest."""
        endpoint = await self._endpoint()
        body = self._body(request) | {"max_tokens": 1, "logprobs": True, "top_logprobs": _TOLD, "stream": False}
        del body["stream_options"]
        async with _client(endpoint, read_s=_READ_S) as client:
            try:
                response = await client.post(f"{endpoint.base_url}/chat/completions", json=body)
                await _raise_for_status(response)
            except httpx.HTTPError as exc:
                raise ChatModelUnavailableError(f"{type(exc).__name__}: {exc}") from exc
        return _beginning(response.content, token)

    async def is_ready(self) -> bool:
        """True where the server lists its models; a loading or dead one does not."""
        try:
            endpoint = await self._endpoint()
            async with _client(endpoint, read_s=_READY_S) as client:
                response = await client.get(f"{endpoint.base_url}/models")
        except (httpx.HTTPError, ChatModelError):
            return False
        return response.status_code == httpx.codes.OK

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._supports_cache_salt and request.cache_salt:
            body["cache_salt"] = request.cache_salt
        if self._takes_grammars and request.grammar:
            # llama.cpp's field, and vLLM's; each passes over the other's.
            body |= {"grammar": request.grammar, "structured_outputs": {"grammar": request.grammar}}
        return body


@asynccontextmanager
async def _client(endpoint: Endpoint, *, read_s: float) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    timeout = httpx.Timeout(read_s, connect=_CONNECT_S)
    async with httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False, follow_redirects=False) as client:
        yield client


async def _raise_for_status(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.OK:
        return
    detail = (await response.aread()).decode(errors="replace")[:500]
    message = f"HTTP {response.status_code}: {detail}"
    if response.status_code in _BUSY:
        raise ChatModelBusyError(message)
    if response.status_code == httpx.codes.BAD_REQUEST and "context" in detail.lower():
        raise PromptTooLongError(message)
    if response.status_code in _UNAVAILABLE:
        raise ChatModelUnavailableError(message)
    raise (_RefusedError if response.status_code in _REFUSED else ChatModelError)(message)


def _beginning(content: bytes, token: str) -> Beginning:
    usage = Usage()
    try:
        body = json.loads(content)
        usage = _usage(body.get("usage")) or usage
        first = body["choices"][0]["logprobs"]["content"][0]
        told = {each["token"].strip(): float(each["logprob"]) for each in first["top_logprobs"]}
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        # Servers may leave them out, or refuse to count them.
        return Beginning(None, usage)
    return Beginning(math.exp(told[token]) if token in told else 0.0, usage)


def _delta(data: str) -> ChatDelta:
    try:
        body = json.loads(data)
        if "error" in body:
            raise ChatModelError(str(body["error"])[:500])
        choices = body.get("choices") or [{}]
        return ChatDelta(
            text=(choices[0].get("delta") or {}).get("content") or "",
            finish_reason=choices[0].get("finish_reason"),
            usage=_usage(body.get("usage")),
        )
    except (ValueError, KeyError, IndexError, AttributeError, TypeError) as exc:
        raise ChatModelError(f"not a chat completion: {data[:200]}") from exc


def _usage(body: dict[str, Any] | None) -> Usage | None:
    if not body:
        return None
    return Usage(
        prompt_tokens=body.get("prompt_tokens") or 0,
        completion_tokens=body.get("completion_tokens") or 0,
        cached_tokens=(body.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
    )
