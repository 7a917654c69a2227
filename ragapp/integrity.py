"""The audit over this process's parts, as the one JSON object that the command and the API give."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.conf import settings

from ingestion import engine, tasks
from ingestion.integrity import OnStep, Report, audit
from ingestion.repairs import audit_and_repair


def audit_body(*, repair: bool, quick: bool, on_step: OnStep = lambda step, done, total: None) -> dict[str, Any]:
    """Audit, and mend what is derivable where `repair`. Raises IndexUnavailableError, EmbedderUnavailableError."""
    files_dir = settings.INGESTION.files_dir
    if not repair:
        return _body(audit(index=engine.index(), files_dir=files_dir, quick=quick, on_step=on_step), mended={})
    done = audit_and_repair(
        index=engine.index(),
        embedder=engine.embedder(),
        files_dir=files_dir,
        purge=_purge,
        quick=quick,
        on_step=on_step,
    )
    return _body(done.after, mended={kind.value: count for kind, count in done.mended.items()})


def _purge(document_id: UUID) -> None:
    tasks.purge_document(str(document_id))


def _body(report: Report, *, mended: dict[str, int]) -> dict[str, Any]:
    return {
        "clean": report.is_clean,
        "documents": report.documents,
        "chunks": report.chunks,
        "points": report.points,
        "seconds": report.seconds,
        "counts": {kind.value: count for kind, count in report.counts.items()},
        "mended": mended,
        "findings": [asdict(finding) for finding in report.findings],
    }
