"""BM25 as sparse vectors, the same for every adapter, so that their scores agree. The engine brings the IDF."""

from dataclasses import dataclass

from qdrant_edge import Bm25, Bm25Config

# Words left of a chunk after stop words go; BM25 weighs a chunk's length against it.
_AVERAGE_WORDS = 80.0
# Of the question before: measured on mtrag_open (docs/quality.md).
_EARLIER_WEIGHT = 0.4


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

    def query(self, text: str, *, earlier: str = "") -> SparseText:
        """Each term once. Those of the question `earlier`, where there is one, are added with less weight."""
        asked = self._model.embed_query(text)
        weights = dict(zip(asked.indices, asked.values, strict=True))
        if earlier:
            before = self._model.embed_query(earlier)
            for index, value in zip(before.indices, before.values, strict=True):
                weights[index] = weights.get(index, 0.0) + _EARLIER_WEIGHT * value
        return SparseText(indices=list(weights), values=list(weights.values()))
