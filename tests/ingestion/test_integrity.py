"""Planted faults: ten of each kind, all found, and mended where that is derivable."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from ingestion import integrity, outbox
from ingestion.integrity import Kind, Report, audit
from ingestion.models import (
    BuildState,
    Chunk,
    ChunkEmbedding,
    Collection,
    Document,
    DocumentState,
    DocumentVersion,
    IndexBuild,
    Label,
)
from ingestion.projection import project
from ingestion.repairs import Repaired, audit_and_repair
from ragapp.accounts.models import User
from ragapp.chat.models import Citation, Conversation, Message, Role
from tests.ingestion.integrity.corpus import EMBEDDER, IDENTITY, collection, document, files_dir, texts, version
from tests.ingestion.integrity.memory_index import MemoryIndex

pytestmark = pytest.mark.django_db
PLANTED = 10
LONG_AGO = timedelta(minutes=30)
Plant = Callable[[list[Document], MemoryIndex], set[str]]


@pytest.fixture(autouse=True)
def _own_files(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ours = settings.INGESTION.model_copy(update={"files_dir": tmp_path})
    monkeypatch.setattr(settings, "INGESTION", ours)
    with patch.object(integrity, "SECOND_LOOK_S", 0.0):
        yield


@pytest.fixture
def home() -> Collection:
    return collection()


@pytest.fixture
def documents(home: Collection) -> list[Document]:
    """Twice as many as are broken."""
    made = [document(home, *texts(4, about=f"matter{number}"), name=f"{number}.txt") for number in range(2 * PLANTED)]
    Document.objects.update(updated_at=timezone.now() - LONG_AGO)
    return made


@pytest.fixture
def index(documents: list[Document]) -> MemoryIndex:
    made = MemoryIndex(IDENTITY)
    project(made, EMBEDDER)
    return made


def purged(document_id: UUID) -> None:
    for each in DocumentVersion.objects.filter(document=document_id):
        (files_dir() / each.file).unlink(missing_ok=True)
    Document.objects.filter(pk=document_id).delete()


def audited(index: MemoryIndex, *, quick: bool = False) -> Report:
    return audit(index=index, files_dir=files_dir(), quick=quick)


def repaired(index: MemoryIndex) -> Repaired:
    with patch.object(outbox, "send"):
        return audit_and_repair(index=index, embedder=EMBEDDER, files_dir=files_dir(), purge=purged, young_file_s=0.0)


def changed(documents: list[Document], **fields: object) -> set[str]:
    Document.objects.filter(pk__in=[each.pk for each in documents]).update(**fields)
    return {str(each.pk) for each in documents}


def first_chunks(documents: list[Document]) -> list[Chunk]:
    return list(Chunk.objects.filter(document__in=documents, ordinal=1))


# -- the plants: each breaks ten documents, and tells what a finding must name


def file_removed(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in DocumentVersion.objects.filter(document__in=documents):
        (files_dir() / each.file).unlink()
    return {str(each.pk) for each in documents}


def message_never_sent(documents: list[Document], index: MemoryIndex) -> set[str]:
    return changed(documents, state=DocumentState.QUEUED, enqueued_at=None, updated_at=timezone.now() - LONG_AGO)


def message_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    return changed(documents, state=DocumentState.QUEUED, enqueued_at=timezone.now() - LONG_AGO)


def reader_died(documents: list[Document], index: MemoryIndex) -> set[str]:
    past = timezone.now() - timedelta(seconds=1)
    return changed(documents, state=DocumentState.PROCESSING, claim=uuid4(), claimed_until=past)


def reader_never_was(documents: list[Document], index: MemoryIndex) -> set[str]:
    return changed(documents, state=DocumentState.PROCESSING, claim=None, claimed_until=None)


def purge_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in documents:
        index.delete_document(str(each.pk))
    return changed(documents, state=DocumentState.DELETING, updated_at=timezone.now() - LONG_AGO)


def build_died(documents: list[Document], index: MemoryIndex) -> set[str]:
    past = timezone.now() - timedelta(seconds=1)
    made = [
        IndexBuild.objects.create(
            embedding_model=f"m{number}", state=BuildState.BUILDING, claim=uuid4(), claimed_until=past
        )
        for number in range(PLANTED)
    ]
    return {str(each.pk) for each in made}


def point_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    keys = {str(chunk.pk) for chunk in first_chunks(documents)}
    index.delete_points(list(keys))
    return keys


def point_of_nothing(documents: list[Document], index: MemoryIndex) -> set[str]:
    point = next(iter(index.held.values()))
    keys = {str(uuid4()) for _ in range(PLANTED)}
    nobody = replace(point.attributes, document_id=str(uuid4()), collection_id=str(uuid4()))
    index.upsert([replace(point, chunk_id=key, attributes=nobody) for key in keys])
    return keys


def point_of_an_old_version(documents: list[Document], index: MemoryIndex) -> set[str]:
    keys = set()
    for each in documents:
        old = Chunk.objects.create(id=uuid4(), document=each, version=7, ordinal=0, text="old", start=0, end=3)
        DocumentVersion.objects.create(document=each, number=7, file=each.versions.get().file, name="x",
                                       sha256=each.sha256, size=each.size)  # fmt: skip
        point = next(point for point in index.held.values() if point.attributes.document_id == str(each.pk))
        attributes = replace(point.attributes, version=7, collection_id=str(uuid4()))
        index.upsert([replace(point, chunk_id=str(old.pk), attributes=attributes)])
        keys.add(str(old.pk))
    return keys


def attribute_wrong(field: str, value: object) -> Plant:
    def plant(documents: list[Document], index: MemoryIndex) -> set[str]:
        for chunk in first_chunks(documents):
            point = index.held[str(chunk.pk)]
            index.held[str(chunk.pk)] = replace(point, attributes=replace(point.attributes, **{field: value}))  # type: ignore[arg-type]
        return {str(chunk.pk) for chunk in first_chunks(documents)}

    plant.__name__ = f"{field}_wrong"
    return plant


def vector_wrong(documents: list[Document], index: MemoryIndex) -> set[str]:
    keys = {str(each.pk) for each in documents}
    for key, point in index.held.items():
        if point.attributes.document_id in keys:
            index.held[key] = replace(point, vector=tuple(-value for value in point.vector))
    return keys


def file_of_nobody(documents: list[Document], index: MemoryIndex) -> set[str]:
    names = {f"{number:02x}/{uuid4().hex}" for number in range(PLANTED)}
    for name in names:
        (files_dir() / name).parent.mkdir(exist_ok=True)
        (files_dir() / name).write_bytes(b"left")
    return names


def leftover(documents: list[Document], index: MemoryIndex) -> set[str]:
    names = {f"tmp{uuid4().hex}" for _ in range(PLANTED)}
    past = time.time() - 2 * integrity.LEFTOVER_AFTER_S
    for name in names:
        (files_dir() / name).write_bytes(b"left")
        os.utime(files_dir() / name, (past, past))
    return names


def bytes_changed(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in DocumentVersion.objects.filter(document__in=documents):
        path = files_dir() / each.file
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    return {str(each.pk) for each in documents}


def bytes_cut(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in DocumentVersion.objects.filter(document__in=documents):
        os.truncate(files_dir() / each.file, 3)
    return {str(each.pk) for each in documents}


def text_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    Chunk.objects.filter(document__in=documents).delete()
    for each in documents:
        index.delete_document(str(each.pk))
    return {str(each.pk) for each in documents}


def passage_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    chunks = first_chunks(documents)
    index.delete_points([str(chunk.pk) for chunk in chunks])
    Chunk.objects.filter(pk__in=[chunk.pk for chunk in chunks]).delete()
    return {str(each.pk) for each in documents}


def count_wrong(documents: list[Document], index: MemoryIndex) -> set[str]:
    return changed(documents, chunk_count=99)


def version_count_wrong(documents: list[Document], index: MemoryIndex) -> set[str]:
    DocumentVersion.objects.filter(document__in=documents).update(chunk_count=99)
    return {str(each.pk) for each in documents}


def version_row_lost(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in documents:
        (files_dir() / each.versions.get().file).unlink()
        version(each, 2, texts(2))
    DocumentVersion.objects.filter(document__in=documents, number=1).delete()
    changed(documents, enqueued_at=timezone.now())
    return {str(each.pk) for each in documents}


def passages_of_no_version(documents: list[Document], index: MemoryIndex) -> set[str]:
    for each in documents:
        Chunk.objects.create(id=uuid4(), document=each, version=5, ordinal=0, text="left", start=0, end=4)
    return {str(each.pk) for each in documents}


MENDED: list[tuple[Kind, Plant]] = [
    (Kind.LOST_UPLOAD, message_never_sent),
    (Kind.STUCK, message_lost),
    (Kind.STUCK, reader_died),
    (Kind.STUCK, reader_never_was),
    (Kind.STUCK, purge_lost),
    (Kind.STUCK, build_died),
    (Kind.CHUNKS_WITHOUT_POINTS, point_lost),
    (Kind.ORPHAN_POINTS, point_of_nothing),
    (Kind.ORPHAN_POINTS, point_of_an_old_version),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("label", 0)),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("collection_id", str(uuid4()))),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("version", 3)),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("media_type", "x/y")),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("language", "xx")),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("dated", None)),
    (Kind.WRONG_ATTRIBUTES, attribute_wrong("document_id", str(uuid4()))),
    (Kind.UNREACHABLE_DOCUMENT, vector_wrong),
    (Kind.ORPHAN_FILE, file_of_nobody),
    (Kind.ORPHAN_FILE, leftover),
    (Kind.READY_WITHOUT_TEXT, text_lost),
    (Kind.VERSION_ROWS, passage_lost),
    (Kind.VERSION_ROWS, count_wrong),
    (Kind.VERSION_ROWS, version_count_wrong),
    (Kind.ORPHAN_ROWS, passages_of_no_version),
]
NOT_DERIVABLE: list[tuple[Kind, Plant]] = [
    (Kind.LOST_UPLOAD, file_removed),
    (Kind.CHANGED_FILE, bytes_changed),
    (Kind.CHANGED_FILE, bytes_cut),
    (Kind.VERSION_ROWS, version_row_lost),
]


def named(report: Report, kind: Kind) -> set[str]:
    """What the findings of a kind name, each by the narrowest that it has."""
    return {
        str(finding.build_id or "") or finding.chunk_id or finding.document_id or finding.path
        for finding in report.of(kind)
    }


def test_a_sound_installation_is_clean(index: MemoryIndex) -> None:
    report = audited(index)
    assert report.is_clean, report.findings
    assert (report.documents, report.chunks, report.points) == (20, 80, 80)


@pytest.mark.parametrize(("kind", "plant"), MENDED + NOT_DERIVABLE, ids=lambda each: getattr(each, "__name__", None))
def test_every_planted_fault_is_found_and_nothing_else(
    documents: list[Document], index: MemoryIndex, kind: Kind, plant: Plant
) -> None:
    planted = plant(documents[:PLANTED], index)
    report = audited(index)
    assert report.counts[kind] == PLANTED
    assert named(report, kind) == planted
    assert set(report.counts) == {kind}
    assert all(finding.sentence.endswith(".") for finding in report.findings)


@pytest.mark.parametrize(("kind", "plant"), MENDED, ids=lambda each: getattr(each, "__name__", None))
def test_what_is_derivable_is_mended(documents: list[Document], index: MemoryIndex, kind: Kind, plant: Plant) -> None:
    plant(documents[:PLANTED], index)
    done = repaired(index)
    assert done.mended == {kind: PLANTED}
    assert done.after.is_clean, done.after.findings
    assert audited(index).is_clean


@pytest.mark.parametrize(("kind", "plant"), NOT_DERIVABLE, ids=lambda each: getattr(each, "__name__", None))
def test_what_is_not_derivable_stays_and_nothing_is_removed(
    documents: list[Document], index: MemoryIndex, kind: Kind, plant: Plant
) -> None:
    plant(documents[:PLANTED], index)
    rows, points = Document.objects.count(), index.count()
    done = repaired(index)
    assert done.mended == {}
    assert done.after.counts == {kind: PLANTED}
    assert (Document.objects.count(), index.count()) == (rows, points)


def test_all_kinds_at_once(home: Collection, documents: list[Document], index: MemoryIndex) -> None:
    plants = [each for each in MENDED + NOT_DERIVABLE if each[1] is not version_row_lost]
    groups = [
        [document(home, *texts(4, about=f"set{one}x{two}"), name=f"{one}-{two}.txt") for two in range(2)]
        for one in range(len(plants))
    ]
    project(index, EMBEDDER)
    for (_, plant), group in zip(plants, groups, strict=True):
        plant(group, index)
    assert set(audited(index).counts) == set(Kind)
    assert set(repaired(index).after.counts) == {Kind.LOST_UPLOAD, Kind.CHANGED_FILE}


def test_the_only_copy_of_a_lost_file_is_not_removed(documents: list[Document], index: MemoryIndex) -> None:
    path = files_dir() / documents[0].versions.get().file
    moved = path.rename(path.with_name(uuid4().hex))
    done = repaired(index)
    assert done.after.counts == {Kind.LOST_UPLOAD: 1, Kind.ORPHAN_FILE: 1}
    assert moved.exists()


def test_lost_passages_are_read_again_from_the_file(documents: list[Document], index: MemoryIndex) -> None:
    passage_lost(documents[:1], index)
    with patch.object(outbox, "send") as send:
        audit_and_repair(index=index, embedder=EMBEDDER, files_dir=files_dir(), purge=purged, young_file_s=0.0)
    queued = Document.objects.get(pk=documents[0].pk)
    assert (queued.state, queued.live_version, queued.enqueued_at) == (DocumentState.QUEUED, 1, None)
    assert queued.versions.get().chunk_count == 0, "or the worker would go on with what is stored"
    assert send.call_count in {0, 1}


def test_passages_whose_file_is_gone_are_not_read_again(documents: list[Document], index: MemoryIndex) -> None:
    passage_lost(documents[:1], index)
    file_removed(documents[:1], index)
    done = repaired(index)
    assert Document.objects.get(pk=documents[0].pk).state == DocumentState.READY
    assert done.after.counts == {Kind.VERSION_ROWS: 1, Kind.LOST_UPLOAD: 1}


def test_a_wrong_count_is_counted_again_without_reading(documents: list[Document], index: MemoryIndex) -> None:
    count_wrong(documents[:1], index)
    repaired(index)
    mended = Document.objects.get(pk=documents[0].pk)
    assert (mended.state, mended.chunk_count) == (DocumentState.READY, 4)


def test_a_raised_label_of_a_collection_is_a_wrong_attribute(home: Collection, index: MemoryIndex) -> None:
    Collection.objects.filter(pk=home.pk).update(label=Label.RESTRICTED)
    assert audited(index).counts == {Kind.WRONG_ATTRIBUTES: 80}
    assert repaired(index).after.is_clean


def test_waiting_long_is_no_fault_while_others_are_read(documents: list[Document], index: MemoryIndex) -> None:
    message_lost(documents[:5], index)
    message_never_sent(documents[5:10], index)
    changed(
        documents[10:11],
        state=DocumentState.PROCESSING,
        claim=uuid4(),
        claimed_until=timezone.now() + timedelta(minutes=1),
    )
    assert audited(index).is_clean


def test_waiting_for_something_that_is_down_is_no_fault(documents: list[Document], index: MemoryIndex) -> None:
    message_lost(documents[:5], index)
    Document.objects.filter(state=DocumentState.QUEUED).update(available_at=timezone.now() + timedelta(minutes=2))
    assert audited(index).is_clean


def test_what_was_just_accepted_or_deleted_is_no_fault(documents: list[Document], index: MemoryIndex) -> None:
    changed(documents[:3], state=DocumentState.QUEUED, updated_at=timezone.now())
    changed(documents[3:6], state=DocumentState.DELETING, updated_at=timezone.now())
    for each in documents[3:6]:
        index.delete_document(str(each.pk))
    assert audited(index).is_clean


def test_an_archive_without_text_of_its_own_is_no_fault(documents: list[Document], index: MemoryIndex) -> None:
    index.delete_document(str(documents[0].pk))
    Chunk.objects.filter(document=documents[0]).delete()
    DocumentVersion.objects.filter(document=documents[0]).update(chunk_count=0)
    changed(documents[:1], chunk_count=0, member_count=3)
    assert audited(index).is_clean


def test_many_documents_of_the_same_words_are_reachable(home: Collection, documents: list[Document]) -> None:
    for number in range(8):
        document(home, "The very same letterhead for everybody", name=f"copy{number}.txt")
    Document.objects.filter(name__startswith="copy").update(title="copy")
    index = MemoryIndex(IDENTITY)
    for key in ChunkEmbedding.objects.filter(chunk__text__startswith="The very"):
        key.vector = ChunkEmbedding.objects.filter(chunk__text__startswith="The very").first().vector  # type: ignore[union-attr]
        key.save()
    project(index, EMBEDDER)
    assert audited(index).is_clean


def test_a_file_that_is_being_written_is_left_alone(index: MemoryIndex) -> None:
    (files_dir() / "tmpabc").write_bytes(b"half")
    assert audited(index).is_clean


def test_a_file_whose_row_comes_a_moment_later_is_no_orphan(documents: list[Document], index: MemoryIndex) -> None:
    (name,) = list(file_of_nobody(documents, index))[:1]
    for other in files_dir().rglob("*"):
        if other.is_file() and other.read_bytes() == b"left" and str(other.relative_to(files_dir())) != name:
            other.unlink()

    def accepted(seconds: float) -> None:
        first = documents[0].versions.get()
        DocumentVersion.objects.create(
            document=documents[0], number=2, file=name, name="x", sha256=first.sha256, size=4
        )

    with patch("ingestion.integrity.time.sleep", accepted):
        report = audited(index, quick=True)
    assert Kind.ORPHAN_FILE not in report.counts


def test_a_young_orphan_is_removed_only_when_it_is_old_enough(documents: list[Document], index: MemoryIndex) -> None:
    file_of_nobody(documents, index)
    slept: list[float] = []
    with patch("ingestion.repairs.time.sleep", slept.append):
        audit_and_repair(index=index, embedder=EMBEDDER, files_dir=files_dir(), purge=purged, young_file_s=60.0)
    assert 50 < max(slept) <= 60


def test_quick_reads_no_file(documents: list[Document], index: MemoryIndex) -> None:
    bytes_changed(documents[:2], index)
    assert audited(index, quick=True).is_clean
    bytes_cut(documents[:2], index)
    assert audited(index, quick=True).counts == {Kind.CHANGED_FILE: 2}


def test_vectors_without_a_passage_are_found_and_removed(index: MemoryIndex) -> None:
    # Foreign keys are checked at the end of a transaction; this one is rolled back by then, or mended.
    ChunkEmbedding.objects.bulk_create(
        [ChunkEmbedding(chunk_id=uuid4(), model="m", vector=b"") for _ in range(PLANTED)]
    )
    assert audited(index).counts == {Kind.ORPHAN_ROWS: PLANTED}
    assert repaired(index).after.is_clean


def test_quotes_of_a_document_that_is_not_there_are_found_and_removed(index: MemoryIndex) -> None:
    asker = User.objects.create_user("ada")
    answer = Message.objects.create(
        conversation=Conversation.objects.create(owner=asker, title="t"), role=Role.ANSWER, text="a"
    )
    Citation.objects.bulk_create(
        [
            Citation(message=answer, n=number, document_id=uuid4(), title="t", quote="q", score=1.0)
            for number in range(PLANTED)
        ]
    )
    assert audited(index).counts == {Kind.ORPHAN_ROWS: PLANTED}
    assert repaired(index).after.is_clean
    assert not Citation.objects.exists()


def test_more_faults_than_a_report_names_are_all_mended(documents: list[Document], index: MemoryIndex) -> None:
    with patch.object(integrity, "MOST_NAMED", 3):
        message_lost(documents, index)
        file_of_nobody(documents, index)
        done = repaired(index)
    assert done.mended == {Kind.STUCK: 2 * PLANTED, Kind.ORPHAN_FILE: PLANTED}
    assert done.after.is_clean


def test_of_very_many_faults_the_first_are_named_and_all_are_counted(index: MemoryIndex) -> None:
    with patch.object(integrity, "MOST_NAMED", 3):
        index.delete_points(list(index.held))
        report = audited(index)
    assert report.counts[Kind.CHUNKS_WITHOUT_POINTS] == 80
    assert len(report.of(Kind.CHUNKS_WITHOUT_POINTS)) == 3
