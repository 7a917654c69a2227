"""Which of the ranked passages the model is given, and why the others are not."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ragapp.answering.base import Dropped, Passage, Reason
from ragapp.answering.support import words_of

# Of the longer passage's runs of three words, so many in the other make it a copy: a page number may differ, a rule's
# amount may not.
_COPY = 0.9
_RUN = 3
# The child's context of 4,096 tokens holds the instructions, a question of 4,000 characters and the answer besides.
_MOST_CHARACTERS = 8_000
# A comparison is not served by a document that is only mentioned: its passages must be near the best.
_NEAR = 0.6
_ENDED = re.compile(r"[.!?…:][\"')\]”»]*\s*$")
_GOES_ON = re.compile(r"\s*(?:[a-zà-ÿ]|[-*•|]\s|\d+[.)]\s)")
_COMPARES = re.compile(
    r"\b(compare[ds]?|comparison|comparing|differ(?:s|ence|ences|ent)?|versus|vs|both|better|cheaper|between .+ and)\b"
    r"|\b(unterschied\w*|vergleich\w*|différences?|diferencias?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Selection:
    """`given` in the order of the ranking, and the others with the reason, in that order too."""

    given: tuple[Passage, ...]
    dropped: tuple[Dropped, ...]


def select(question: str, ranked: Sequence[Passage], *, limit: int, following: Mapping[str, Passage]) -> Selection:
    """At most `limit` passages that fit the prompt, no two the same, of several documents where the question compares.

    Where one of the best runs on into what follows it, that comes with it. The best passage is always given.
    """
    ranked = _with_following(ranked, following)
    chosen = _Chosen(limit=limit, per_document=_per_document(question, ranked, limit=limit))
    dropped = []
    for passage in ranked:
        reason = chosen.refuses(passage)
        if reason is None:
            chosen.add(passage)
        else:
            dropped.append(Dropped(passage, reason))
    return Selection(given=tuple(chosen.passages), dropped=tuple(dropped))


class _Chosen:
    """The passages so far, and what they leave room for."""

    def __init__(self, *, limit: int, per_document: int) -> None:
        self.passages: list[Passage] = []
        self._limit = limit
        self._per_document = per_document
        self._runs: list[frozenset[tuple[str, ...]]] = []
        self._of_document: Counter[str] = Counter()
        self._characters = 0

    def refuses(self, passage: Passage) -> Reason | None:
        """Why it cannot be added, or None."""
        own = _runs(passage.text)
        if any(_is_copy(own, runs) for runs in self._runs):
            return Reason.DUPLICATE
        if len(self.passages) >= self._limit:
            return Reason.OUTRANKED
        if self._of_document[passage.document_id] >= self._per_document:
            return Reason.CROWDED
        if self.passages and self._characters + len(passage.text) > _MOST_CHARACTERS:
            return Reason.NO_ROOM
        return None

    def add(self, passage: Passage) -> None:
        """It is given."""
        self.passages.append(passage)
        self._runs.append(_runs(passage.text))
        self._of_document[passage.document_id] += 1
        self._characters += len(passage.text)


def _with_following(ranked: Sequence[Passage], following: Mapping[str, Passage]) -> list[Passage]:
    """Behind a passage that runs on, what follows it, as good as itself; once, wherever else it was found."""
    wanted = {
        passage.chunk_id: replace(following[passage.chunk_id], score=passage.score, dense=passage.dense)
        for passage in ranked
        if passage.chunk_id in following and _runs_on(passage.text, following[passage.chunk_id].text)
    }
    moved = {passage.chunk_id for passage in wanted.values()}
    result: list[Passage] = []
    for passage in ranked:
        if passage.chunk_id not in moved or passage is ranked[0]:
            result.append(passage)
        if passage.chunk_id in wanted and wanted[passage.chunk_id].chunk_id != ranked[0].chunk_id:
            result.append(wanted[passage.chunk_id])
    return result


def _runs_on(text: str, after: str) -> bool:
    """In the middle of a sentence, a list or a table."""
    return not _ENDED.search(text) or bool(_GOES_ON.match(after))


def _per_document(question: str, ranked: Sequence[Passage], *, limit: int) -> int:
    """Half of them, where the question compares and another document has something near the best."""
    near = {passage.document_id for passage in ranked if passage.score >= _NEAR * ranked[0].score}
    return max(limit // 2, 1) if len(near) > 1 and _COMPARES.search(question) else limit


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = words_of(text)
    return frozenset(tuple(words[i : i + _RUN]) for i in range(max(len(words) - _RUN + 1, 1)))


def _is_copy(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    return bool(one) and len(one & other) >= _COPY * max(len(one), len(other))
