"""Conditions narrow a search within its scope, whatever they are; a plain reading of the same rules is the judge."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import ChunkIndex, Conditions, IndexedChunk
from tests.ingestion.index.conftest import asking, chunk_of
from tests.ingestion.index.test_contract import WORDS, key

COLLECTIONS = ("c", "d", "e", "f")
DOCUMENTS = tuple(f"document-{number}" for number in range(8))
TYPES = ("application/pdf", "text/html", "text/plain", "")
LANGUAGES = ("en", "de", "")
START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 40


def expected(chunks: Sequence[IndexedChunk], *, scope: AccessScope, conditions: Conditions) -> set[str]:
    """The ids that may be found, by reading one rule after the other."""
    return {each.chunk_id for each in chunks if _may_be_found(each, scope=scope, conditions=conditions)}


def _may_be_found(chunk: IndexedChunk, *, scope: AccessScope, conditions: Conditions) -> bool:
    has = chunk.attributes
    if has.collection_id not in scope.collection_ids:
        return False
    for allowed, value in (
        (conditions.document_ids, has.document_id),
        (conditions.media_types, has.media_type),
        (conditions.languages, has.language),
    ):
        if allowed and value not in allowed:
            return False
    if conditions.since is None and conditions.until is None:
        return True
    if has.dated is None:
        return False
    return (conditions.since or has.dated) <= has.dated <= (conditions.until or has.dated)


def corpus(source: random.Random, count: int) -> list[IndexedChunk]:
    """Chunks whose attributes are drawn one by one, so that each combination is there."""
    return [
        chunk_of(
            key(number),
            " ".join(source.choices(WORDS, k=6)),
            document=source.choice(DOCUMENTS),
            collection=source.choice(COLLECTIONS),
            media_type=source.choice(TYPES),
            language=source.choice(LANGUAGES),
            dated=source.choice([None, START + timedelta(days=source.randint(0, DAYS))]),
        )
        for number in range(count)
    ]


def some(source: random.Random, values: Sequence[str]) -> frozenset[str]:
    """Often none, and sometimes one that nothing carries."""
    if source.random() < 0.5:
        return frozenset()
    return frozenset(source.choices([*values, "nowhere"], k=source.randint(1, 3)))


def moment(source: random.Random) -> datetime | None:
    """Often none; else a day from before the first to after the last."""
    return None if source.random() < 0.5 else START + timedelta(days=source.randint(-5, DAYS + 5))


def conditions_of(source: random.Random) -> Conditions:
    return Conditions(
        document_ids=some(source, DOCUMENTS),
        media_types=some(source, TYPES),
        languages=some(source, LANGUAGES),
        since=moment(source),
        until=moment(source),
    )


@pytest.mark.parametrize("seed", range(4))
def test_what_is_found_is_within_scope_and_conditions_and_nothing_else_is_left_out(
    index: ChunkIndex, seed: int
) -> None:
    source = random.Random(seed)
    chunks = corpus(source, 40)
    index.upsert(chunks)
    for _ in range(60):
        scope = AccessScope(frozenset(source.sample([*COLLECTIONS, "*"], k=source.randint(0, 4))))
        conditions = conditions_of(source)
        # Each chunk is a candidate of the dense arm, so that the filters alone decide.
        hits = index.search(asking(source.choice(WORDS)), scope=scope, limit=len(chunks), conditions=conditions)
        assert {hit.chunk_id for hit in hits} == expected(chunks, scope=scope, conditions=conditions)


def test_the_filters_hold_after_attributes_change(index: ChunkIndex) -> None:
    source = random.Random(11)
    chunks = {each.chunk_id: each for each in corpus(source, 40)}
    index.upsert(list(chunks.values()))
    scope = AccessScope(frozenset(COLLECTIONS[:2]))
    for document in DOCUMENTS:
        _move(index, chunks, document=document, like=chunks[key(source.randint(0, 39))])
        hits = index.search(asking("leave"), scope=scope, limit=40)
        assert {hit.chunk_id for hit in hits} == expected(list(chunks.values()), scope=scope, conditions=Conditions())


def _move(index: ChunkIndex, chunks: dict[str, IndexedChunk], *, document: str, like: IndexedChunk) -> None:
    """Give the document the attributes of a chunk of another one, in the index and in our list."""
    has = like.attributes
    for chunk_id, each in chunks.items():
        if each.attributes.document_id == document:
            chunks[chunk_id] = chunk_of(chunk_id, each.text, document=document, collection=has.collection_id)
    index.set_attributes(chunk_of("", "", document=document, collection=has.collection_id).attributes)


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (Conditions(), {1, 2, 3}),
        (Conditions(since=START), {1, 2}),
        (Conditions(until=START), {1}),
        (Conditions(since=START, until=START), {1}),
        (Conditions(since=START + timedelta(seconds=1)), {2}),
        (Conditions(since=START + timedelta(days=9), until=START), set()),
        (Conditions(until=START - timedelta(seconds=1)), set()),
        (Conditions(document_ids=frozenset({"outside"})), set()),
    ],
)
def test_bounds_are_inclusive_and_undated_documents_are_outside(
    index: ChunkIndex, conditions: Conditions, found: set[int]
) -> None:
    dates = {1: START, 2: START + timedelta(days=1), 3: None}
    index.upsert([chunk_of(key(number), "leave", document=str(number), dated=day) for number, day in dates.items()])
    index.upsert([chunk_of(key(4), "leave", document="outside", collection="hidden", dated=START)])
    hits = index.search(asking("leave"), scope=AccessScope(frozenset({"c"})), limit=9, conditions=conditions)
    assert {hit.chunk_id for hit in hits} == {key(number) for number in found}
