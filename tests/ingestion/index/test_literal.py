"""Identifiers and quoted phrases: what becomes a term, and that it wins in every index."""

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import ChunkIndex, IndexQuery
from ingestion.index.literal import identifiers_of, names_any, passage_terms, question_terms
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of
from tests.ingestion.index.test_contract import key

SCOPE = AccessScope(frozenset({"c"}))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("INV-2024-00417", "INV-2024-00417"),
        ("INV-2024-00417", "when was inv 2024 00417 paid?"),
        ("INV-2024-00417", "INV202400417"),
        ("INV 2024 00417", "INV-2024-00417"),
        ("part no 7C-1138/B, boxed", "7c 1138 b"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("call +49 30 1234-567", "+4930 1234567"),
        ("ISO 27001:2022 A.8.12", "what does A.8.12 require?"),
        ("stops with E_CONN_0x80070057.", "e_conn_0x80070057?"),
        ("anna.meier@example.com", "who is anna.meier@example.com"),
        ("in report_final.pdf", "report_final.pdf"),
        ("order 4500012345", "4500012345"),
        ("since 2.13.0", "What changed in 2.13.0?"),
        ("non-breaking INV\u20112024\u201100417", "INV-2024-00417"),
    ],
)
def test_an_identifier_is_recognised_however_it_is_grouped(written: str, asked: str) -> None:
    assert names_any(identifiers_of(asked), f"As agreed: {written}, and so on.")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("INV-2024-00417", "INV-2024-00418"),
        ("release 21.3.0", "2.13.0"),
        ("10.20.30.40", "10.20.30.41"),
        ("anna.maier@example.com", "anna.meier@example.com"),
        ("in 2024", "what happened in 2024?"),
        ("in the 10th century", "the 10th century"),
        ("full-time and/or part-time", "full-time and/or part-time"),
        ("", ""),
    ],
)
def test_what_is_almost_the_same_or_says_nothing_is_not(written: str, asked: str) -> None:
    # What differs in its groups alone shares the form without them, and is ranked below.
    if names_any(identifiers_of(asked), written):
        assert len(set(question_terms(asked)) & set(passage_terms(written))) < len(question_terms(asked))
        assert "." in asked


@pytest.mark.parametrize(
    "quoted", ['"terms of payment"', "“terms of payment”", "„terms of payment“", "«terms of payment»"]
)
def test_a_quoted_phrase_is_its_neighbouring_words(quoted: str) -> None:
    asked = set(question_terms(f"Where do we say {quoted}?"))
    assert len(asked) == 2
    assert asked <= set(passage_terms("The TERMS of payment are these."))
    assert len(asked & set(passage_terms("The payment of terms is due."))) < 2
    assert question_terms("terms of payment") == []


def test_the_passage_with_the_identifier_comes_before_its_near_misses(index: ChunkIndex) -> None:
    texts = [f"Supplier invoice INV-2024-0041{at} was paid for the annual audit" for at in range(10)]
    index.upsert([chunk_of(key(at), text) for at, text in enumerate(texts)])
    first, second = index.search(asking("inv 2024 00417"), scope=SCOPE, limit=2)
    assert (first.chunk_id, first.literal) == (key(7), 1.0)
    assert first.score > second.score + 0.2


def test_a_quoted_phrase_comes_before_the_same_words_in_another_order(index: ChunkIndex) -> None:
    orders = ["budget of the annual report", "report of the annual budget", "annual report of the budget"]
    index.upsert([chunk_of(key(at), f"{order} {'words ' * at}") for at, order in enumerate(orders)])
    for at, order in enumerate(orders):
        assert index.search(asking(f'Find "{order}"'), scope=SCOPE, limit=1)[0].chunk_id == key(at)


def test_what_stands_everywhere_decides_nothing(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(at), f"18F-team and {word}") for at, word in enumerate(["leave"] + ["travel"] * 60)])
    hits = index.search(asking("leave in the 18F-team"), scope=SCOPE, limit=3)
    plain = index.search(asking("leave in the team"), scope=SCOPE, limit=3)
    assert hits[0].chunk_id == plain[0].chunk_id == key(0)
    assert hits[0].literal is not None
    assert plain[0].literal is None


def test_an_arm_alone_stays_alone(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "INV-2024-00417"), chunk_of(key(2), "leave")])
    query = IndexQuery("INV-2024-00417", EMBEDDER.embed_query("leave"), dense_weight=1.0)
    assert [hit.literal for hit in index.search(query, scope=SCOPE, limit=2)] == [None, None]
    assert index.search(query, scope=SCOPE, limit=2)[0].chunk_id == key(2)


def test_an_identifier_is_not_found_outside_the_scope(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "INV-2024-00417", collection="other"), chunk_of(key(2), "leave")])
    assert {hit.chunk_id for hit in index.search(asking('"INV-2024-00417"'), scope=SCOPE, limit=5)} == {key(2)}
