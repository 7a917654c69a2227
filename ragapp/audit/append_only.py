"""Triggers by which the database itself refuses to change or remove an entry of the record.

Whoever owns the database can lift them: the chain and its checkpoints then show what was done. On SQLite a migration
that alters the table builds it anew without them, and has to install them again.
"""

from typing import Final

_REFUSAL: Final = "the record of decisions is append-only"

INSTALLED: Final = {
    "sqlite": (
        "CREATE TRIGGER IF NOT EXISTS audit_record_no_update BEFORE UPDATE ON audit_record "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_record_no_delete BEFORE DELETE ON audit_record "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
        # INSERT OR REPLACE removes the row in its way without a delete trigger, by its key or by its rowid.
        "CREATE TRIGGER IF NOT EXISTS audit_record_no_replace BEFORE INSERT ON audit_record "  # noqa: S608 (constants alone)
        "WHEN EXISTS (SELECT 1 FROM audit_record WHERE sequence = NEW.sequence OR rowid = NEW.rowid) "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_record_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER audit_record_no_change BEFORE UPDATE OR DELETE ON audit_record "
        "FOR EACH ROW EXECUTE FUNCTION audit_record_refuse()",
        "CREATE TRIGGER audit_record_no_truncate BEFORE TRUNCATE ON audit_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_record_refuse()",
    ),
}
"""Statements by the database's vendor, as Django names it."""

LIFTED: Final = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS audit_record_no_update",
        "DROP TRIGGER IF EXISTS audit_record_no_delete",
        "DROP TRIGGER IF EXISTS audit_record_no_replace",
    ),
    "postgresql": (
        "DROP TRIGGER IF EXISTS audit_record_no_change ON audit_record",
        "DROP TRIGGER IF EXISTS audit_record_no_truncate ON audit_record",
        "DROP FUNCTION IF EXISTS audit_record_refuse()",
    ),
}
