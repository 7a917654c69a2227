"""The port for embedding models."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

Vector = tuple[float, ...]


class Embedder(Protocol):
    """Turns text into unit vectors of `dimension` floats."""

    @property
    def name(self) -> str:
        """The model's name; part of an index's identity."""
        ...

    @property
    def dimension(self) -> int:
        """Floats of a vector. May ask the model or its server, once."""
        ...

    @property
    def max_tokens(self) -> int:
        """What the model reads of a text, its special tokens included; the rest is cut off."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector a text, in order. Raises EmbedderUnavailableError."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens that the model makes of the text, without its own special ones; chunks are sized by it.

        Never loads the model. An estimate that errs upwards where the tokenizer is out of reach.
        """
        ...

    def embed_query(self, text: str) -> Vector:
        """The vector of a question. Raises EmbedderUnavailableError."""
        ...


@runtime_checkable
class TokenScorer(Protocol):
    """An embedder that also has the vectors of single tokens, and so needs no model of its own to rank again."""

    def token_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Of each text: the mean over the question's tokens of the best cosine with a token of the text, about 0..1.

        Late interaction (MaxSim): Khattab and Zaharia, 'ColBERT', SIGIR 2020. Raises EmbedderUnavailableError.
        """
        ...


class PairScorer(Protocol):
    """A model that reads a question and a passage together: dearer than vectors, and better."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def pair_scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Of each text, in order, how well it answers the question: 0..1. Raises EmbedderUnavailableError."""
        ...
