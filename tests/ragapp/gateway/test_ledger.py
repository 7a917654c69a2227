"""Both ledgers keep one contract: what is appended is chained, and any change to it is found."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection

from ragapp.audit.ledger import SqlLedger
from ragapp.audit.models import Record
from ragapp.gateway.base import Ledger
from ragapp.gateway.ledger import ChainKey, MemoryLedger

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
    Record.objects.update(body={"verdict": "outside"})
    assert list(ledger.verify()) == ["entry 1 was changed"]


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
