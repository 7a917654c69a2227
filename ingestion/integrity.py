"""What there is against what there should be: rows, files on disk, points in the index. Finds; `repairs` mends.

| kind | means | mended by |
|---|---|---|
| lost_upload | its file is not on disk; or it waits, no worker was told and nobody reads | telling workers |
| stuck | nobody goes on with it, for longer than the sweep takes | queueing it again |
| chunks_without_points, orphan_points, wrong_attributes | the index is not what SQL says | writing that |
| unreachable_document | asked for in its own words, it is not among the first five | writing its points anew |
| orphan_file | no version has it | removing it |
| changed_file | other bytes than those that were accepted | |
| ready_without_text, version_rows | passages are gone, or not as many as rows say | reading again, or counting |
| orphan_rows | rows of nothing | removing them |
"""

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from django.db.models import CASCADE, Count, Exists, F, ManyToOneRel, Model, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Length, RowNumber, Trim
from django.utils import timezone

from ingestion.access import AccessScope
from ingestion.claims import unclaimed
from ingestion.index.base import ChunkIndex, Hit, IndexQuery
from ingestion.models import (
    BuildState,
    Chunk,
    ChunkEmbedding,
    Document,
    DocumentState,
    DocumentVersion,
    IndexBuild,
)
from ingestion.projection import Differences, Places, differences, live_chunks
from ingestion.publishing import unpacked

# The sweep goes on with whatever waits, long before that.
WAITS_TOO_LONG = timedelta(minutes=10)
LEFTOVER_AFTER_S = 3_600.0
# An upload's file is whole a moment before its row is: a second look tells it from an orphan.
SECOND_LOOK_S = 2.0
MOST_NAMED = 1_000
QUICK_SAMPLE = 100
_PAGE = 500
_PROBES = 3
_TOP = 5
_SAME = 0.999
_TEMPORARY = ("tmp", ".")

OnStep = Callable[[str, int, int], None]


class Kind(StrEnum):
    """Of a fault."""

    LOST_UPLOAD = "lost_upload"
    STUCK = "stuck"
    CHUNKS_WITHOUT_POINTS = "chunks_without_points"
    ORPHAN_POINTS = "orphan_points"
    WRONG_ATTRIBUTES = "wrong_attributes"
    UNREACHABLE_DOCUMENT = "unreachable_document"
    ORPHAN_FILE = "orphan_file"
    CHANGED_FILE = "changed_file"
    READY_WITHOUT_TEXT = "ready_without_text"
    VERSION_ROWS = "version_rows"
    ORPHAN_ROWS = "orphan_rows"


@dataclass(frozen=True)
class Finding:
    """One fault. `path` is in the files folder; `build_id` of a build of the index. What does not apply is empty."""

    kind: Kind
    sentence: str
    document_id: str = ""
    chunk_id: str = ""
    path: str = ""
    build_id: int | None = None


@dataclass(frozen=True)
class Report:
    """`counts` of every kind found; of each the first `MOST_NAMED` are in `findings`."""

    findings: tuple[Finding, ...]
    counts: Mapping[Kind, int]
    documents: int
    chunks: int
    points: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        """True where nothing was found."""
        return not self.counts

    def of(self, *kinds: Kind) -> list[Finding]:
        """The findings of these kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]


@dataclass(frozen=True)
class Counted:
    """A searchable document: how many passages its row and its version's row say, and how many there are."""

    document_id: UUID
    state: str
    version: int
    live_version: int
    members: int
    said: int
    version_said: int | None
    found: int
    has_text: bool

    @property
    def agrees(self) -> bool:
        """True where all say the same, and while the live version's file is read again."""
        again = self.version == self.live_version and self.state in {DocumentState.QUEUED, DocumentState.PROCESSING}
        return again or self.found == self.said == self.version_said


@dataclass
class _Found:
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)

    def add(
        self,
        kind: Kind,
        sentence: str,
        *,
        document_id: UUID | str = "",
        chunk_id: str = "",
        path: str = "",
        build_id: int | None = None,
    ) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= MOST_NAMED:
            self.findings.append(Finding(kind, sentence, str(document_id), chunk_id, path, build_id))


def audit(
    *, index: ChunkIndex, files_dir: Path, quick: bool = False, on_step: OnStep = lambda step, done, total: None
) -> Report:
    """Check everything; `quick` reads no file and searches for a sample of the documents.

    May run while documents come and go: what is under way is no fault. Raises IndexUnavailableError.
    """
    began, found = time.monotonic(), _Found()
    _check_states(found)
    _check_rows(found)
    _check_files(found, files_dir=files_dir, quick=quick, on_step=on_step)
    differing = differences(index, on_progress=lambda done, total: on_step("index", done, total))
    _check_index(found, differing)
    _check_reach(found, index=index, missing=differing.missing, quick=quick, on_step=on_step)
    return Report(
        findings=tuple(found.findings),
        counts=dict(found.counts),
        documents=Document.objects.exclude(state=DocumentState.DELETING).count(),
        chunks=live_chunks().count(),
        points=index.count(),
        seconds=round(time.monotonic() - began, 1),
    )


def _check_states(found: _Found) -> None:
    now = timezone.now()
    late = now - WAITS_TOO_LONG
    lost = unclaimed(now)
    for key in Document.objects.filter(lost, state=DocumentState.PROCESSING).values_list("pk", flat=True):
        found.add(Kind.STUCK, "It is being read, says its row, but its reader is gone.", document_id=key)
    for key in Document.objects.filter(lost, state=DocumentState.DELETING, updated_at__lt=late).values_list(
        "pk", flat=True
    ):
        found.add(Kind.STUCK, "It was deleted over 10 minutes ago and is still there.", document_id=key)
    reading = Document.objects.filter(state=DocumentState.PROCESSING, claimed_until__gte=now)
    if not reading.exists():
        _check_queue(found, late=late)
    dead = IndexBuild.objects.filter(state=BuildState.BUILDING, claimed_until__lt=now)
    for build_id in dead.values_list("pk", flat=True):
        found.add(Kind.STUCK, f"Build {build_id} of the index has lost its worker.", build_id=build_id)


def _check_queue(found: _Found, *, late: object) -> None:
    """Only while nobody reads: with many documents some wait long, and rightly."""
    due = Q(available_at__isnull=True) | Q(available_at__lt=late)
    waiting = Document.objects.filter(due, state=DocumentState.QUEUED)
    for key in waiting.filter(enqueued_at__lt=late).values_list("pk", flat=True):
        found.add(Kind.STUCK, "It has waited over 10 minutes, and nobody reads.", document_id=key)
    for key in waiting.filter(enqueued_at__isnull=True, updated_at__lt=late).values_list("pk", flat=True):
        found.add(Kind.LOST_UPLOAD, "It was accepted, but no worker was ever told.", document_id=key)


def _check_rows(found: _Found) -> None:
    for each in counted_documents():
        if each.state == DocumentState.READY and not each.has_text and not each.members:
            found.add(Kind.READY_WITHOUT_TEXT, "It is ready but has no text.", document_id=each.document_id)
        elif each.version_said is None:
            sentence = f"The row of version {each.live_version} is gone."
            found.add(Kind.VERSION_ROWS, sentence, document_id=each.document_id)
        elif not each.agrees:
            sentence = f"Its row says {each.said} passages, its version {each.version_said}; there are {each.found}."
            found.add(Kind.VERSION_ROWS, sentence, document_id=each.document_id)
    latest = DocumentVersion.objects.filter(document=OuterRef("pk"), number=OuterRef("version"))
    for key in (
        Document.objects.filter(~Exists(latest)).exclude(state=DocumentState.DELETING).values_list("pk", flat=True)
    ):
        found.add(Kind.VERSION_ROWS, "The row of its latest version is gone.", document_id=key)
    for key, count in orphan_chunks().values_list("document_id").annotate(count=Count("pk")):
        found.add(Kind.ORPHAN_ROWS, f"{count} passages are of a version that is not there.", document_id=key)
    for rows in orphan_rows():
        for _ in range(rows.count()):
            name = rows.model._meta.verbose_name
            found.add(Kind.ORPHAN_ROWS, f"A row of {name!r} is of something that is not there any more.")


def counted_documents(*, among: Collection[str] | None = None) -> Iterator[Counted]:
    """Searchable documents with what their rows say and what there is; all of them, or those `among` the ids."""
    live = Q(chunks__version=F("live_version"))
    own = Chunk.objects.filter(document=OuterRef("pk"), version=OuterRef("live_version"))
    version = DocumentVersion.objects.filter(document=OuterRef("pk"), number=OuterRef("live_version"))
    documents = Document.objects.filter(live_version__isnull=False).exclude(state=DocumentState.DELETING)
    rows = (
        (documents if among is None else documents.filter(pk__in=among))
        .annotate(
            found=Count("chunks", filter=live),
            version_said=version.values("chunk_count"),
            has_text=Exists(own.annotate(length=Length(Trim("text"))).filter(length__gt=0)),
        )
        .values_list(
            "pk", "state", "version", "live_version", "member_count", "chunk_count", "version_said", "found", "has_text"
        )
    )
    return (Counted(*row) for row in rows.iterator())  # type: ignore[arg-type]


def orphan_chunks() -> QuerySet[Chunk]:
    """Passages whose version has no row, and that nobody searches or is about to."""
    version = DocumentVersion.objects.filter(document=OuterRef("document"), number=OuterRef("version"))
    wanted = Q(version=F("document__live_version")) | Q(version=F("document__version"))
    return Chunk.objects.filter(~Exists(version)).exclude(wanted).order_by()


def orphan_rows() -> Iterator[QuerySet[Model]]:
    """Vectors, versions, quotes and whatever else would go with a document, of one that is not there.

    Only a database whose foreign keys were off can hold them.
    """
    for target in (Document, Chunk):
        for relation in relations_to(target):
            model, key = relation.related_model, relation.field.attname
            if model is not Document and relation.on_delete is CASCADE:
                there = target._base_manager.filter(pk=OuterRef(key))
                yield model._base_manager.filter(~Exists(there), **{f"{key}__isnull": False})


def relations_to(model: type[Model]) -> list[ManyToOneRel]:
    """The foreign keys that point to a model, of other applications and of those without a way back as well."""
    return [each for each in model._meta.get_fields(include_hidden=True) if isinstance(each, ManyToOneRel)]


def _check_files(found: _Found, *, files_dir: Path, quick: bool, on_step: OnStep) -> None:
    candidates = {path: path.lstat().st_mtime for path in _unknown_files(files_dir)}
    versions = DocumentVersion.objects.exclude(document__state=DocumentState.DELETING).order_by("pk")
    total = versions.count()
    looked_at = time.monotonic()
    for done, version in enumerate(versions.iterator(chunk_size=_PAGE), start=1):
        _check_file(found, version, files_dir=files_dir, quick=quick)
        if done % _PAGE == 0 or done == total:
            on_step("files", done, total)
    if candidates:
        time.sleep(max(0.0, SECOND_LOOK_S - (time.monotonic() - looked_at)))
        for path in _unknown_files(files_dir):
            if path in candidates and path.lstat().st_mtime == candidates[path]:
                found.add(Kind.ORPHAN_FILE, "No document has this file.", path=str(path.relative_to(files_dir)))


def _check_file(found: _Found, version: DocumentVersion, *, files_dir: Path, quick: bool) -> None:
    path, owner = files_dir / version.file, version.document_id
    try:
        size = path.stat().st_size
        same = size == version.size and (quick or file_sha256(path) == version.sha256)
    except FileNotFoundError:
        alive = DocumentVersion.objects.filter(pk=version.pk).exclude(document__state=DocumentState.DELETING)
        if alive.exists():
            found.add(
                Kind.LOST_UPLOAD,
                f"The file of version {version.number} is not on disk.",
                document_id=owner,
                path=version.file,
            )
        return
    if not same:
        found.add(
            Kind.CHANGED_FILE,
            f"The file of version {version.number} is not what was accepted.",
            document_id=owner,
            path=version.file,
        )


def _unknown_files(files_dir: Path) -> Iterator[Path]:
    """Files that no version has; those that are just being written aside."""
    for batch in _batches(path for path in files_dir.rglob("*") if path.is_file() or path.is_symlink()):
        names = {str(path.relative_to(files_dir)): path for path in batch}
        known = set(DocumentVersion.objects.filter(file__in=names).values_list("file", flat=True))
        for name, path in names.items():
            if name not in known and not _is_being_written(path):
                yield path


def _is_being_written(path: Path) -> bool:
    try:
        age = time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return True
    return path.name.startswith(_TEMPORARY) and age < LEFTOVER_AFTER_S


def _check_index(found: _Found, differing: Differences) -> None:
    for kind, places, sentence in (
        (Kind.CHUNKS_WITHOUT_POINTS, differing.missing, "The passage is not in the index."),
        (Kind.ORPHAN_POINTS, differing.orphans, "A point in the index is of no passage."),
        (Kind.ORPHAN_POINTS, differing.outdated, "A point in the index is of a version that is not searched."),
        (Kind.WRONG_ATTRIBUTES, differing.wrong, "In the index it has another {fields}."),
    ):
        for place in itertools.islice(places.named.values(), MOST_NAMED):
            words = sentence.format(fields=", ".join(place.fields))
            found.add(kind, words, document_id=place.document_id, chunk_id=place.chunk_id)
        found.counts[kind] += places.count - min(len(places.named), MOST_NAMED)
        if not found.counts[kind]:
            del found.counts[kind]


def _check_reach(found: _Found, *, index: ChunkIndex, missing: Places, quick: bool, on_step: OnStep) -> None:
    documents = Document.objects.filter(Exists(live_chunks().filter(document=OuterRef("pk"))))
    if quick:
        keys = list(documents.order_by("?").values_list("pk", flat=True)[:QUICK_SAMPLE])
    else:
        keys = list(documents.order_by("pk").values_list("pk", flat=True))
    for done, start in enumerate(range(0, len(keys), _PAGE)):
        for document_id, probes in _probes(keys[start : start + _PAGE], missing=missing).items():
            # Asked twice: it may have been deleted, or have got a newer version, since its passages were read.
            if not _is_reached(index, probes) and not _is_reached(
                index, _probes([document_id], missing=missing).get(document_id)
            ):
                sentence = "A search in its own words does not find it."
                found.add(Kind.UNREACHABLE_DOCUMENT, sentence, document_id=document_id)
        on_step("search", min((done + 1) * _PAGE, len(keys)), len(keys))


def _probes(keys: list[UUID], *, missing: Places) -> dict[UUID, list[Chunk]]:
    """The longest passages of each document: they have the most words of their own."""
    ranked = (
        live_chunks()
        .filter(document__in=keys)
        .select_related("document")
        .annotate(
            rank=Window(
                RowNumber(), partition_by=F("document_id"), order_by=[Length("text").desc(), F("ordinal").asc()]
            )
        )
    )
    probes: dict[UUID, list[Chunk]] = {}
    for chunk in ranked.filter(rank__lte=_PROBES):
        if str(chunk.pk) not in missing.named:
            probes.setdefault(chunk.document_id, []).append(chunk)
    return probes


def _is_reached(index: ChunkIndex, probes: list[Chunk] | None) -> bool:
    """True also where there is nothing to ask for any more."""
    return not probes or any(_reaches(index, probe) for probe in probes)


def _reaches(index: ChunkIndex, probe: Chunk) -> bool:
    kept = ChunkEmbedding.objects.filter(chunk=probe, model=index.identity.embedding_model).first()
    query = IndexQuery(text=probe.text, vector=unpacked(bytes(kept.vector)) if kept else ())
    scope = AccessScope(frozenset({str(probe.document.collection_id)}))
    hits = index.search(query, scope=scope, limit=_TOP)
    return str(probe.document_id) in {hit.document_id for hit in hits} or _are_copies(hits)


def _are_copies(hits: list[Hit]) -> bool:
    """As many passages say the very same: which of them are first is chance."""
    return len(hits) == _TOP and all((hit.dense or 0.0) >= _SAME for hit in hits)


def file_sha256(path: Path) -> str:
    """Hex. Raises FileNotFoundError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _batches(paths: Iterable[Path]) -> Iterator[list[Path]]:
    rest = iter(paths)
    while batch := list(itertools.islice(rest, _PAGE)):
        yield batch
