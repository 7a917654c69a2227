"""The gateway's ports and values: chat models inside, the one way outside, and the record of both."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ragapp.gateway.egress import ClearedPrompt


class Verdict(StrEnum):
    """Where a question is answered."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Finding(StrEnum):
    """What one signal says. UNKNOWN is never good enough to leave."""

    DENY = "deny"
    CLEAN = "clean"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Signal:
    """One piece of evidence. `score` and `threshold` share the signal's own unit; None where it has none."""

    name: str
    finding: Finding
    evidence: str = ""
    score: float | None = None
    threshold: float | None = None
    version: str = "1"


@dataclass(frozen=True)
class Decision:
    """The router's word on one question: verdict, one sentence for the person, the model, all signals."""

    verdict: Verdict
    reason: str
    model: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class ChatMessage:
    """One message of a prompt; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the server counted them; 0 where it does not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Of both calls."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True)
class ChatDelta:
    """A piece of a streamed reply. The last one carries `finish_reason` ('stop' or 'length') and usage."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class Beginning:
    """How likely a reply begins with a token, 0..1; None where the server does not say. And what asking took."""

    likelihood: float | None
    usage: Usage = Usage()


@dataclass(frozen=True)
class ChatRequest:
    """What a chat model is asked. `cache_salt` keeps prefix caches of different rights apart.

    `grammar`, in GBNF (llama.cpp's form, which vLLM reads too), is what the reply follows, where the server can be held
    to it; elsewhere it is ignored, so that the reply is looked at all the same.
    """

    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float = 0.0
    cache_salt: str = ""
    grammar: str = ""


class ChatModel(Protocol):
    """A model inside the perimeter."""

    name: str

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """Deltas as they are generated. Closing the iterator frees the model. Raises a ChatModelError."""
        ...

    async def begins_with(self, request: ChatRequest, *, token: str) -> Beginning:
        """How likely the reply's first token is this one. Raises a ChatModelError."""
        ...

    async def is_ready(self) -> bool:
        """True where a question would be answered now."""
        ...


class ExternalModel(Protocol):
    """A model outside the perimeter. There is no way to hand it anything but a ClearedPrompt."""

    name: str

    def stream(self, prompt: "ClearedPrompt") -> AsyncGenerator[ChatDelta, None]:
        """Deltas as they are generated."""
        ...


class Ledger(Protocol):
    """The append-only record. An entry that is not committed raises LedgerUnavailableError."""

    def append(self, *, kind: str, body: Mapping[str, object]) -> int:
        """Commit one entry and return its sequence number, from 1."""
        ...

    def verify(self) -> Sequence[str]:
        """Every fault found in the chain, as sentences; empty where it is whole."""
        ...
