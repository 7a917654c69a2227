"""BM25's language is part of what an index is."""

from dataclasses import asdict, replace

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import IndexCatalog, IndexIdentity, IndexQuery
from ingestion.index.languages import LANGUAGES, NO_LANGUAGE
from ingestion.index.payload import alias_of, identity_in
from ingestion.index.sparse import Bm25Encoder
from tests.ingestion.index.conftest import EMBEDDER, chunk_of
from tests.ingestion.index.test_contract import key

SCOPE = AccessScope(frozenset({"c"}))


def found(catalog: IndexCatalog, identity: IndexIdentity, *, text: str, question: str) -> list[str]:
    index = catalog.open(catalog.create(identity))
    index.upsert([chunk_of(key(1), text)])
    query = IndexQuery(text=question, vector=(0.0,) * EMBEDDER.dimension)
    hits = index.search(query, scope=SCOPE, limit=5)
    index.close()
    return [hit.chunk_id for hit in hits]


def test_german_forms_of_a_word_are_one(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    given = {"text": "Die Kündigungsfrist beträgt drei Monate.", "question": "Welche Kündigungsfristen gelten?"}
    assert found(catalog, replace(identity, language="german"), **given) == [key(1)]
    assert found(catalog, identity, **given) == []


def test_no_language_leaves_words_as_they_are(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    plain = replace(identity, language=NO_LANGUAGE)
    assert found(catalog, plain, text="the holidays", question="holiday") == []
    assert found(catalog, plain, text="the holidays", question="The HOLIDAYS") == [key(1)]
    assert found(catalog, plain, text="die Frist", question="die") == [key(1)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_that_can_be_configured_is_known_to_the_engine(language: str) -> None:
    assert Bm25Encoder(language=language).query("2024").indices


def test_another_language_is_another_index(catalog: IndexCatalog, identity: IndexIdentity) -> None:
    german = replace(identity, language="german")
    name = catalog.create(identity)
    catalog.switch(name)
    assert catalog.live(german) is None
    other = catalog.create(german)
    catalog.switch(other)
    assert (catalog.live(identity), catalog.live(german)) == (name, other)
    assert {key: built for key, built in catalog.generations().items() if key in {name, other}} == {
        name: identity,
        other: german,
    }


def test_english_is_what_an_earlier_record_means() -> None:
    record = asdict(IndexIdentity("m", 4))
    assert record.pop("language") == "english"
    assert identity_in(record) == IndexIdentity("m", 4)
    assert identity_in(record | {"language": 3}) is None
    assert identity_in(record | {"colour": "red"}) is None
    assert alias_of(IndexIdentity("m", 4, language="german")) == "chunks_m_4_v3-german"
