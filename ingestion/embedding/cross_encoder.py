"""A cross-encoder by sentence-transformers, in this process: reads question and passage together, and says how well
they fit. The model loads on first use, once, and stays. Knows no index and no ranking.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.embedding.sentence_transformer import readied, translated

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_BATCH = 16


class CrossEncoderScorer:
    """PairScorer over a model from a folder (`path`; no network is used then) or, without one, by name from the hub.

    `threads` is torch's number of threads, which is one setting for the whole process.
    """

    def __init__(self, *, name: str, path: Path | None = None, threads: int = 1, device: str | None = None) -> None:
        self.name = name
        self._path = path
        self._threads = threads
        self._device = device
        self._lock = threading.Lock()
        self._loaded: CrossEncoder | None = None

    def pair_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Of each text, in order: 0..1. Raises EmbedderUnavailableError."""
        return translated(lambda: self._scores(question, texts)) if texts else []

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        import torch

        found = self._model().predict(
            [(question, text) for text in texts],
            batch_size=_BATCH,
            show_progress_bar=False,
            # Models bring their own, or none: logits of one and probabilities of another are not to be compared.
            activation_fn=torch.nn.Sigmoid(),
            convert_to_tensor=True,
        )
        return [float(score) for score in found.float()]

    def _model(self) -> "CrossEncoder":
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> "CrossEncoder":
        from sentence_transformers import CrossEncoder

        source = str(self._path) if self._path else self.name
        model: CrossEncoder = readied(
            lambda: CrossEncoder(source, num_labels=1, device=self._device, local_files_only=self._path is not None),
            threads=self._threads,
        )
        # The fast tokenizer sets its truncation on first use, and then must not be in use by another thread.
        model.predict([("warm", "up")], show_progress_bar=False)
        return model
