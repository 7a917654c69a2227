"""Embeddings by sentence-transformers, in this process. The model loads on first use, once, and stays.

Sizes and token counts come from the model's folder and never load it.
"""

import json
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ingestion.embedding.base import Vector
from ingestion.errors import EmbedderUnavailableError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

_BATCH = 32
_DEFAULT_MAX_TOKENS = 256
_PROCESSOR = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
_T = TypeVar("_T")


class SentenceTransformerEmbedder:
    """A model from a folder (`path`; no network is used then) or, without one, by name from the hub.

    `threads` is torch's number of threads, which is one setting for the whole process.
    """

    def __init__(self, *, name: str, path: Path | None = None, threads: int = 1, device: str | None = None) -> None:
        self.name = name
        self._path = path
        self._threads = threads
        self._device = device
        self._lock = threading.Lock()
        self._loaded: SentenceTransformer | None = None

    @cached_property
    def dimension(self) -> int:
        """From the pooling layer's configuration; without a folder, from the loaded model."""
        config = self._config("1_Pooling/config.json")
        if "word_embedding_dimension" in config:
            return int(config["word_embedding_dimension"])
        return translated(lambda: int(self._model().get_sentence_embedding_dimension() or 0))

    @cached_property
    def max_tokens(self) -> int:
        """The model cuts longer texts, its two special tokens included."""
        return int(self._config("sentence_bert_config.json").get("max_seq_length", _DEFAULT_MAX_TOKENS))

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One unit vector a text, in order. Raises EmbedderUnavailableError."""
        if not texts:
            return []
        return translated(lambda: self._encode(list(texts)))

    def embed_query(self, text: str) -> Vector:
        """The unit vector of a question. Raises EmbedderUnavailableError."""
        return translated(lambda: self._encode([text])[0])

    def count_tokens(self, text: str) -> int:
        """By the model's own tokenizer. Raises EmbedderUnavailableError where there is none."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def token_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """See TokenScorer. About as dear as embedding the texts. Raises EmbedderUnavailableError."""
        return translated(lambda: self._token_scores(question, texts)) if texts else []

    def _token_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        found = self._model().encode(
            [question, *texts], batch_size=_BATCH, show_progress_bar=False, output_value="token_embeddings"
        )
        asked, *given = ((rows / rows.norm(dim=1, keepdim=True)) for rows in (each.float() for each in found))
        return [float((asked @ rows.T).max(dim=1).values.mean()) for rows in given]

    def _encode(self, texts: list[str]) -> list[Vector]:
        rows = self._model().encode(texts, batch_size=_BATCH, show_progress_bar=False, convert_to_tensor=True).float()
        # Not the model's own normalising: in half precision its vectors are a thousandth off unit length.
        return [tuple(row) for row in (rows / rows.norm(dim=1, keepdim=True)).tolist()]

    def _model(self) -> "SentenceTransformer":
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> "SentenceTransformer":
        from sentence_transformers import SentenceTransformer

        source = str(self._path) if self._path else self.name
        model = readied(
            lambda: SentenceTransformer(source, device=self._device, local_files_only=self._path is not None),
            threads=self._threads,
        )
        # The fast tokenizer sets its truncation on first use, and then must not be in use by another thread.
        model.encode(["warm up"], show_progress_bar=False)
        return model

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer: Tokenizer = translated(lambda: Tokenizer.from_str(self._tokenizer_json()))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _tokenizer_json(self) -> str:
        if self._path is not None:
            return (self._path / "tokenizer.json").read_text(encoding="utf-8")
        # A copy of the loaded model's own, whose truncation must stay as it is.
        return str(self._model().tokenizer.backend_tokenizer.to_str())

    def _config(self, name: str) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            config: dict[str, Any] = json.loads((self._path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return config


def readied(make: Callable[[], _T], *, threads: int) -> _T:
    """A model of this library, made and set for use: no bars, so many threads of torch, in half precision where the
    processor computes in it.
    """
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(threads)
    model: Any = make()
    if model.device.type == "cpu" and has_bfloat16():
        model = model.to(torch.bfloat16)
    model.eval()
    return cast(_T, model)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it does not, torch's stand-in is slower than float32.

    Measured on 972 handbook passages with MiniLM: 2.7 times as fast, cosine with float32 at least 0.9999, and the
    right page at the same rank of the hybrid search for each of 50 questions.
    """
    try:
        return bool(_BFLOAT16_FLAGS & set(_PROCESSOR.read_text(encoding="ascii", errors="replace").split()))
    except OSError:
        return False


def translated(call: Callable[[], _T]) -> _T:
    """What the call gives; whatever it raises is an EmbedderUnavailableError."""
    try:
        return call()
    except EmbedderUnavailableError:
        raise
    except Exception as exc:
        # torch, transformers, tokenizers and the hub raise whatever they like.
        raise EmbedderUnavailableError(f"{type(exc).__name__}: {exc}") from exc
