"""Does a passage support a sentence? Words and meaning together, and numbers strictly.

    support = 0.4 · share of the sentence's words, rare ones weighing more + 0.6 · cosine with the nearest span

Measured on gold answers of two public sets against their gold passages and against others' (docs/quality.md).
"""

import math
import operator
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ingestion.embedding.base import Vector
from ragapp.answering.base import Passage
from ragapp.answering.sentences import sentences_of

WORDS_SHARE = 0.4
# With the cosine: 95 % of supported sentences are above it, 3 % of others. By words alone: of eleven answers over HR
# documents each sentence scored 0.38 to 1.00 on its passages, and 0.34 or less on random ones.
_THRESHOLD = 0.44
_WORDS_THRESHOLD = 0.36
# So much of a sentence's weight must a second passage add to be cited with the first.
_COMPLETES = 0.3
# Passages that support it about as well as the best are cited with it: they may be read in its place.
_AS_GOOD = 0.1
_MOST_CITED = 3
# A sentence of so few words means something only as the answer to its question.
_ELLIPTIC = 3

_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"^[1-9]\d{0,2}(?:[.,]\d{3})+$")
NUMERALS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip
_STOPWORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can do does for from had has have if in into is it its may must no not of "
        "on or shall should so such than that the their them then there these they this to was were what when where "
        "which who will with would you your",
    )
)


class TextEmbedder(Protocol):
    """The part of an embedder that is needed here."""

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One unit vector a text, in order."""
        ...


@dataclass(frozen=True)
class _Read:
    """A passage, taken apart."""

    words: frozenset[str]
    numbers: frozenset[str]
    spans: tuple[str, ...]


class Support:
    """Which passages support a sentence of an answer. The sentence may repeat the question's numbers.

    Without an `embedder` words decide alone.
    """

    def __init__(self, passages: Sequence[Passage], *, question: str, embedder: TextEmbedder | None) -> None:
        self.passages = tuple(passages)
        self.question = question
        self._read = [_taken_apart(passage) for passage in passages]
        self._frequency = Counter(word for read in self._read for word in read.words)
        self._embedder = embedder
        self._vectors: dict[str, Vector] = {}

    def supporters(self, sentence: str) -> list[int]:
        """Indexes of the passages that support the sentence, alone or together, the best first; [] where none does."""
        words = frozenset(words_of(sentence))
        if not words or not self._read:
            return []
        scores = self.scores(sentence)
        able = [index for index, score in enumerate(scores) if score >= self.threshold]
        able.sort(key=lambda index: -scores[index])
        telling = [index for index in able if self._has_numbers(sentence, [index])]
        if telling:
            near = [index for index in telling if scores[index] >= scores[telling[0]] - _AS_GOOD][:_MOST_CITED]
            return near if len(near) > 1 else self._completed(words, near[0])
        together = self._completed(words, able[0]) if able else []
        return together if self._has_numbers(sentence, together) else []

    def cosine(self, one: str, other: str) -> float:
        """Of two spans; 1.0 without an embedder. The vectors that attribution has made are used again."""
        if self._embedder is None:
            return 1.0
        self._embed([one, other])
        return self._nearest(one, [other])

    @property
    def threshold(self) -> float:
        """From this score on a passage supports a sentence, where it has the sentence's numbers."""
        return _WORDS_THRESHOLD if self._embedder is None else _THRESHOLD

    def scores(self, sentence: str) -> list[float]:
        """One a passage: how well it supports the sentence, but for its numbers; 0.0 for a sentence without words."""
        words = frozenset(words_of(sentence))
        shares = [self._share(words, read.words) if words else 0.0 for read in self._read]
        if self._embedder is None or not words:
            return shares
        meaning = sentence if len(words) > _ELLIPTIC else f"{self.question} {sentence}"
        self._embed([meaning, *(span for read in self._read for span in read.spans)])
        meant = [self._nearest(meaning, read.spans) for read in self._read]
        return [WORDS_SHARE * share + (1 - WORDS_SHARE) * cosine for share, cosine in zip(shares, meant, strict=True)]

    def _embed(self, texts: Sequence[str]) -> None:
        unknown = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if unknown and self._embedder is not None:
            self._vectors.update(zip(unknown, self._embedder.embed_documents(unknown), strict=True))

    def _nearest(self, meaning: str, spans: Sequence[str]) -> float:
        wanted = self._vectors[meaning]
        return max((sum(map(operator.mul, wanted, self._vectors[span])) for span in spans), default=0.0)

    def _completed(self, words: frozenset[str], first: int) -> list[int]:
        """With the passage that has most of what the first lacks, where that is much."""
        missing = words - self._read[first].words
        added = [self._share(words, read.words & missing) for read in self._read]
        second = max(range(len(added)), key=added.__getitem__)
        return [first, second] if added[second] >= _COMPLETES else [first]

    def _has_numbers(self, sentence: str, chosen: Sequence[int]) -> bool:
        there = numbers_in(self.question).union(*(self._read[i].numbers for i in chosen))
        return numbers_in(sentence) <= there

    def _share(self, words: frozenset[str], present: frozenset[str]) -> float:
        return sum(map(self._weight, words & present)) / sum(map(self._weight, words))

    def _weight(self, word: str) -> float:
        rarity = math.log(1 + (len(self._read) + 1) / (self._frequency[word] + 0.5))
        return rarity * (2.0 if any(c.isdigit() for c in word) else 1.0)


def words_of(text: str) -> list[str]:
    """Its words but for stop words, stemmed lightly: 'days' is 'day' and 'reported' is 'report'."""
    return [_stem(word) for word in _WORD.findall(text.lower().replace(",", "")) if word not in _STOPWORDS]


def numbers_in(text: str) -> frozenset[str]:
    """Its numbers, written one way: '1,250', '1.250' and '1250' are one, and so are 'five' and '5'."""
    digits = {_one_way(number) for number in _NUMBER.findall(text)}
    return frozenset(digits | {NUMERALS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in NUMERALS})


def _one_way(number: str) -> str:
    plain = re.sub(r"[.,]", "", number) if _GROUPED.match(number) else number.replace(",", ".")
    return plain.lstrip("0") or "0"


def _taken_apart(passage: Passage) -> _Read:
    whole = f"{passage.title} {passage.heading} {passage.text}"
    spans = [span.strip() for span, _ in sentences_of(passage.text) if _WORD.search(span)]
    pairs = [f"{first} {second}" for first, second in pairwise(spans)]
    return _Read(words=frozenset(words_of(whole)), numbers=numbers_in(whole), spans=(*spans, *pairs))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word[0].isdigit():
            return word[: -len(ending)]
    return word
