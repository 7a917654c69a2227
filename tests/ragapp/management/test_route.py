"""`manage.py route`: one decision a line, from standard input; nothing is recorded."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ingestion.errors import IndexUnavailableError
from ragapp import wiring
from ragapp.answering.base import Retrieval
from ragapp.audit.models import Record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _admin(django_user_model: Any) -> None:
    django_user_model.objects.create_user("root", is_staff=True)


@pytest.fixture(autouse=True)
def _search(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Retrieval(passages=(), relevant=False)
    monkeypatch.setattr(wiring, "search", lambda question, **_: found)


def routed(*lines: object, as_json: bool = True) -> list[str]:
    out = io.StringIO()
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("\n".join(text)))
        call_command("route", json=as_json, stdout=out)
    return out.getvalue().splitlines()


def findings(line: str) -> dict[str, str]:
    return {signal["name"]: signal["finding"] for signal in json.loads(line)["signals"]}


def test_each_line_gets_its_decision_with_every_signal() -> None:
    one, two = routed({"id": "a", "text": "What is a mutex?"}, "", {"id": "b", "text": "password=Hunter2xyz"})
    assert [json.loads(line)["id"] for line in (one, two)] == ["a", "b"]
    assert [json.loads(line)["verdict"] for line in (one, two)] == ["inside", "inside"]
    assert list(findings(one)) == ["switches", "provenance", "proximity", *wiring.gate().names]
    assert (findings(one)["secrets"], findings(two)["secrets"]) == ("clean", "deny")


def test_a_history_is_a_reason_to_stay() -> None:
    (line,) = routed({"text": "What is a mutex?", "history": [{"role": "user", "content": "Hello"}]})
    assert findings(line)["provenance"] == "deny"


def test_documents_that_cannot_be_searched_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(question: str, **_: object) -> Retrieval:
        raise IndexUnavailableError("held by another process")

    monkeypatch.setattr(wiring, "search", down)
    (line,) = routed({"text": "What is a mutex?"})
    assert findings(line)["proximity"] == "unknown"


def test_for_a_person_it_is_one_line_with_what_speaks_against() -> None:
    (line,) = routed({"id": 7, "text": "Is our password=Hunter2xyz safe?"}, as_json=False)
    assert line.split("\t")[:3] == ["7", "inside", "switches, secrets, form"]


def test_nothing_is_recorded() -> None:
    routed({"text": "What is a mutex?"})
    assert not Record.objects.exists()


@pytest.mark.parametrize("line", ["no json", "[]", '{"id": 1}', '{"text": 3}', '{"text": "a", "history": "b"}'])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(CommandError, match="Line 2"):
        routed({"text": "What is a mutex?"}, line)
