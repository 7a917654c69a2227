"""What happens to a document while it is being read: moved, relabelled, deleted, overtaken, poisonous."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from unittest.mock import patch
from zipfile import ZipFile

import pytest

from ingestion import claims, engine, publishing, run, services, tasks
from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import DocumentExistsError, DocumentNotFoundError, QueueFullError, StorageFullError
from ingestion.factory import identity_for
from ingestion.index.base import ChunkIndex
from ingestion.index.qdrant_catalog import QdrantCatalog
from ingestion.models import Chunk, Collection, Document, DocumentState, Label
from ingestion.selectors import chunk_get

pytestmark = pytest.mark.django_db

EMBEDDER = HashingEmbedder()


@pytest.fixture(autouse=True)
def index() -> Iterator[ChunkIndex]:
    catalog = QdrantCatalog()
    memory = catalog.open(catalog.create(identity_for(EMBEDDER)))
    with patch.object(engine, "index", lambda: memory), patch.object(engine, "embedder", lambda: EMBEDDER):
        yield memory
    catalog.close()


@pytest.fixture
def open_shelf() -> Collection:
    return services.collection_create(name="Open", label=Label.PUBLIC, everyone=True)


@pytest.fixture
def vault() -> Collection:
    return services.collection_create(name="Vault", label=Label.RESTRICTED)


def submitted(collection: Collection, text: str | bytes, name: str, label: Label | None = None) -> Document:
    content = [text.encode() if isinstance(text, str) else text]
    return services.document_submit(
        collection=collection, name=name, content=content, uploaded_by=None, label=label
    ).document


def packed(*members: tuple[str, str]) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        for name, text in members:
            archive.writestr(name, text)
    return out.getvalue()


MEMBERS = packed(*((f"m{number}.txt", f"secret number {number}") for number in range(3)))


def at_the_first_member(act: Callable[[], None]) -> object:
    """Do something when one member of an archive has been taken."""
    take = publishing._take_member
    done: list[bool] = []

    def watched(*args: object, **options: object) -> object:
        taken = take(*args, **options)  # type: ignore[arg-type]
        if not done:
            done.append(True)
            act()
        return taken

    return patch.object(publishing, "_take_member", watched)


def test_an_archive_moved_while_it_is_unpacked_takes_its_members_along(
    open_shelf: Collection, vault: Collection
) -> None:
    archive = submitted(open_shelf, MEMBERS, "a.zip")

    def move() -> None:
        services.document_change(archive, label=Label.RESTRICTED, collection=vault)

    with at_the_first_member(move):  # type: ignore[attr-defined]
        tasks.ingest_document(str(archive.pk))
    assert archive.members.count() == 3
    assert set(archive.members.values_list("collection__name", "label")) == {("Vault", Label.RESTRICTED)}


def test_an_archive_deleted_while_it_is_unpacked_leaves_no_member(open_shelf: Collection, index: ChunkIndex) -> None:
    archive = submitted(open_shelf, MEMBERS, "a.zip")
    with at_the_first_member(lambda: services.document_delete(archive)):  # type: ignore[attr-defined]
        tasks.ingest_document(str(archive.pk))
    Document.objects.update(claim=None, claimed_until=None)
    for _ in range(2):
        for key in list(Document.objects.values_list("pk", flat=True)):
            tasks.purge_document(str(key))
    assert not Document.objects.exists()
    assert index.count() == 0


@pytest.mark.parametrize(("name", "content"), [("a.zip", MEMBERS), ("bad.pdf", b"no pdf"), ("x.txt", b"Rule one.")])
def test_what_is_deleted_while_it_is_read_is_let_go_at_once(open_shelf: Collection, name: str, content: bytes) -> None:
    document = submitted(open_shelf, content, name)
    on_read = run._Run._on_read

    def deleted_then_read(self: object, future: object) -> None:
        services.document_delete(document)
        on_read(self, future)  # type: ignore[arg-type]

    with patch.object(run._Run, "_on_read", deleted_then_read):
        tasks.ingest_document(str(document.pk))
    document.refresh_from_db()
    assert (document.state, document.claim, document.claimed_until) == (DocumentState.DELETING, None, None)


@pytest.mark.parametrize("outage", [StorageFullError("full"), QueueFullError("full")])
def test_an_archive_met_by_an_outage_loses_no_member(open_shelf: Collection, outage: Exception) -> None:
    archive = submitted(open_shelf, MEMBERS, "a.zip")

    def full() -> None:
        raise outage

    with at_the_first_member(full):  # type: ignore[attr-defined]
        tasks.ingest_document(str(archive.pk))
    archive.refresh_from_db()
    assert (archive.state, archive.delays, archive.claim) == (DocumentState.QUEUED, 1, None)
    Document.objects.filter(pk=archive.pk).update(available_at=None)
    tasks.ingest_document(str(archive.pk))
    archive.refresh_from_db()
    assert (archive.state, archive.member_count) == (DocumentState.READY, 3)
    assert archive.members.count() == 3


def test_a_label_that_is_said_holds_for_versions_and_duplicates_too(open_shelf: Collection) -> None:
    document = submitted(open_shelf, "one", "x.txt")
    assert submitted(open_shelf, "two", "x.txt", label=Label.CONFIDENTIAL).label == Label.CONFIDENTIAL
    assert submitted(open_shelf, "two", "y.txt", label=Label.RESTRICTED).pk == document.pk
    document.refresh_from_db()
    assert document.label == Label.RESTRICTED


def test_a_member_keeps_a_higher_label_of_its_own(open_shelf: Collection) -> None:
    other = services.collection_create(name="Other", label=Label.INTERNAL)
    archive = submitted(open_shelf, MEMBERS, "a.zip")
    tasks.ingest_document(str(archive.pk))
    member = archive.members.first()
    assert member is not None
    services.document_change(member, label=Label.RESTRICTED, collection=open_shelf)
    services.document_change(archive, label=Label.INTERNAL, collection=other)
    assert sorted(archive.members.values_list("label", flat=True)) == [1, 1, 3]


def test_a_document_moved_while_it_is_read_is_found_where_it_is(
    open_shelf: Collection, vault: Collection, index: ChunkIndex
) -> None:
    document = submitted(open_shelf, "Rule one.", "x.txt")
    store = publishing.store

    def moved_first(*args: object, **options: object) -> None:
        services.document_change(document, label=Label.RESTRICTED, collection=vault)
        store(*args, **options)  # type: ignore[arg-type]

    with patch.object(publishing, "store", moved_first):
        tasks.ingest_document(str(document.pk))
    [point] = index.points()
    assert (point.attributes.collection_id, point.attributes.label) == (str(vault.pk), Label.RESTRICTED)
    document.refresh_from_db()
    assert (document.state, document.index_stale) == (DocumentState.READY, False)


def test_a_version_that_never_went_live_is_nobodys_to_read(open_shelf: Collection) -> None:
    scope = AccessScope(frozenset({str(open_shelf.pk)}))
    document = submitted(open_shelf, "version one", "x.txt")
    tasks.ingest_document(str(document.pk))
    submitted(open_shelf, "the wrong file", "x.txt")
    with patch.object(publishing, "publish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        tasks.ingest_document(str(document.pk))
    submitted(open_shelf, "version three", "x.txt")
    tasks.ingest_document(str(document.pk))
    for number, text in ((1, "version one"), (3, "version three")):
        chunk = Chunk.objects.get(document=document, version=number)
        assert chunk_get(chunk.pk, scope=scope).text == text
    wrong = Chunk.objects.get(document=document, version=2)
    with pytest.raises(DocumentNotFoundError):
        chunk_get(wrong.pk, scope=scope)


def test_a_document_that_breaks_every_run_is_given_up_and_the_others_are_read(open_shelf: Collection) -> None:
    bad, good = submitted(open_shelf, "poison", "bad.txt"), submitted(open_shelf, "food", "good.txt")
    embed = EMBEDDER.embed_documents

    def refuse(texts: list[str]) -> object:
        if any("poison" in text for text in texts):
            raise ValueError("poison")
        return embed(texts)

    with patch.object(EMBEDDER, "embed_documents", refuse):
        for _ in range(3 * claims.MAX_ATTEMPTS):
            for document in (bad, good):
                with suppress(ValueError):
                    tasks.ingest_document(str(document.pk))
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, bad.error_code) == (DocumentState.FAILED, "ingestion_interrupted")
    assert good.state == DocumentState.READY


def test_members_whose_names_come_out_alike_are_two_documents(open_shelf: Collection) -> None:
    archive = submitted(open_shelf, packed(("a/x.txt", "first contract"), ("a > x.txt", "second contract")), "a.zip")
    tasks.ingest_document(str(archive.pk))
    assert archive.members.count() == 2


def test_an_upload_of_what_a_member_is_makes_it_the_uploaders_own(open_shelf: Collection) -> None:
    archive = submitted(open_shelf, MEMBERS, "a.zip")
    tasks.ingest_document(str(archive.pk))
    own = submitted(open_shelf, "secret number 1", "mine.txt")
    services.document_delete(archive)
    own.refresh_from_db()
    assert own.state != DocumentState.DELETING


def test_a_restored_version_whose_bytes_are_elsewhere_is_refused_in_words(open_shelf: Collection) -> None:
    document = submitted(open_shelf, "one", "x.txt")
    tasks.ingest_document(str(document.pk))
    submitted(open_shelf, "two", "x.txt")
    tasks.ingest_document(str(document.pk))
    submitted(open_shelf, "one", "y.txt")
    document.refresh_from_db()
    with pytest.raises(DocumentExistsError):
        services.version_restore(document, number=1)
