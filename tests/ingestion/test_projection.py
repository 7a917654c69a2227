"""SQL's truth into an index, over real rows and an index in memory."""

from dataclasses import replace
from unittest.mock import patch
from uuid import uuid4

import pytest

from ingestion import projection
from ingestion.embedding.base import Vector
from ingestion.errors import IndexMismatchError
from ingestion.index.base import IndexedChunk, IndexIdentity
from ingestion.models import Chunk, ChunkEmbedding, Document, DocumentState, Label
from ingestion.projection import differences, project
from ingestion.publishing import attributes_of, unpacked
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, go_live, texts, version
from tests.ingestion.integrity.memory_index import MemoryIndex

pytestmark = pytest.mark.django_db


@pytest.fixture
def index() -> MemoryIndex:
    return MemoryIndex(IDENTITY)


@pytest.fixture
def small_windows() -> object:
    with patch.object(projection, "_WINDOW", 7) as patched:
        yield patched


def test_an_empty_index_becomes_equal(index: MemoryIndex) -> None:
    made = document(collection(), *texts(20))
    done = project(index, EMBEDDER)
    assert (done.written, done.deleted, done.updated) == (20, 0, 0)
    assert set(index.held) == {str(key) for key in Chunk.objects.values_list("pk", flat=True)}
    point = next(iter(index.held.values()))
    assert point.attributes == attributes_of(made)
    assert point.text.startswith("a.txt\nleave passage")
    assert differences(index).count == 0


@pytest.mark.usefixtures("small_windows")
def test_windows_meet_without_gap_whichever_side_is_larger(index: MemoryIndex) -> None:
    home = collection()
    for number in range(5):
        document(home, *texts(9), name=f"{number}.txt")
    project(index, EMBEDDER)
    assert index.count() == 45
    lost = sorted(index.held)[3:30]
    index.delete_points(lost)
    for number in range(40):
        orphan = replace(next(iter(index.held.values())), chunk_id=str(uuid4()))
        index.held[orphan.chunk_id] = orphan
        assert orphan.attributes.version == 1, number
    found = differences(index)
    assert (found.missing.count, found.orphans.count) == (27, 40)
    assert set(found.missing.named) == set(lost)
    done = project(index, EMBEDDER)
    assert (done.written, done.deleted) == (27, 40)
    assert project(index, EMBEDDER).changes == 0


def test_what_is_there_already_is_not_written_again(index: MemoryIndex) -> None:
    document(collection(), *texts(10))
    project(index, EMBEDDER)
    index.writes.clear()
    assert project(index, EMBEDDER).changes == 0
    assert index.writes == []


@pytest.mark.usefixtures("small_windows")
def test_a_stopped_projection_goes_on_where_it_was(index: MemoryIndex) -> None:
    document(collection(), *texts(30))
    asked = iter([False, False, True])
    stopped = project(index, EMBEDDER, should_stop=lambda: next(asked))
    assert stopped.stopped
    assert 0 < stopped.written < 30
    done = project(index, EMBEDDER)
    assert done.written == 30 - stopped.written
    assert len(index.writes) == len(set(index.writes)) == 30


def test_kept_vectors_are_used_and_no_model_is_asked(index: MemoryIndex) -> None:
    document(collection(), *texts(5))
    with patch.object(type(EMBEDDER), "embed_documents", side_effect=AssertionError("embedded")):
        assert project(index, EMBEDDER).written == 5


def test_vectors_that_are_lacking_or_of_another_dimension_are_made_and_kept(index: MemoryIndex) -> None:
    made = document(collection(), *texts(5), embedded=False)
    odd = made.chunks.first()
    assert odd is not None
    ChunkEmbedding.objects.create(chunk=odd, model=EMBEDDER.name, vector=b"\0" * 12)
    project(index, EMBEDDER)
    kept = ChunkEmbedding.objects.filter(model=EMBEDDER.name)
    assert kept.count() == 5
    for row in kept:
        assert unpacked(bytes(row.vector)) == pytest.approx(index.held[str(row.chunk_id)].vector, abs=1e-6)


def test_another_model_is_refused(index: MemoryIndex) -> None:
    with pytest.raises(IndexMismatchError):
        project(MemoryIndex(IndexIdentity("other", 64)), EMBEDDER)


def test_only_the_live_version_is_in_and_the_one_being_read_is_left_alone(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))
    project(index, EMBEDDER)
    version(made, 2, texts(3, about="travel"))
    Document.objects.filter(pk=made.pk).update(state=DocumentState.PROCESSING)
    second = Chunk.objects.filter(version=2)
    coming = replace(attributes_of(made), version=2)
    index.upsert([IndexedChunk(str(chunk.pk), chunk.text, (1.0,) * 64, coming) for chunk in second])
    assert differences(index).count == 0
    assert project(index, EMBEDDER).changes == 0
    go_live(made, 2)
    assert differences(index).outdated.count == 4
    assert project(index, EMBEDDER).deleted == 4
    assert set(index.held) == {str(chunk.pk) for chunk in second}


def test_what_a_failed_reading_left_goes(index: MemoryIndex) -> None:
    made = document(collection(), *texts(2))
    version(made, 2, texts(3, about="travel"))
    Document.objects.filter(pk=made.pk).update(state=DocumentState.FAILED, error_code="parse_error")
    coming = replace(attributes_of(made), version=2)
    index.upsert([IndexedChunk(str(chunk.pk), "", (1.0,) * 64, coming) for chunk in Chunk.objects.filter(version=2)])
    done = project(index, EMBEDDER)
    assert (done.written, done.deleted) == (2, 3)


def test_a_deleted_document_is_not_in(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))
    project(index, EMBEDDER)
    Document.objects.filter(pk=made.pk).update(state=DocumentState.DELETING)
    assert differences(index).outdated.count == 4
    project(index, EMBEDDER)
    assert index.held == {}


@pytest.mark.parametrize(
    "field", ["label", "collection_id", "media_type", "language", "dated", "version", "document_id"]
)
def test_wrong_attributes_are_named_and_mended(index: MemoryIndex, field: str) -> None:
    made = document(collection(), *texts(3))
    project(index, EMBEDDER)
    wrong: dict[str, object] = {"label": 0, "dated": None, "version": 9, "document_id": str(uuid4())}
    key = sorted(index.held)[1]
    point = index.held[key]
    index.held[key] = replace(point, attributes=replace(point.attributes, **{field: wrong.get(field, "x")}))  # type: ignore[arg-type]
    found = differences(index)
    assert found.count == found.wrong.count == 1
    assert found.wrong.named[key].fields == (field,)
    assert found.wrong.named[key].document_id == str(made.pk)
    assert project(index, EMBEDDER).changes == 1
    assert index.held[key].attributes == attributes_of(made)


def test_the_label_is_the_higher_of_document_and_collection(index: MemoryIndex) -> None:
    home = collection(label=Label.PUBLIC)
    document(home, *texts(1))
    project(index, EMBEDDER)
    home.label = Label.RESTRICTED
    home.save()
    assert differences(index).wrong.count == 1
    done = project(index, EMBEDDER)
    assert (done.written, done.updated) == (0, 1)
    assert next(iter(index.held.values())).attributes.label == Label.RESTRICTED


def test_a_document_deleted_while_its_points_are_written_leaves_none(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))

    def deleted() -> None:
        Document.objects.filter(pk=made.pk).delete()

    index.on_upsert = deleted
    project(index, EMBEDDER)
    assert index.held == {}


def test_a_version_replaced_while_its_points_are_written_leaves_none(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))

    def replaced() -> None:
        index.on_upsert = lambda: None
        version(made, 2, texts(2, about="travel"))
        go_live(made, 2)

    index.on_upsert = replaced
    project(index, EMBEDDER)
    project(index, EMBEDDER)
    assert {point.attributes.version for point in index.held.values()} == {2}
    assert differences(index).count == 0


def test_a_label_changed_while_points_are_written_holds(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))

    def relabelled() -> None:
        Document.objects.filter(pk=made.pk).update(label=Label.RESTRICTED)

    index.on_upsert = relabelled
    project(index, EMBEDDER)
    assert {point.attributes.label for point in index.held.values()} == {Label.RESTRICTED}


def test_a_change_under_way_is_no_difference(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4))
    project(index, EMBEDDER)
    key, point = next(iter(index.held.items()))
    index.delete_points([key])

    def written_meanwhile(*args: object) -> None:
        index.held[key] = point

    assert differences(index, on_progress=written_meanwhile).count == 0
    assert made.live_version == 1


def test_chunks_deleted_while_they_are_embedded_are_no_error(index: MemoryIndex) -> None:
    made = document(collection(), *texts(4), embedded=False)
    embed = EMBEDDER.embed_documents

    def deleted(batch: list[str]) -> list[Vector]:
        Document.objects.filter(pk=made.pk).delete()
        return embed(batch)

    with patch.object(EMBEDDER, "embed_documents", deleted):
        project(index, EMBEDDER)
    assert index.held == {}
    assert ChunkEmbedding.objects.count() == 0


def test_progress_counts_passages_to_the_end(index: MemoryIndex) -> None:
    document(collection(), *texts(40), embedded=False)
    heard: list[tuple[int, int]] = []
    project(index, EMBEDDER, on_progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (40, 40)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len(heard) >= 2
