"""`manage.py verify_ledger`: a whole record is signed, a changed or shortened one is not."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from ragapp import wiring
from ragapp.audit.models import Record
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
    assert json.loads(verified(path, as_json=True)) == {"entries": 3, "faults": []}
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
