"""BM25 as sparse vectors, the same for every adapter, so that their scores agree. The engine brings the IDF."""

from dataclasses import dataclass

from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet

from ingestion.index.languages import ENGLISH, NO_LANGUAGE
from ingestion.index.literal import passage_terms, question_terms

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
    """Stop words and stems of `language`; words of other languages pass as they are, in lower case.

    Raises ValueError for a language that is not one of LANGUAGES.
    """

    def __init__(self, *, language: str = ENGLISH) -> None:
        self._model = Bm25(_config(language))

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


def literal_document(text: str) -> SparseText:
    """Identifiers and pairs of words, each of weight 1, in any language."""
    terms = passage_terms(text)
    return SparseText(indices=terms, values=[1.0] * len(terms))


def literal_query(text: str) -> SparseText:
    """Identifiers and quoted phrases; empty for a question that has none."""
    terms = question_terms(text)
    return SparseText(indices=terms, values=[1.0] * len(terms))


def _config(language: str) -> Bm25Config:
    if language == NO_LANGUAGE:
        return Bm25Config(stopwords=StopwordsSet(custom=set()), stemmer=DisabledStemmer(), avg_len=_AVERAGE_WORDS)
    return Bm25Config(language=language, avg_len=_AVERAGE_WORDS)
