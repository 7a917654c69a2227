"""From 'purged' to 'gone': no byte of a deleted document is left in index and database, and its receipt says when.

A purge removes rows and points, but engines keep what they held. Measured, with the text and the vector of a deleted
document searched for in all files:

| where | after the purge | what removes it |
|---|---|---|
| index | vectors stay until a segment is rewritten | a generation built anew, and every older one dropped |
| SQLite | nothing in the file (`secure_delete`), all of it in the write-ahead log | a truncating checkpoint |
| PostgreSQL | all of it, also after VACUUM | VACUUM FULL; the write-ahead log goes with `wal_recycle=off` |

The former generation goes as well, so that `reindex --rollback` has none to go back to. Backups are the operator's.
"""

import logging
from datetime import timedelta

from django.db import DatabaseError, connection, models
from django.utils import timezone

from ingestion import engine
from ingestion.builds import build_request, generations_drop
from ingestion.index.base import IndexCatalog, IndexIdentity
from ingestion.integrity import relations_to
from ingestion.models import BuildState, Document, Erasure, IndexBuild

logger = logging.getLogger(__name__)

# What is promised; the rest is how it is kept.
WINDOW = timedelta(hours=24)
REBUILD_EVERY = timedelta(hours=1)
_LOCK_WAIT = "10s"
_READERS_WAIT_MS = 1_000


def erasures_settle(*, catalog: IndexCatalog | None = None, identity: IndexIdentity | None = None) -> int:
    """One step for all that wait: ask for a new generation, or, once it is live, remove what is left elsewhere.

    How many are gone for good now. Called again and again; never while a transaction is open. Raises
    IndexUnavailableError.
    """
    waiting = Erasure.objects.filter(purged_at__isnull=False, gone_at__isnull=True)
    if not waiting.exists():
        return 0
    catalog, identity = catalog or engine.catalog(), identity or engine.identity()
    build = IndexBuild.objects.filter(generation=catalog.live(identity) or "-", state=BuildState.LIVE).first()
    # A generation that was begun after the purge has never held it.
    clean = list(waiting.filter(purged_at__lte=build.created_at).values_list("pk", flat=True)) if build else []
    if waiting.exclude(pk__in=clean).exists():
        _request_rebuild(identity)
    if build is None or not clean or not _others_dropped(catalog, live=build) or not _database_cleaned():
        return 0
    return Erasure.objects.filter(pk__in=clean).update(gone_at=timezone.now())


def _request_rebuild(identity: IndexIdentity) -> None:
    recent = IndexBuild.objects.filter(
        embedding_model=identity.embedding_model, created_at__gt=timezone.now() - REBUILD_EVERY
    )
    if not recent.exists():
        build_request(embedding_model=identity.embedding_model)


def _others_dropped(catalog: IndexCatalog, *, live: IndexBuild) -> bool:
    """False where another generation has to stay: it is being built since before.

    Those of other models go too: a process that speaks one of them, a day after the change, has to be restarted.
    """
    found = catalog.generations()
    for name, identity in found.items():
        if identity != found.get(live.generation) and catalog.live(identity) == name:
            catalog.retire(identity)
    generations_drop(catalog, keep={live.generation})
    newer = IndexBuild.objects.filter(created_at__gt=live.created_at).values_list("generation", flat=True)
    left = set(catalog.generations()) - {live.generation, *newer}
    if left:
        logger.warning("deleted documents may still be in the index generations %s", sorted(left))
    return not left


def _database_cleaned() -> bool:
    """False where somebody else's transaction is in the way: next time."""
    try:
        return _sqlite_cleaned() if connection.vendor == "sqlite" else _postgresql_cleaned()
    except DatabaseError as exc:
        logger.warning("the database is not cleaned of deleted documents yet: %s", exc)
        return False


def _sqlite_cleaned() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual_ms,) = cursor.fetchone()
        # While it waits for readers, nobody writes.
        cursor.execute(f"PRAGMA busy_timeout = {_READERS_WAIT_MS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (busy, _, _) = cursor.fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual_ms}")
    return not busy


def _postgresql_cleaned() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
        try:
            for model in sorted(_holders(), key=lambda each: each._meta.db_table):
                cursor.execute(f"VACUUM (FULL) {connection.ops.quote_name(model._meta.db_table)}")
        finally:
            cursor.execute("SET lock_timeout = DEFAULT")
    _end_log_segment()
    return True


def _end_log_segment() -> None:
    """The part of the write-ahead log that holds it is finished, and free to be removed."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_switch_wal()")
            cursor.execute("CHECKPOINT")
    except DatabaseError as exc:
        # A right of the server's admin. Without it the server does the same in its own time.
        logger.info("the write-ahead log is left to the server: %s", exc)


def _holders() -> set[type[models.Model]]:
    """Every table with a part of a document: what goes when a document goes, of other applications as well."""
    found: set[type[models.Model]] = set()
    new: set[type[models.Model]] = {Document}
    while new:
        found |= new
        new = {relation.related_model for model in new for relation in relations_to(model)} - found
    # Where a row outlives its document, what it belongs to was blanked, and so was what belongs to that.
    for model in tuple(found):
        keys = [each for each in model._meta.concrete_fields if isinstance(each, models.ForeignKey)]
        if any(k.related_model is Document and k.remote_field.on_delete is models.SET_NULL for k in keys):
            for owner in {k.related_model for k in keys if k.remote_field.on_delete is models.CASCADE}:
                found |= {owner, *(each.related_model for each in relations_to(owner))}
    return found
