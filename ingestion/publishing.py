"""From what was read to what is searched: rows first, then points, then the one UPDATE that makes a version live.

Search is re-checked in SQL against the live version, so points that are written early, or remain a while, are unseen.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from ingestion import claims, services
from ingestion.chunking import ChunkText, chunk_id
from ingestion.claims import Claimed
from ingestion.embedding.base import Vector
from ingestion.errors import (
    ArchiveLimitError,
    DocumentStateError,
    EmptyDocumentError,
    InvalidNameError,
    NoTextError,
    UploadTooLargeError,
)
from ingestion.files import blocks_of
from ingestion.index.base import Attributes, ChunkIndex, IndexedChunk
from ingestion.models import Chunk, ChunkEmbedding, Document, DocumentState, Label
from ingestion.parsing.media_types import ZIP
from ingestion.parsing.unpack import Member
from ingestion.pipeline import ReadDocument, UnpackedArchive, embedded_text
from ingestion.services import SameName

_ROWS = 500
# Of a version, what reading it found.
_READ_FIELDS = (
    "title", "media_type", "language", "dated", "pages", "chunk_count", "embedded_count", "notes", "times",
)  # fmt: skip
_MOST_NESTED_ARCHIVES = 2
_MOST_MOVES = 3


@dataclass
class Job:
    """A claimed version on its way. `rows` are its passages, `vectors` theirs as float32 bytes, by place in `rows`."""

    claimed: Claimed
    rows: list[Chunk] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    vectors: dict[int, bytes] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    rows_stored: bool = False

    @property
    def missing(self) -> list[int]:
        """The places of passages without a vector."""
        return [index for index in range(len(self.rows)) if index not in self.vectors]

    @property
    def unstored(self) -> int:
        """Vectors that only this process has."""
        return len(self.vectors) - len(self.stored)

    @property
    def is_whole(self) -> bool:
        """True once every passage has its vector."""
        return bool(self.rows) and len(self.vectors) == len(self.rows)

    @property
    def is_changed(self) -> bool:
        """True where there is something to store or to publish."""
        return bool(self.rows) and (not self.rows_stored or self.unstored > 0 or self.is_whole)

    def add(self, index: int, vector: Vector) -> None:
        """A vector from the model."""
        self.vectors[index] = packed(vector)


def packed(vector: Vector) -> bytes:
    """float32, little-endian: as ChunkEmbedding keeps it."""
    return struct.pack(f"<{len(vector)}f", *vector)


def unpacked(data: bytes) -> Vector:
    """The vector of `packed`."""
    return struct.unpack(f"<{len(data) // 4}f", data)


def take(job: Job, result: ReadDocument) -> None:
    """What reading gave, as rows that are not stored yet."""
    version = job.claimed.version
    version.title = (result.title or version.name)[:255]
    version.media_type, version.pages = result.media_type, result.pages
    version.language, version.dated = result.language, result.dated
    version.notes, version.chunk_count = list(result.notes), len(result.chunks)
    job.rows = [_row(job.claimed, chunk) for chunk in result.chunks]
    _set_texts(job)


def resume(job: Job, *, model: str) -> None:
    """Go on where an earlier run was killed: rows and vectors that are stored already."""
    version = job.claimed.version
    job.rows = list(Chunk.objects.filter(document_id=job.claimed.key, version=version.number).order_by("ordinal"))
    job.rows_stored = True
    places = {row.pk: index for index, row in enumerate(job.rows)}
    kept = ChunkEmbedding.objects.filter(chunk__document_id=job.claimed.key, chunk__version=version.number, model=model)
    for key, vector in kept.values_list("chunk_id", "vector"):
        job.vectors[places[key]] = bytes(vector)
    job.stored = set(job.vectors)
    _set_texts(job)


def store(jobs: Sequence[Job], *, model: str) -> None:
    """Rows and vectors of all jobs in one transaction. Raises IntegrityError where a document is gone."""
    new = [job for job in jobs if not job.rows_stored]
    fresh = [(job, index) for job in jobs for index in job.vectors if index not in job.stored]
    now = timezone.now().isoformat()
    with transaction.atomic():
        _delete_rows_before(new)
        Chunk.objects.bulk_create([row for job in new for row in job.rows], batch_size=_ROWS)
        ChunkEmbedding.objects.bulk_create(
            [ChunkEmbedding(chunk=job.rows[index], model=model, vector=job.vectors[index]) for job, index in fresh],
            batch_size=_ROWS,
            ignore_conflicts=True,
        )
        for job in jobs:
            version = job.claimed.version
            version.embedded_count = len(job.vectors)
            version.times.setdefault("embedding", now)
        _save_versions(jobs, fields=_READ_FIELDS)
        claims.progressed({job.claimed.key: job.claimed for job in [*new, *(job for job, _ in fresh)]}.values())
        claims.held(job.claimed for job in jobs).exclude(step="embedding").update(step="embedding")
    for job in jobs:
        job.rows_stored, job.stored = True, set(job.vectors)


def _delete_rows_before(new: Sequence[Job]) -> None:
    """Rows of an earlier reading of the same versions; most have none."""
    numbers = {job.claimed.key: job.claimed.version.number for job in new}
    found = Chunk.objects.filter(document_id__in=numbers).values_list("document_id", "version").distinct().order_by()
    for key, number in found:
        if numbers[key] == number:
            Chunk.objects.filter(document_id=key, version=number).delete()


def publish(jobs: Sequence[Job], *, index: ChunkIndex) -> list[Job]:
    """Index whole jobs and make them live; those that lost their claim meanwhile, with nothing of them in the index.

    Raises IndexUnavailableError; what was written until then is written again by the next run.
    """
    for job in jobs:
        job.claimed.version.times["indexing"] = timezone.now().isoformat()
    for batch in _batches(_points(jobs), size=_ROWS):
        index.upsert(batch)
    lost = _go_live(jobs)
    for job in lost:
        index.delete_points([str(row.pk) for row in job.rows])
    keys = [job.claimed.key for job in jobs if job not in lost]
    # As the rows have it now: they may have been moved or relabelled while they were read.
    for document in Document.objects.filter(pk__in=keys, index_stale=True):
        refresh(document, index=index)
    return lost


def refresh(document: Document, *, index: ChunkIndex) -> None:
    """Make the index hold the live version of the document alone, with its present label and collection."""
    Document.objects.filter(pk=document.pk).update(index_stale=False)
    try:
        current = Document.objects.select_related("collection").get(pk=document.pk)
        if current.live_version is None:
            index.delete_document(str(document.pk))
        else:
            index.delete_document(str(document.pk), except_version=current.live_version)
            index.set_attributes(attributes_of(current))
            ChunkEmbedding.objects.filter(chunk__document=document, chunk__version__lt=current.live_version).delete()
    except BaseException:
        Document.objects.filter(pk=document.pk).update(index_stale=True)
        raise


def attributes_of(document: Document) -> Attributes:
    """What the points of the live version carry."""
    return Attributes(
        document_id=str(document.pk),
        version=document.live_version or document.version,
        collection_id=str(document.collection_id),
        label=document.effective_label,
        media_type=document.media_type,
        language=document.language,
        dated=document.dated,
    )


def publish_archive(claimed: Claimed, archive: UnpackedArchive) -> None:
    """Every member becomes a document; one that came out of an earlier version and is not there any more goes.

    Raises NoTextError where there is none, ArchiveLimitError where archives are nested too deeply, and
    StorageFullError and QueueFullError, after which it may be done again: members that were taken are found there.
    """
    document = claimed.document
    if _depth(document) > _MOST_NESTED_ARCHIVES:
        raise ArchiveLimitError("archives within archives within archives")
    if not archive.members:
        raise NoTextError("an archive without files")
    kept: set[UUID] = set()
    names: set[str] = set()
    for member in archive.members:
        try:
            taken = _take_member(claimed, member, folder=archive.folder, is_repeated=member.name in names)
        except (UploadTooLargeError, InvalidNameError, EmptyDocumentError) as exc:
            # Of the member. A full disk or queue is not, and ends the unpacking until there is room.
            claimed.version.notes.append(f"A member was refused: {exc.code}.")
            continue
        if taken is None or not claims.heartbeat([claimed]):
            return
        names |= {member.name, taken.name}
        kept.add(taken.pk)
    if not kept:
        raise NoTextError("no member was taken")
    for gone in document.members.exclude(pk__in=kept).exclude(state=DocumentState.DELETING):
        services.document_delete(gone)
    version = claimed.version
    version.title, version.media_type = version.name, ZIP
    version.notes = version.notes[:20]
    _go_live([Job(claimed)], member_count=len(kept))


def _take_member(claimed: Claimed, member: Member, *, folder: Path, is_repeated: bool) -> Document | None:
    """The member's document, where the archive is now; None where the archive was deleted meanwhile."""
    name = services.clean_name(member.name.replace("/", " > "))
    for _ in range(_MOST_MOVES):
        archive = Document.objects.select_related("collection").filter(pk=claimed.key).first()
        if archive is None or archive.state == DocumentState.DELETING:
            return None
        # Two members whose names come out alike are two documents, and no versions of each other.
        again = is_repeated or archive.members.filter(name=name, created_at__gt=claimed.began_at).exists()
        with suppress(DocumentStateError):
            return services.document_submit(
                collection=archive.collection,
                name=name,
                content=blocks_of(folder / member.file),
                uploaded_by=archive.uploaded_by,
                label=Label(archive.label),
                same_name=SameName.KEEP_BOTH if again else SameName.NEW_VERSION,
                archive=archive,
            ).document
    raise DocumentStateError("the archive is moved all the time")


def _go_live(jobs: Sequence[Job], *, member_count: int = 0) -> list[Job]:
    """One UPDATE each, while its claim holds; the jobs whose claim did not."""
    lost = []
    now = timezone.now()
    with transaction.atomic():
        for job in jobs:
            version = job.claimed.version
            # A run that was killed may have left points. Never False here: somebody may have set it meanwhile.
            stale = {"index_stale": True} if job.claimed.document.attempts > 1 else {}
            changed = (
                claims.held([job.claimed])
                .filter(version=version.number)
                .update(
                    state=DocumentState.READY,
                    step="",
                    error_code="",
                    claim=None,
                    claimed_until=None,
                    delays=0,
                    live_version=version.number,
                    name=version.name,
                    title=version.title or version.name,
                    media_type=version.media_type,
                    language=version.language,
                    dated=version.dated,
                    pages=version.pages,
                    chunk_count=version.chunk_count,
                    member_count=member_count,
                    updated_at=now,
                    finished_at=now,
                    **stale,
                )
            )
            if not changed:
                lost.append(job)
                continue
            version.times["ready"] = now.isoformat()
            version.error_code, version.finished_at = "", now
        live = [job for job in jobs if job not in lost]
        _save_versions(live, fields=[*_READ_FIELDS, "error_code", "finished_at"])
    return lost


def _save_versions(jobs: Iterable[Job], *, fields: Sequence[str]) -> None:
    """One UPDATE each: measured, Django's bulk_update takes ten times as long to write its CASE for every field."""
    for job in jobs:
        job.claimed.version.save(update_fields=fields)


def _points(jobs: Iterable[Job]) -> Iterator[IndexedChunk]:
    for job in jobs:
        attributes = _attributes_to_be(job.claimed)
        for index, row in enumerate(job.rows):
            yield IndexedChunk(
                chunk_id=str(row.pk),
                text=job.texts[index],
                vector=unpacked(job.vectors[index]),
                attributes=attributes,
            )


def _attributes_to_be(claimed: Claimed) -> Attributes:
    version = claimed.version
    return replace(
        attributes_of(claimed.document),
        version=version.number,
        media_type=version.media_type,
        language=version.language,
        dated=version.dated,
    )


def _batches(points: Iterator[IndexedChunk], *, size: int) -> Iterator[list[IndexedChunk]]:
    batch: list[IndexedChunk] = []
    for point in points:
        batch.append(point)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(claimed: Claimed, chunk: ChunkText) -> Chunk:
    return Chunk(
        id=chunk_id(str(claimed.key), claimed.version.number, chunk.ordinal),
        document=claimed.document,
        version=claimed.version.number,
        ordinal=chunk.ordinal,
        text=chunk.text,
        page=chunk.page,
        place=chunk.place[:200],
        heading=chunk.heading[:500],
        start=chunk.start,
        end=chunk.end,
        is_table=chunk.is_table,
        boxes=[list(box) for box in chunk.boxes],
    )


def _set_texts(job: Job) -> None:
    title = job.claimed.version.title
    job.texts = [embedded_text(title, row.heading, row.text) for row in job.rows]


def _depth(document: Document) -> int:
    depth, above = 1, document.archive
    while above is not None:
        depth, above = depth + 1, above.archive
    return depth
