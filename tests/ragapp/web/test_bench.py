"""The bench: two configurations side by side, in another's rights, never past one's own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from ingestion import engine
from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder
from ingestion.errors import EmbedderUnavailableError, IndexUnavailableError
from ingestion.index.base import Attributes, IndexedChunk
from ingestion.models import Document
from ragapp import wiring
from ragapp.chat.models import Message
from ragapp.evaluation.bench import Side, Trial, side_by_side
from ragapp.evaluation.models import EvaluationRun
from tests.ingestion.integrity.corpus import EMBEDDER
from tests.ragapp.web.world import World, browser_of, passage_in

DEFAULTS = {
    "a-dense_weight": "0.75", "a-second_stage": "on", "a-limit": "10",
    "b-dense_weight": "0", "b-limit": "10",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "INGESTION", settings.INGESTION.model_copy(update={"index_dir": tmp_path / "index"}))
    engine.close()
    with patch.object(engine, "embedder", lambda: EMBEDDER):
        yield
    engine.close()


def indexed(document: Document, *texts: str) -> None:
    """The document's passages, searchable."""
    chunks = [passage_in(document, text=text, ordinal=ordinal) for ordinal, text in enumerate(texts, start=1)]
    engine.index().upsert(
        [
            IndexedChunk(
                chunk_id=str(chunk.pk),
                text=chunk.text,
                vector=vector,
                attributes=Attributes(
                    document_id=str(document.pk), version=1, collection_id=str(document.collection_id), label=1
                ),
            )
            for chunk, vector in zip(chunks, EMBEDDER.embed_documents(list(texts)), strict=True)
        ]
    )


@pytest.fixture(autouse=True)
def _searchable(world: World, _index: None) -> None:
    indexed(world.leave, "Parental leave is twelve weeks.", "Leave is asked for in writing.")
    indexed(world.secret, "The leave of the board is secret.")


def searched(world: World, **given: object) -> HttpResponse:
    user = given.pop("user", world.admin)
    body = {**DEFAULTS, "question": "parental leave", "user": str(getattr(user, "pk", user)), **given}
    return browser_of(world.admin).post(reverse("web:bench"), body)  # type: ignore[return-value]


def test_both_sides_show_rank_scores_timings_and_the_gate(world: World) -> None:
    page = searched(world).content.decode()
    for words in (
        "dense weight 0.75, second stage on, 10 passages",
        "dense weight 0, second stage off, 10 passages",
        "Parental leave is twelve weeks.",
        "cosine <b>",
        "BM25 <b>",
        "threshold 0.35",
        "embed <b>",
        "The leave of the board is secret.",
    ):
        assert words in page
    assert page.count('<ol class="found">') == 2


def test_a_search_with_anothers_rights_finds_what_they_find(world: World) -> None:
    page = searched(world, user=world.reader).content.decode()
    assert "Parental leave is twelve weeks." in page
    assert "board" not in page


def test_a_search_stays_in_the_chosen_collections(world: World) -> None:
    page = searched(world, collections=[str(world.vault.pk)]).content.decode()
    assert "The leave of the board is secret." in page
    assert "twelve weeks" not in page
    page = searched(world, user=world.reader, collections=[str(world.vault.pk)]).content.decode()
    assert "may read nothing of the chosen collections" in page


def both(world: World, *, reader: AccessScope, question: str = "leave", limits: tuple[int, int] = (10, 10)) -> Side:
    everything = AccessScope(frozenset({str(world.handbook.pk), str(world.vault.pk)}))
    trial = Trial(question=question, rights=everything, reader=reader)
    return side_by_side(trial, wiring.retriever(), wiring.retriever(dense_weight=0.0), limits=limits)[0]


def test_what_the_admin_may_not_read_is_counted_and_not_shown(world: World) -> None:
    own = AccessScope(frozenset({str(world.handbook.pk)}))
    side = both(world, reader=own)
    assert side.hidden == 1
    assert {each.passage.collection_id for each in side.ranked} == own.collection_ids
    assert both(world, reader=AccessScope(frozenset())).ranked == ()
    assert both(world, reader=AccessScope(frozenset())).best is None


def test_a_rank_is_compared_with_the_other_side(world: World) -> None:
    everything = AccessScope(frozenset({str(world.handbook.pk), str(world.vault.pk)}))
    side = both(world, reader=everything, limits=(10, 1))
    assert [each.other_rank is None for each in side.ranked].count(False) == 1
    moved = replace(side.ranked[0], rank=3, other_rank=1)
    assert (moved.change, moved.lower) == (-2, 2)


def test_an_outage_is_told_as_its_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise IndexUnavailableError("refused")

    monkeypatch.setattr(engine, "index", down)
    page = searched(world).content.decode()
    assert page.count("The search index is not available.") == 2
    assert "refused" not in page

    class Silent:
        name, dimension = "hashing", 64

        def embed_query(self, text: str) -> Embedder:
            raise EmbedderUnavailableError("timeout")

    monkeypatch.setattr(engine, "embedder", Silent)
    assert searched(world).content.decode().count("The embedding model is not available.") == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("a-dense_weight", "1.5"), ("b-limit", "0"), ("question", " "), ("user", "nobody"), ("collections", "all")],
)
def test_what_cannot_be_searched_for_is_refused(world: World, field: str, value: str) -> None:
    response = searched(world, **{field: value})
    assert response.status_code == 422
    assert '<ol class="found">' not in response.content.decode()


def test_nothing_is_stored_and_no_address_holds_the_question(world: World) -> None:
    before = Message.objects.count()
    response = searched(world, question="who earns what", earlier="what is a wage?")
    assert (response.status_code, "Location" in response) == (200, False)
    assert "no-store" in response["Cache-Control"]
    assert (Message.objects.count(), EvaluationRun.objects.count()) == (before, 0)


def test_a_question_in_an_address_is_not_searched_for(world: World) -> None:
    page = browser_of(world.admin).get(reverse("web:bench"), {"question": "parental leave"}).content.decode()
    assert "twelve weeks" not in page


def test_the_bench_is_for_admins(world: World) -> None:
    assert browser_of(world.reader).get(reverse("web:bench")).status_code == 403
