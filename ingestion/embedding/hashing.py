"""A bag of hashed words as an embedding: deterministic, instant, no model. For tests, never for people."""

import hashlib
import math
import re
from collections.abc import Sequence

from ingestion.embedding.base import Vector

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Equal words give equal vectors; texts that share no word are almost orthogonal."""

    name = "hashing"
    max_tokens = 256

    def __init__(self, *, dimension: int = 256) -> None:
        self.dimension = dimension

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One unit vector a text, in order."""
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """The same as for a document."""
        return self._vector(text)

    def token_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """The share of the question's words that are in the text."""
        asked = _WORD.findall(question.casefold())
        return [
            sum(word in words for word in asked) / max(len(asked), 1)
            for words in (set(_WORD.findall(text.casefold())) for text in texts)
        ]

    def count_tokens(self, text: str) -> int:
        """Words."""
        return len(_WORD.findall(text))

    def _vector(self, text: str) -> Vector:
        values = [0.0] * self.dimension
        for word in _WORD.findall(text.casefold()):
            digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
            values[int.from_bytes(digest, "big") % self.dimension] += 1.0
        length = math.sqrt(sum(value * value for value in values))
        if length == 0.0:
            return (1.0,) + (0.0,) * (self.dimension - 1)
        return tuple(value / length for value in values)
