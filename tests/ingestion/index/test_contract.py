"""What every index promises, over every index."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingestion.access import AccessScope
from ingestion.errors import IndexUnavailableError
from ingestion.index.base import Attributes, ChunkIndex, IndexedChunk, IndexedPoint, IndexIdentity, IndexQuery
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of

ALL = AccessScope(frozenset({"c", "d", "e"}))
WORDS = ("leave", "travel", "manager", "form", "budget", "laptop", "office", "salary", "holiday", "contract")


def key(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def random_chunks(count: int, *, seed: int = 0, collections: str = "cde") -> list[IndexedChunk]:
    source = random.Random(seed)
    return [
        chunk_of(
            key(number),
            " ".join(source.choices(WORDS, k=6)),
            document=f"document-{number % 5}",
            collection=source.choice(collections),
        )
        for number in range(count)
    ]


def test_empty_index_finds_nothing(index: ChunkIndex) -> None:
    assert index.count() == 0
    assert index.search(asking("leave"), scope=ALL, limit=4) == []


def test_what_was_written_is_found_at_once(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "annual leave", document="a"), chunk_of(key(2), "travel budget", document="b")])
    first = index.search(asking("annual leave"), scope=ALL, limit=2)[0]
    assert (first.chunk_id, first.document_id) == (key(1), "a")
    assert first.score == pytest.approx(1.0, abs=1e-3)
    assert first.dense == pytest.approx(1.0, abs=1e-3)
    assert first.sparse is not None
    assert first.sparse > 0


def test_hits_come_best_first_and_not_more_than_asked(index: ChunkIndex) -> None:
    index.upsert(random_chunks(60))
    hits = index.search(asking("leave travel"), scope=ALL, limit=7)
    assert len(hits) == 7
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0.0 <= hit.score <= 1.0 + 1e-6 for hit in hits)


def test_no_limit_no_hits(index: ChunkIndex) -> None:
    index.upsert(random_chunks(3))
    assert index.search(asking("leave"), scope=ALL, limit=0) == []


def test_writing_twice_replaces(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "annual leave")])
    index.upsert([chunk_of(key(1), "travel budget", document="other")])
    assert index.count() == 1
    assert index.search(asking("travel budget"), scope=ALL, limit=1)[0].document_id == "other"


def test_more_chunks_than_one_batch_are_all_written(index: ChunkIndex) -> None:
    index.upsert(random_chunks(600))
    assert index.count() == 600


def test_deleting_a_document_removes_all_its_points_and_no_other(index: ChunkIndex) -> None:
    index.upsert(random_chunks(50))
    index.delete_document("document-2")
    assert index.count(document_id="document-2") == 0
    assert index.count() == 40
    assert "document-2" not in {hit.document_id for hit in index.search(asking("leave"), scope=ALL, limit=50)}


def test_deleting_what_is_not_there_is_no_error(index: ChunkIndex) -> None:
    index.delete_document("never-seen")
    assert index.count() == 0


def test_a_new_version_replaces_the_older_ones(index: ChunkIndex) -> None:
    for version in (1, 2, 3):
        index.upsert([chunk_of(key(version * 10 + at), "leave", version=version) for at in range(4)])
    index.upsert([chunk_of(key(1), "leave", document="another")])
    index.delete_document("d", except_version=3)
    assert {each.attributes.version for each in index.points() if each.attributes.document_id == "d"} == {3}
    assert (index.count(document_id="d"), index.count(document_id="another")) == (4, 1)


def test_points_are_deleted_one_by_one_and_twice(index: ChunkIndex) -> None:
    index.upsert(random_chunks(40))
    for _ in range(2):
        index.delete_points([key(number) for number in range(10)] + [key(999)])
    index.delete_points([])
    assert {each.chunk_id for each in index.points()} == {key(number) for number in range(10, 40)}


def test_many_points_are_deleted_at_once(index: ChunkIndex) -> None:
    index.upsert(random_chunks(1_500))
    index.delete_points([key(number) for number in range(1_400)])
    assert index.count() == 100


def test_attributes_are_replaced_for_one_version_of_one_document(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(at), "annual leave", version=1 + at % 2) for at in range(6)])
    index.upsert([chunk_of(key(9), "annual leave", document="another", version=2)])
    moved = Attributes("d", 2, "e", 3, "text/html", "de", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    index.set_attributes(moved)
    found = {each.chunk_id: each.attributes for each in index.points()}
    assert [found[key(at)] == moved for at in range(6)] == [False, True] * 3
    assert found[key(9)] == chunk_of("", "", document="another", version=2).attributes
    hits = index.search(asking("annual leave"), scope=AccessScope(frozenset({"e"})), limit=9)
    assert {hit.chunk_id for hit in hits} == {key(1), key(3), key(5)}


def test_attributes_of_what_is_not_there_make_no_point(index: ChunkIndex) -> None:
    index.set_attributes(Attributes("never-seen", 1, "c", 0))
    assert index.count() == 0


def test_every_point_comes_once_in_the_order_of_ids_with_what_it_carries(index: ChunkIndex) -> None:
    chunks = random_chunks(2_345)
    index.upsert(chunks)
    expected = [IndexedPoint(each.chunk_id, each.attributes) for each in sorted(chunks, key=lambda each: each.chunk_id)]
    assert list(index.points()) == expected


def test_no_points_are_no_pages(index: ChunkIndex) -> None:
    assert list(index.points()) == []


def test_dates_come_back_in_utc_and_to_the_second(index: ChunkIndex) -> None:
    moment = datetime(1969, 7, 21, 4, 56, 15, 900_000, tzinfo=timezone(timedelta(hours=2)))
    index.upsert([chunk_of(key(1), "a small step", dated=moment), chunk_of(key(2), "no date")])
    dates = {each.chunk_id: each.attributes.dated for each in index.points()}
    assert dates == {key(1): datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC), key(2): None}


def test_ids_must_be_uuids(index: ChunkIndex) -> None:
    with pytest.raises(IndexUnavailableError):
        index.upsert([chunk_of("not a uuid", "x")])


def test_counting_is_per_document(index: ChunkIndex) -> None:
    index.upsert(random_chunks(50))
    assert [index.count(document_id=f"document-{number}") for number in range(6)] == [10, 10, 10, 10, 10, 0]


def test_empty_scope_finds_nothing(index: ChunkIndex) -> None:
    index.upsert(random_chunks(20))
    assert index.search(asking("leave"), scope=AccessScope(frozenset()), limit=10) == []


def test_unknown_collections_find_nothing(index: ChunkIndex) -> None:
    index.upsert(random_chunks(20))
    assert index.search(asking("leave"), scope=AccessScope(frozenset({"x", "", "*"})), limit=10) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_scope_gives_exactly_the_chunks_within_it(index: ChunkIndex, seed: int) -> None:
    source = random.Random(seed)
    chunks = random_chunks(30, seed=seed)
    index.upsert(chunks)
    for _ in range(8):
        scope = AccessScope(frozenset(source.sample(["c", "d", "e", "f"], k=source.randint(0, 4))))
        hits = index.search(asking(" ".join(source.choices(WORDS, k=3))), scope=scope, limit=100)
        assert {hit.chunk_id for hit in hits} == {
            each.chunk_id for each in chunks if each.attributes.collection_id in scope.collection_ids
        }


def test_a_chunk_that_only_one_arm_finds_is_scored_by_both(index: ChunkIndex) -> None:
    """A hundred chunks are nearer by vector than the one that holds the question's word."""
    near = EMBEDDER.embed_query("zymurgy with others")
    others = [replace(chunk_of(key(number), "plain words"), vector=near) for number in range(100)]
    text = chunk_of(key(1000), "all about zymurgy", document="rare")
    rare = replace(text, vector=EMBEDDER.embed_query("zymurgy and so on"))
    index.upsert([*others, rare])
    hit = index.search(asking("zymurgy"), scope=ALL, limit=5)[0]
    assert hit.document_id == "rare"
    assert hit.dense == pytest.approx(0.5, abs=1e-3)
    assert hit.score == pytest.approx(0.75 * 0.5 + 0.25, abs=1e-3)


@pytest.mark.parametrize("text", ["the of and", "???", "", "\x00", "x" * 100_000, "予算 予算"])
def test_odd_questions_and_texts_are_no_error(index: ChunkIndex, text: str) -> None:
    index.upsert([chunk_of(key(1), text), chunk_of(key(2), "annual leave")])
    assert len(index.search(asking(text), scope=ALL, limit=5)) == 2


def test_question_without_a_vector_is_answered_by_words_alone(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "annual leave"), chunk_of(key(2), "travel budget")])
    query = IndexQuery(text="budget", vector=(0.0,) * EMBEDDER.dimension)
    assert [hit.chunk_id for hit in index.search(query, scope=ALL, limit=5)] == [key(2)]


def test_many_threads_may_write_and_search_at_once(index: ChunkIndex) -> None:
    def work(number: int) -> None:
        index.upsert([chunk_of(key(number * 10 + at), "annual leave", document=f"t{number}") for at in range(10)])
        assert index.search(asking("annual leave"), scope=ALL, limit=3)
        assert index.count(document_id=f"t{number}") == 10

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(18)))
    assert index.count() == 180


def test_identity_is_what_was_asked_for(index: ChunkIndex, identity: IndexIdentity) -> None:
    assert index.identity == identity


def test_all_adapters_score_alike(index: ChunkIndex) -> None:
    """Figures of one run, which each adapter must meet: the same weights, IDF and fusion everywhere."""
    texts = ("annual leave for managers", "annual report", "travel budget and leave")
    index.upsert([chunk_of(key(number), text) for number, text in enumerate(texts)])
    hits = index.search(asking("leave for managers"), scope=ALL, limit=3)
    assert [hit.chunk_id for hit in hits] == [key(0), key(2), key(1)]
    assert [hit.dense for hit in hits] == pytest.approx([0.8660, 0.2887, 0.0], abs=1e-3)
    assert [hit.score for hit in hits] == pytest.approx(EXPECTED_SCORES, abs=1e-2)


EXPECTED_SCORES = [0.8995, 0.298, 0.0]


def test_words_of_the_question_before_count_but_less(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "leave entitlement"), chunk_of(key(2), "shuttle timetable")])
    nothing = (0.0,) * EMBEDDER.dimension

    def found(text: str, earlier: str = "") -> list[str]:
        query = IndexQuery(text=text, vector=nothing, earlier=earlier)
        return [hit.chunk_id for hit in index.search(query, scope=ALL, limit=5)]

    assert found("timetable") == [key(2)]
    assert found("timetable", earlier="leave entitlement") == [key(2), key(1)]
    assert found("", earlier="leave") == [key(1)]


def test_the_share_of_the_cosine_is_the_question_s(index: ChunkIndex) -> None:
    index.upsert([chunk_of(key(1), "alpha beta"), chunk_of(key(2), "gamma")])
    vector = EMBEDDER.embed_query("gamma")

    def best(weight: float) -> str:
        query = IndexQuery(text="alpha", vector=vector, dense_weight=weight)
        return index.search(query, scope=ALL, limit=5)[0].chunk_id

    assert (best(1.0), best(0.0)) == (key(2), key(1))
