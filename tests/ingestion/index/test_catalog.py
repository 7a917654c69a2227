"""What every catalog promises: generations are apart, one is live, and moving the alias disturbs nobody."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ingestion.access import AccessScope
from ingestion.errors import IndexInUseError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import ChunkIndex, IndexCatalog, IndexIdentity
from tests.ingestion.index.conftest import asking, chunk_of
from tests.ingestion.index.test_contract import key

SCOPE = AccessScope(frozenset({"c"}))


@contextmanager
def opened(catalog: IndexCatalog, name: str) -> Iterator[ChunkIndex]:
    index = catalog.open(name)
    yield index
    index.close()


def generation(catalog: IndexCatalog, identity: IndexIdentity, text: str) -> str:
    """A generation with one chunk."""
    name = catalog.create(identity)
    with opened(catalog, name) as index:
        index.upsert([chunk_of(key(1), text, document=text)])
    return name


def answer(index: ChunkIndex) -> list[str]:
    return [hit.document_id for hit in index.search(asking("leave"), scope=SCOPE, limit=5)]


def ours(catalog: IndexCatalog, identity: IndexIdentity) -> list[str]:
    """The server is shared with other tests."""
    return [name for name, built in catalog.generations().items() if built == identity]


def test_nothing_is_live_at_first(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    assert catalog.live(identity) is None
    assert ours(catalog, identity) == []


def test_generations_are_numbered_and_know_what_they_were_built_for(
    catalog: IndexCatalog, identity: IndexIdentity
) -> None:
    alias = f"chunks_{identity.embedding_model}_{identity.dimension}_v3"
    names = [catalog.create(identity) for _ in range(3)]
    assert names == [f"{alias}_g1", f"{alias}_g2", f"{alias}_g3"]
    assert ours(catalog, identity) == names
    assert catalog.live(identity) is None
    with opened(catalog, names[1]) as index:
        assert (index.identity, index.count()) == (identity, 0)


def test_the_highest_number_is_not_given_again_while_it_is_there(
    catalog: IndexCatalog, identity: IndexIdentity
) -> None:
    first, second = catalog.create(identity), catalog.create(identity)
    catalog.drop(first)
    assert catalog.create(identity) not in {first, second}


def test_many_may_create_at_once(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: catalog.create(identity), range(8)))
    assert sorted(names) == sorted(ours(catalog, identity))
    assert len(set(names)) == 8


def test_what_is_in_one_generation_is_not_in_another(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    old, new = generation(catalog, identity, "annual leave"), catalog.create(identity)
    with opened(catalog, old) as first, opened(catalog, new) as second:
        assert (first.count(), second.count()) == (1, 0)
        second.upsert([chunk_of(key(2), "sick leave", document="new")])
        first.delete_document("annual leave")
        assert (answer(first), answer(second)) == ([], ["new"])


def test_switching_makes_live_and_an_open_generation_stays_searchable(
    catalog: IndexCatalog, identity: IndexIdentity
) -> None:
    old, new = generation(catalog, identity, "annual leave"), generation(catalog, identity, "sick leave")
    catalog.switch(old)
    assert catalog.live(identity) == old
    with opened(catalog, old) as before:
        catalog.switch(new)
        assert catalog.live(identity) == new
        with opened(catalog, new) as after:
            assert (answer(before), answer(after)) == (["annual leave"], ["sick leave"])
    catalog.switch(old)
    assert catalog.live(identity) == old


def test_switching_to_what_is_live_changes_nothing(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    name = catalog.create(identity)
    for _ in range(2):
        catalog.switch(name)
        assert catalog.live(identity) == name


def test_identities_have_an_alias_each(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    other = replace(identity, embedding_model=f"{identity.embedding_model}-other")
    name = catalog.create(identity)
    catalog.switch(name)
    assert catalog.live(other) is None
    another = catalog.create(other)
    catalog.switch(another)
    assert (catalog.live(identity), catalog.live(other)) == (name, another)


def test_a_live_generation_is_not_dropped(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    old, new = generation(catalog, identity, "annual leave"), catalog.create(identity)
    catalog.switch(old)
    with pytest.raises(IndexInUseError, match=old):
        catalog.drop(old)
    catalog.switch(new)
    catalog.drop(old)
    catalog.drop(old)
    assert ours(catalog, identity) == [new]
    with pytest.raises(IndexUnavailableError):
        catalog.open(old)


def test_who_reads_a_dropped_generation_is_told_so(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    name = generation(catalog, identity, "annual leave")
    with opened(catalog, name) as index:
        catalog.drop(name)
        with pytest.raises(IndexUnavailableError):
            answer(index)
        with pytest.raises(IndexUnavailableError):
            index.upsert([chunk_of(key(2), "x")])
        with pytest.raises(IndexUnavailableError):
            list(index.points())


@pytest.mark.parametrize("name", ["chunks_never_4_v3_g1", "", "..", "chunks_/../..", "legacy", "*"])
def test_no_such_generation_is_unavailable(catalog: IndexCatalog, name: str) -> None:
    with pytest.raises(IndexUnavailableError):
        catalog.open(name)
    with pytest.raises(IndexUnavailableError):
        catalog.switch(name)


def test_another_schema_is_refused_and_can_be_dropped(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    earlier = replace(identity, schema_version=1)
    name = catalog.create(earlier)
    with pytest.raises(IndexMismatchError, match="schema 1"):
        catalog.open(name)
    assert catalog.live(identity) is None
    assert ours(catalog, earlier) == [name]
    catalog.drop(name)
    assert ours(catalog, earlier) == []


def test_two_models_whose_names_come_to_the_same_are_never_mixed(
    catalog: IndexCatalog, identity: IndexIdentity
) -> None:
    twin = replace(identity, embedding_model=identity.embedding_model.upper())
    catalog.switch(catalog.create(identity))
    with pytest.raises(IndexMismatchError):
        catalog.live(twin)


def test_switching_under_searches_gives_no_error_and_no_empty_answer(
    catalog: IndexCatalog, identity: IndexIdentity
) -> None:
    names = [generation(catalog, identity, text) for text in ("annual leave", "sick leave")]
    catalog.switch(names[0])
    done = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(_read_until, done, catalog, identity) for _ in range(3)]
        for number in range(20):
            catalog.switch(names[(number + 1) % 2])
        done.set()
        answers = [each for reader in readers for each in reader.result()]
    assert answers
    assert {tuple(each) for each in answers} <= {("annual leave",), ("sick leave",)}


def _read_until(done: threading.Event, catalog: IndexCatalog, identity: IndexIdentity) -> list[list[str]]:
    """Ask which is live, open it, search it, again and again."""
    answers = []
    while not done.is_set():
        name = catalog.live(identity)
        assert name is not None
        with opened(catalog, name) as index:
            answers.append(answer(index))
    return answers
