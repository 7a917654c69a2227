"""Mends what the audit found, where it can be derived: from SQL for the index, from the file for passages.

Nothing that cannot be made again is removed. Whoever is reading or deleting meanwhile is left to it.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ingestion import outbox, services
from ingestion.claims import BACK_IN_LINE, unclaimed
from ingestion.embedding.base import Embedder
from ingestion.index.base import ChunkIndex
from ingestion.integrity import (
    Counted,
    Kind,
    OnStep,
    Report,
    audit,
    counted_documents,
    file_sha256,
    orphan_chunks,
    orphan_rows,
)
from ingestion.models import BuildState, Chunk, Document, DocumentState, DocumentVersion, IndexBuild
from ingestion.projection import project, rewrite_document

# A file that was written a moment ago may be an upload whose row is about to be.
YOUNG_FILE_S = 60.0
_IN_THE_INDEX = (Kind.CHUNKS_WITHOUT_POINTS, Kind.ORPHAN_POINTS, Kind.WRONG_ATTRIBUTES)


@dataclass(frozen=True)
class Repaired:
    """`before` and `after` the repair."""

    before: Report
    after: Report

    @property
    def mended(self) -> Mapping[Kind, int]:
        """How many of each kind are no more."""
        gone = Counter(self.before.counts)
        gone.subtract(self.after.counts)
        return {kind: count for kind, count in gone.items() if count > 0}


def audit_and_repair(
    *,
    index: ChunkIndex,
    embedder: Embedder,
    files_dir: Path,
    purge: Callable[[UUID], None],
    quick: bool = False,
    young_file_s: float = YOUNG_FILE_S,
    on_step: OnStep = lambda step, done, total: None,
) -> Repaired:
    """Audit, mend, audit again. `purge` removes a document that was deleted.

    Waits until files that no row has are `young_file_s` old. Raises IndexUnavailableError, EmbedderUnavailableError.
    """
    before = audit(index=index, files_dir=files_dir, quick=quick, on_step=on_step)
    found, left = before, sum(before.counts.values())
    while not found.is_clean:
        _mend_rows(found)
        _read_again(found, files_dir=files_dir)
        _wake(found, purge=purge)
        _remove_files(found, files_dir=files_dir, young_file_s=young_file_s)
        _mend_index(found, index=index, embedder=embedder, on_step=on_step)
        named_all = len(found.findings) == left
        found = audit(index=index, files_dir=files_dir, quick=quick, on_step=on_step)
        # A report names so many of each kind: what it did not name is the next round's.
        if named_all or sum(found.counts.values()) >= left:
            break
        left = sum(found.counts.values())
    return Repaired(before, found)


def _mend_rows(report: Report) -> None:
    if report.of(Kind.ORPHAN_ROWS):
        for rows in orphan_rows():
            rows.delete()
        orphan_chunks().delete()


def _read_again(report: Report, *, files_dir: Path) -> None:
    """Passages are made from the file once more; what is left of them is searched until then."""
    keys = {finding.document_id for finding in report.of(Kind.READY_WITHOUT_TEXT, Kind.VERSION_ROWS)}
    for each in counted_documents(among=keys):
        version = DocumentVersion.objects.filter(document=each.document_id, number=each.live_version).first()
        if version is None:
            continue
        if each.found and each.found in {each.said, version.chunk_count} and _is_gapless(each):
            Document.objects.filter(pk=each.document_id).update(chunk_count=each.found)
            DocumentVersion.objects.filter(pk=version.pk).update(chunk_count=each.found)
        elif each.live_version == each.version and _is_whole(version, files_dir=files_dir):
            _queue(version, found=each.found)


def _queue(version: DocumentVersion, *, found: int) -> None:
    settled = Q(state__in=[DocumentState.READY, DocumentState.FAILED])
    with transaction.atomic():
        queued = Document.objects.filter(settled, pk=version.document_id, version=version.number).update(
            **services.queued_again() | {"chunk_count": found}
        )
        if queued:
            # Not 0 means that rows and vectors are stored, and are gone on with.
            DocumentVersion.objects.filter(pk=version.pk).update(chunk_count=0, embedded_count=0)
            send = partial(outbox.send, (version.document_id, version.size))
            transaction.on_commit(send, robust=True)


def _wake(report: Report, *, purge: Callable[[UUID], None]) -> None:
    keys = [finding.document_id for finding in report.of(Kind.STUCK, Kind.LOST_UPLOAD) if finding.document_id]
    found = Document.objects.filter(pk__in=keys)
    for document in found.filter(state=DocumentState.DELETING):
        purge(document.pk)
    reading = Q(state=DocumentState.QUEUED) | (Q(state=DocumentState.PROCESSING) & unclaimed(timezone.now()))
    for document in found.filter(reading):
        woken = Document.objects.filter(reading, pk=document.pk).update(
            **BACK_IN_LINE, error_code="", available_at=None, updated_at=timezone.now()
        )
        if woken:
            outbox.send((document.pk, document.size))
    builds = [finding.build_id for finding in report.of(Kind.STUCK) if finding.build_id is not None]
    dead = IndexBuild.objects.filter(pk__in=builds, state=BuildState.BUILDING, claimed_until__lt=timezone.now())
    dead.update(state=BuildState.REQUESTED, claim=None, claimed_until=None)


def _remove_files(report: Report, *, files_dir: Path, young_file_s: float) -> None:
    paths = [files_dir / finding.path for finding in report.of(Kind.ORPHAN_FILE)]
    youngest = max((path.lstat().st_mtime for path in paths if path.exists()), default=0.0)
    time.sleep(min(max(0.0, youngest + young_file_s - time.time()), young_file_s))
    for path in paths:
        if not _is_wanted(path, files_dir=files_dir):
            path.unlink(missing_ok=True)


def _is_wanted(path: Path, *, files_dir: Path) -> bool:
    """True where a row has come meanwhile, or where these may be the only bytes of a document that lost its own."""
    if DocumentVersion.objects.filter(file=str(path.relative_to(files_dir))).exists():
        return True
    if not path.is_file():
        return False
    sha256 = file_sha256(path)
    versions = DocumentVersion.objects.filter(sha256=sha256)
    kept = any((files_dir / version.file).is_file() for version in versions)
    return not kept and (versions.exists() or Document.objects.filter(sha256=sha256).exists())


def _mend_index(report: Report, *, index: ChunkIndex, embedder: Embedder, on_step: OnStep) -> None:
    for finding in report.of(Kind.UNREACHABLE_DOCUMENT):
        rewrite_document(index, embedder, document_id=UUID(finding.document_id))
    if report.of(*_IN_THE_INDEX):
        project(index, embedder, on_progress=lambda done, total: on_step("repair", done, total))


def _is_gapless(counted: Counted) -> bool:
    chunks = Chunk.objects.filter(document=counted.document_id, version=counted.live_version)
    places = chunks.order_by("ordinal").values_list("ordinal", flat=True)
    return list(places) == list(range(counted.found))


def _is_whole(version: DocumentVersion, *, files_dir: Path) -> bool:
    try:
        return (files_dir / version.file).stat().st_size == version.size
    except FileNotFoundError:
        return False
