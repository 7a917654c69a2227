"""`manage.py verify_ledger`: a whole record is signed, a changed or shortened one is not."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from ragapp import wiring
from ragapp.audit.ledger import SqlLedger
from ragapp.audit.models import Record
from ragapp.gateway.ledger import Checkpoint
from tests.append_only import append_only_lifted

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.jsonl"


@pytest.fixture(autouse=True)
def _entries() -> None:
    for n in range(3):
        wiring.ledger().append(kind="decision", body={"n": n})


def verified(path: Path, *, as_json: bool = False) -> str:
    out = io.StringIO()
    call_command("verify_ledger", checkpoints=path, json=as_json, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_a_whole_record_is_signed_once(path: Path) -> None:
    assert "3 entries" in verified(path)
    report = json.loads(verified(path, as_json=True))
    assert (set(report), report["entries"], report["faults"]) == ({"entries", "seconds", "faults"}, 3, [])
    assert [json.loads(line)["sequence"] for line in path.read_text().splitlines()] == [3]


def test_it_is_signed_anew_when_it_has_grown(path: Path) -> None:
    verified(path)
    wiring.ledger().append(kind="decision", body={})
    verified(path)
    assert [json.loads(line)["sequence"] for line in path.read_text().splitlines()] == [3, 4]


def test_a_changed_entry_fails_and_nothing_is_signed(path: Path) -> None:
    with append_only_lifted(connection):
        Record.objects.filter(sequence=2).update(kind="send")
    with pytest.raises(CommandError, match="1 faults"):
        verified(path)
    assert not path.exists()


def test_an_entry_that_was_another_one_when_it_was_signed_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last, sign = Record.objects.get(sequence=3), SqlLedger.checkpoint

    def changed_meanwhile(ledger: SqlLedger) -> Checkpoint | None:
        with append_only_lifted(connection):
            Record.objects.filter(sequence=3).update(mac="0" * 64)
            checkpoint = sign(ledger)
            Record.objects.filter(sequence=3).update(mac=last.mac)
        return checkpoint

    monkeypatch.setattr(SqlLedger, "checkpoint", changed_meanwhile)
    with pytest.raises(CommandError, match="1 faults"):
        verified(path)
    assert not path.exists()


def test_a_record_whose_end_was_cut_off_fails(path: Path) -> None:
    verified(path)
    with append_only_lifted(connection):
        Record.objects.filter(sequence__gt=1).delete()
    with pytest.raises(CommandError):
        verified(path)


def test_an_emptied_record_fails(path: Path) -> None:
    verified(path)
    with append_only_lifted(connection):
        Record.objects.all().delete()
    with pytest.raises(CommandError):
        verified(path)


@pytest.mark.parametrize("line", ["no json", "[]", '{"sequence": 1}'])
def test_a_damaged_file_of_checkpoints_is_an_error(path: Path, line: str) -> None:
    path.write_text(line)
    with pytest.raises(CommandError, match="checkpoints_unreadable"):
        verified(path)
