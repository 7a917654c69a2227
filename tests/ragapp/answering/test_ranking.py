"""The second stage, and retrieval around it."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder, PairScorer
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.index.base import NO_CONDITIONS, ChunkIndex, Conditions, Hit, IndexQuery
from ragapp.answering import ranking
from ragapp.answering.base import Passage
from ragapp.answering.retrieval import HybridRetriever

SCOPE = AccessScope(frozenset({"c"}))


def hit(key: str, document: str, score: float, dense: float = 0.5) -> Hit:
    return Hit(chunk_id=key, document_id=document, score=score, dense=dense)


def passage(key: str, text: str, score: float = 0.5) -> Passage:
    return Passage(chunk_id=key, document_id=key, collection_id="c", title="", text=text, label=1, score=score)


def test_a_document_with_several_good_passages_beats_a_stray_mention() -> None:
    hits = [hit("stray", "x", 0.62), hit("a", "a", 0.6), hit("a2", "a", 0.58), hit("a3", "a", 0.55)]
    assert [each.chunk_id for each in ranking.supported(hits)] == ["a", "a2", "a3", "stray"]


def test_a_far_better_passage_needs_no_support() -> None:
    hits = [hit("alone", "x", 0.9), hit("a", "a", 0.6), hit("a2", "a", 0.6), hit("a3", "a", 0.6)]
    assert ranking.supported(hits)[0].chunk_id == "alone"


def test_passages_that_are_all_alone_keep_their_order_and_scores_stay_in_bounds() -> None:
    hits = [hit(str(number), str(number), 1 - number / 50) for number in range(50)]
    ranked = ranking.supported(hits)
    assert [each.chunk_id for each in ranked] == [each.chunk_id for each in hits]
    assert all(0.0 <= each.score <= 1.0 for each in ranking.supported([hit(str(n), "one", 1.0) for n in range(9)]))
    assert ranking.supported([]) == []


def test_the_best_are_read_again_and_the_others_stay_behind_them() -> None:
    found = [passage(str(number), "nothing of that", 0.9 - number / 100) for number in range(15)]
    found[11] = passage("right", "leave of 25 days", 0.7)
    found[14] = passage("too late", "leave of 25 days", 0.6)
    ranked = ranking.read_again("25 days leave", found, scorer=HashingEmbedder())
    assert ranked[0].chunk_id == "right"
    assert [each.chunk_id for each in ranked[12:]] == ["12", "13", "too late"]
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)


class FixedIndex:
    def __init__(self, *hits: Hit) -> None:
        self.asked: list[tuple[IndexQuery, int]] = []
        self._hits = hits

    def search(
        self, query: IndexQuery, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS
    ) -> list[Hit]:
        self.asked.append((query, limit))
        return list(self._hits)


class Store:
    def __init__(self, *passages: Passage) -> None:
        self._known = {each.chunk_id: each for each in passages}

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        return {key: self._known[key] for key in chunk_ids if key in self._known}

    def following(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        return {}


def retriever(
    index: FixedIndex, *passages: Passage, embedder: object = None, second_stage: bool = True
) -> HybridRetriever:
    chosen = cast(Embedder, embedder or HashingEmbedder())
    return HybridRetriever(
        embedder=lambda: chosen,
        index=lambda: cast(ChunkIndex, index),
        store=Store(*passages),
        relevance_threshold=0.3,
        second_stage=second_stage,
    )


def test_only_what_sql_knows_is_ranked_and_every_stage_is_timed() -> None:
    index = FixedIndex(hit("gone", "gone", 0.9), hit("a", "a", 0.8))
    found = retriever(index, passage("a", "25 days")).retrieve("25 days?", scope=SCOPE, limit=4)
    assert [each.chunk_id for each in found.passages] == ["a"]
    assert (found.relevant, set(found.timings)) == (True, {"embed", "search", "check", "rank", "neighbours"})


def test_a_follow_up_is_bent_towards_what_was_asked_before() -> None:
    index = FixedIndex()
    embedder = HashingEmbedder()
    retriever(index).retrieve("And for part-timers?", scope=SCOPE, limit=4, earlier="How many days of leave?")
    ((query, _),) = index.asked
    alone = embedder.embed_query("And for part-timers?")
    before = embedder.embed_query("How many days of leave?")

    def cosine(first: Sequence[float], second: Sequence[float]) -> float:
        return sum(a * b for a, b in zip(first, second, strict=True))

    assert query.earlier == "How many days of leave?"
    assert cosine(query.vector, query.vector) == pytest.approx(1.0)
    assert cosine(query.vector, before) > cosine(alone, before) + 0.1
    assert cosine(query.vector, alone) > cosine(query.vector, before), "the question itself leads"


def test_an_embedder_of_whole_texts_alone_ranks_by_the_first_stage() -> None:
    class Whole:
        name, dimension, max_tokens = "whole", 2, 256

        def embed_query(self, text: str) -> tuple[float, ...]:
            return (1.0, 0.0)

    index = FixedIndex(hit("a", "a", 0.9), hit("b", "b", 0.8))
    texts = (passage("a", "other words"), passage("b", "25 days"))
    assert [each.chunk_id for each in retriever(index, *texts).retrieve("25 days", scope=SCOPE, limit=2).passages] == [
        "b", "a",
    ]  # fmt: skip
    for plain in (retriever(index, *texts, embedder=Whole()), retriever(index, *texts, second_stage=False)):
        assert [each.chunk_id for each in plain.retrieve("25 days", scope=SCOPE, limit=2).passages] == ["a", "b"]


def test_how_many_are_asked_for_changes_nothing_among_the_first() -> None:
    hits = [hit(str(number), f"d{number % 7}", 1 - number / 200) for number in range(90)]
    few = [each.chunk_id for each in ranking.supported(hits[: ranking.CANDIDATES])]
    assert [each.chunk_id for each in ranking.supported(hits)][:20] == few[:20]


def test_a_follow_up_s_own_words_do_not_overrule_what_it_follows_up() -> None:
    texts = (passage("leave", "annual leave by years of service"), passage("stray", "and after five years"))
    index = FixedIndex(hit("leave", "leave", 0.6), hit("stray", "stray", 0.5))
    asked = retriever(index, *texts)
    follow_up = asked.retrieve("And after five years?", scope=SCOPE, limit=2, earlier="How many days of leave?")
    alone = asked.retrieve("And after five years?", scope=SCOPE, limit=2)
    assert [found.passages[0].chunk_id for found in (follow_up, alone)] == ["leave", "stray"]


def test_a_cross_encoder_takes_the_place_of_late_interaction() -> None:
    class Pairs:
        def pair_scores(self, question: str, texts: Sequence[str]) -> list[float]:
            return [float("twelve weeks" in text) for text in texts]

    first, second = passage("a", "Leave, leave and leave."), passage("b", "It lasts twelve weeks.")
    index = FixedIndex(hit("a", "a", 0.8), hit("b", "b", 0.6))
    searching = HybridRetriever(
        embedder=HashingEmbedder,
        index=lambda: cast(ChunkIndex, index),
        store=Store(first, second),
        relevance_threshold=0.3,
        pair_scorer=lambda: cast(PairScorer, Pairs()),
    )
    found = searching.retrieve("How long is leave?", scope=SCOPE, limit=2).passages
    assert [each.chunk_id for each in found] == ["b", "a"]


def test_a_bare_identifier_opens_the_gate_that_no_cosine_would() -> None:
    named = passage("a", "Invoice INV-2024-00417 was paid in May.")
    index = FixedIndex(hit("a", "a", 0.5, dense=0.1))
    assert retriever(index, named).retrieve("INV-2024-00417", scope=SCOPE, limit=2).relevant
    assert not retriever(index, named).retrieve("INV-2024-00418", scope=SCOPE, limit=2).relevant


def test_a_decimal_in_a_question_opens_no_gate() -> None:
    index = FixedIndex(hit("a", "a", 0.5, dense=0.02))
    overtime = passage("a", "Overtime is paid at 1.5 times the hourly rate, 24/7.")
    question = "How do I make jam from 1.5 kg of plums, 24/7?"
    assert not retriever(index, overtime).retrieve(question, scope=SCOPE, limit=2).relevant
