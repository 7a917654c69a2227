"""BM25 as sparse vectors, the same for every adapter, so that their scores agree. The engine brings the IDF."""

from dataclasses import dataclass

from qdrant_edge import Bm25, Bm25Config

# Words left of a chunk after stop words go; BM25 weighs a chunk's length against it.
_AVERAGE_WORDS = 80.0


@dataclass(frozen=True)
class SparseText:
    """Term ids and their weights; empty for a text of stop words alone."""

    indices: list[int]
    values: list[float]


class Bm25Encoder:
    """English stop words and stems; words of other languages pass as they are, in lower case."""

    def __init__(self) -> None:
        self._model = Bm25(Bm25Config(language="english", avg_len=_AVERAGE_WORDS))

    def document(self, text: str) -> SparseText:
        """Saturated term frequencies (k1 = 1.2, b = 0.75)."""
        vector = self._model.embed_document(text)
        return SparseText(indices=vector.indices, values=vector.values)

    def query(self, text: str) -> SparseText:
        """Each term once."""
        vector = self._model.embed_query(text)
        return SparseText(indices=vector.indices, values=vector.values)
