"""Embeddings from a server that speaks OpenAI's /v1/embeddings, inside the perimeter."""

import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx

from ingestion.embedding.base import Vector
from ingestion.errors import EmbedderUnavailableError

_BATCH = 32
_TIMEOUT_S = 60.0
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")
# Subword tokens of prose are seldom shorter than this; used where the server's tokenizer is out of reach.
_CHARS_A_TOKEN = 4


class OpenAICompatibleEmbedder:
    """`url` with or without /v1 at its end. `max_tokens` is what the served model takes."""

    def __init__(
        self, *, url: str, model: str, api_key: str = "", max_tokens: int = 512, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self.name = model
        self.max_tokens = max_tokens
        base = url.rstrip("/")
        self._url = (base if base.endswith("/v1") else f"{base}/v1") + "/embeddings"
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # Proxies of the environment and redirects would carry documents to somebody nobody named.
        self._client = httpx.Client(headers=headers, timeout=timeout_s, trust_env=False, follow_redirects=False)

    @cached_property
    def dimension(self) -> int:
        """Asked of the server, once."""
        return len(self._embed(["dimension"])[0])

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One unit vector a text, in order. Raises EmbedderUnavailableError."""
        vectors: list[Vector] = []
        for start in range(0, len(texts), _BATCH):
            vectors += self._embed(list(texts[start : start + _BATCH]))
        return vectors

    def embed_query(self, text: str) -> Vector:
        """The unit vector of a question. Raises EmbedderUnavailableError."""
        return self._embed([text])[0]

    def count_tokens(self, text: str) -> int:
        """An estimate from words and length, on the high side."""
        return max(len(_WORD_OR_SIGN.findall(text)), len(text.encode()) // _CHARS_A_TOKEN)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _embed(self, texts: list[str]) -> list[Vector]:
        body = {"model": self.name, "input": texts, "encoding_format": "float"}
        try:
            response = self._client.post(self._url, json=body)
            response.raise_for_status()
            return _vectors(response.json(), count=len(texts))
        except httpx.HTTPStatusError as exc:
            raise EmbedderUnavailableError(f"the embedding server answered {exc.response.status_code}") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise EmbedderUnavailableError(f"no answer from the embedding server: {type(exc).__name__}") from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise EmbedderUnavailableError("the embedding server's answer is no list of embeddings") from exc


def _vectors(answer: dict[str, Any], *, count: int) -> list[Vector]:
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    if len(rows) != count:
        raise ValueError(f"{len(rows)} embeddings for {count} texts")
    return [_unit(row["embedding"]) for row in rows]


def _unit(values: Sequence[float]) -> Vector:
    length = math.sqrt(sum(value * value for value in values))
    if not values or not math.isfinite(length) or length == 0.0:
        raise ValueError("an embedding without direction")
    return tuple(value / length for value in values)
