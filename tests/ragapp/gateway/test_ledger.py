"""Both ledgers keep one contract: what is appended is chained, and any change to it is found."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ragapp.audit.append_only import INSTALLED, LIFTED
from ragapp.audit.ledger import SqlLedger
from ragapp.audit.models import Record
from ragapp.gateway.base import Ledger
from ragapp.gateway.ledger import ChainKey, Checkpoint, Link, MemoryLedger
from tests.append_only import append_only_lifted

KEY = ChainKey("a test key")


@pytest.fixture(params=["memory", "sql"])
def ledger(request: pytest.FixtureRequest, db: None) -> Ledger:
    return MemoryLedger(KEY) if request.param == "memory" else SqlLedger(KEY)


def test_entries_are_numbered_from_one(ledger: Ledger) -> None:
    assert [ledger.append(kind="decision", body={"n": n}) for n in range(3)] == [1, 2, 3]


def test_an_untouched_chain_has_no_fault(ledger: Ledger) -> None:
    for n in range(5):
        ledger.append(kind="decision", body={"n": n, "text": "ü", "score": 0.25, "none": None})
    assert list(ledger.verify()) == []


def test_a_changed_body_is_found() -> None:
    ledger = MemoryLedger(KEY)
    for n in range(3):
        ledger.append(kind="decision", body={"n": n})
    ledger.links[1] = replace(ledger.links[1], body={"n": 99})
    assert list(ledger.verify()) == ["entry 2 was changed"]


def test_a_removed_entry_is_found() -> None:
    ledger = MemoryLedger(KEY)
    for n in range(3):
        ledger.append(kind="decision", body={"n": n})
    del ledger.links[1]
    assert any("entry 2 is missing" in fault for fault in ledger.verify())


def test_swapped_entries_are_found() -> None:
    ledger = MemoryLedger(KEY)
    for n in range(3):
        ledger.append(kind="decision", body={"n": n})
    ledger.links[0], ledger.links[1] = ledger.links[1], ledger.links[0]
    assert ledger.verify()


@pytest.mark.django_db
def test_an_edit_in_the_database_is_found() -> None:
    ledger = SqlLedger(KEY)
    ledger.append(kind="decision", body={"verdict": "inside"})
    with append_only_lifted(connection):
        Record.objects.update(body={"verdict": "outside"})
    assert list(ledger.verify()) == ["entry 1 was changed"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("body", "[]", "entry 1 was changed"),
        ("body", "1", "entry 1 was changed"),
        ("mac", b"ab", "entry 1 was changed"),
        ("created_at", "no time", "an entry cannot be read"),
        ("created_at", "2020-13-01 00:00:00", "an entry cannot be read"),
    ],
)
def test_a_value_of_another_type_in_the_database_is_found(column: str, value: str | bytes, fault: str) -> None:
    ledger = SqlLedger(KEY)
    for n in range(2):
        ledger.append(kind="decision", body={"n": n})
    with append_only_lifted(connection):
        connection.cursor().execute(f"UPDATE audit_record SET {column} = %s WHERE sequence = 1", [value])  # noqa: S608
    assert next(iter(ledger.verify())).startswith(fault)


@pytest.mark.django_db
def test_another_time_in_the_database_is_found() -> None:
    ledger = SqlLedger(KEY)
    ledger.append(kind="decision", body={})
    with append_only_lifted(connection):
        Record.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert list(ledger.verify()) == ["entry 1 was given another time"]


def replaced(values: str, *, rowid: bool = False) -> object:
    """SQLite's way to put a row in the place of another without deleting it."""
    hidden = "rowid, " if rowid else ""
    columns = f"{hidden}sequence, kind, body, created_at, previous, mac"
    return connection.cursor().execute(
        f"INSERT OR REPLACE INTO audit_record ({columns}) SELECT {hidden}{values} FROM audit_record"  # noqa: S608
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda: Record.objects.update(kind="other"),
        lambda: Record.objects.all().delete(),
        lambda: connection.cursor().execute("UPDATE audit_record SET kind = 'other'"),
        lambda: connection.cursor().execute("DELETE FROM audit_record"),
        lambda: replaced("sequence, 'other', body, created_at, previous, mac"),
        lambda: replaced("sequence + 1, kind, body, created_at, previous, mac", rowid=True),
    ],
)
def test_the_database_refuses_to_change_or_remove_an_entry(change: Callable[[], object]) -> None:
    ledger = SqlLedger(KEY)
    ledger.append(kind="decision", body={})
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change()
    assert list(ledger.verify()) == []


def test_the_same_statements_refuse_it_on_postgresql(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        # A schema of its own: other tests migrate the same database.
        server.execute("CREATE SCHEMA append_only")
        try:
            server.execute("SET search_path TO append_only")
            server.execute("CREATE TABLE audit_record (sequence bigint PRIMARY KEY)")
            for statement in INSTALLED["postgresql"]:
                server.execute(statement)
            server.execute("INSERT INTO audit_record VALUES (1)")
            for change in ("UPDATE audit_record SET sequence = 2", "DELETE FROM audit_record", "TRUNCATE audit_record"):
                with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
                    server.execute(change)
            for statement in LIFTED["postgresql"]:
                server.execute(statement)
            assert server.execute("DELETE FROM audit_record").rowcount == 1
        finally:
            server.execute("DROP SCHEMA append_only CASCADE")


def chain(length: int) -> list[Link]:
    ledger = MemoryLedger(KEY)
    for n in range(length):
        ledger.append(kind="decision", body={"n": n, "signals": [{"name": "secrets", "finding": "clean"}]})
    return ledger.links


def signed(link: Link) -> Checkpoint:
    return KEY.checkpoint(sequence=link.sequence, mac=link.mac, at="2026-01-01T00:00:00+00:00")


def edited(links: list[Link], at: int, chance: random.Random) -> list[Link]:
    fields: list[dict[str, Any]] = [
        {"kind": "send"},
        {"body": {**links[at].body, "n": -1}},
        {"body": {**links[at].body, "more": None}},
        {"sequence": links[at].sequence + chance.randint(1, 9)},
        {"previous": "0" * 63 + "1"},
        {"mac": links[at].mac[::-1]},
        {"mac": "\u00e9"},
    ]
    return [*links[:at], replace(links[at], **chance.choice(fields)), *links[at + 1 :]]


def removed(links: list[Link], at: int, chance: random.Random) -> list[Link]:
    return [*links[:at], *links[at + chance.randint(1, len(links) - at) :]]


def reordered(links: list[Link], at: int, chance: random.Random) -> list[Link]:
    other = chance.choice([n for n in range(len(links)) if n != at])
    changed = list(links)
    changed[at], changed[other] = changed[other], changed[at]
    return changed


def cut(links: list[Link], at: int, chance: random.Random) -> list[Link]:
    return links[:at]


def doubled(links: list[Link], at: int, chance: random.Random) -> list[Link]:
    return [*links[: at + 1], links[at], *links[at + 1 :]]


@pytest.mark.parametrize("change", [edited, removed, reordered, cut, doubled])
def test_each_of_200_random_changes_is_found(
    change: Callable[[list[Link], int, random.Random], list[Link]],
) -> None:
    links, chance = chain(40), random.Random(7)
    checkpoint = signed(links[-1])
    assert KEY.faults(links, [checkpoint]) == []
    found = [bool(KEY.faults(change(links, chance.randrange(len(links)), chance), [checkpoint])) for _ in range(200)]
    assert found == [True] * 200


def test_a_chain_written_anew_after_a_checkpoint_is_found() -> None:
    links = chain(5)
    ledger = MemoryLedger(KEY)
    for n in range(5):
        ledger.append(kind="decision", body={"n": n + 100})
    assert KEY.faults(ledger.links, [signed(links[-1])]) == ["entry 5 is not the one that was signed"]


def test_a_checkpoint_of_another_key_is_a_fault() -> None:
    links = chain(3)
    forged = ChainKey("another").checkpoint(sequence=3, mac=links[-1].mac, at="2026-01-01T00:00:00+00:00")
    assert KEY.faults(links, [forged]) == ["the checkpoint of entry 3 is not signed by this key"]


def test_a_checkpoint_does_not_take_the_place_of_an_earlier_one() -> None:
    links = chain(3)
    ledger = MemoryLedger(KEY)
    for n in range(3):
        ledger.append(kind="decision", body={"n": n + 100})
    assert "entry 3 was signed as two different ones" in KEY.faults(
        ledger.links, [signed(links[-1]), signed(ledger.links[-1])]
    )


@pytest.mark.parametrize("signature", ["", "\ud800", None, 7])
def test_a_signature_that_is_none_is_a_fault(signature: Any) -> None:
    links = chain(3)
    assert KEY.faults(links, [replace(signed(links[-1]), signature=signature)]) == [
        "the checkpoint of entry 3 is not signed by this key"
    ]


def test_another_key_does_not_verify_the_chain() -> None:
    ledger = MemoryLedger(KEY)
    ledger.append(kind="decision", body={})
    assert ChainKey("another").faults(ledger.links)


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_each_get_a_place_in_one_chain() -> None:
    ledger = SqlLedger(KEY)

    def write(n: int) -> int:
        try:
            return ledger.append(kind="decision", body={"n": n})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(write, range(12)))
    assert sorted(numbers) == list(range(1, 13))
    assert list(ledger.verify()) == []
