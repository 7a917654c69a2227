"""A chat model that answers from a queue and remembers what it was asked: for tests, never configured."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from ragapp.gateway.base import Beginning, ChatDelta, ChatRequest, Usage
from ragapp.gateway.errors import ChatModelError


class ScriptedChat:
    """Each reply is the pieces that are streamed; an exception in their place is raised there."""

    name = "scripted"

    def __init__(
        self,
        *replies: Sequence[str | ChatModelError],
        pause_s: float = 0.0,
        finish_reason: str = "stop",
        doubt: float | None = None,
    ) -> None:
        self.requests: list[ChatRequest] = []
        self.checks: list[ChatRequest] = []
        self._doubt = doubt
        self._replies = deque(replies)
        self._pause_s = pause_s
        self._finish_reason = finish_reason

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """The next reply of the queue; an empty queue is a test's mistake and raises IndexError."""
        self.requests.append(request)
        pieces = self._replies.popleft()
        for piece in pieces:
            await asyncio.sleep(self._pause_s)
            if isinstance(piece, ChatModelError):
                raise piece
            yield ChatDelta(text=piece)
        yield ChatDelta(
            finish_reason=self._finish_reason,
            usage=_usage(request, written=len(pieces)),
        )

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        """The same `doubt` for every request."""
        self.checks.append(request)
        return Beginning(self._doubt, _usage(request, written=1))

    async def is_ready(self) -> bool:
        """Always."""
        return True


def _usage(request: ChatRequest, *, written: int) -> Usage:
    return Usage(
        prompt_tokens=sum(len(message.content) // 4 for message in request.messages), completion_tokens=written
    )
