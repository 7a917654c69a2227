"""Texts that may leave and texts that must stay, looked at by the gate."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ragapp.evaluation import routing
from ragapp.evaluation.errors import InvalidQuestionSetError, NothingToMeasureError
from ragapp.evaluation.routing import Prompt
from ragapp.gateway.base import Finding, Signal
from ragapp.gateway.gate import Gate
from ragapp.gateway.signals.base import Outgoing


class Denies:
    """Denies texts that hold its name, and is in doubt about those that hold a question mark twice."""

    def __init__(self, name: str) -> None:
        self.name = name

    def look(self, outgoing: Outgoing) -> Signal:
        if "??" in outgoing.text:
            return Signal(self.name, Finding.UNKNOWN)
        return Signal(self.name, Finding.DENY if self.name in outgoing.text else Finding.CLEAN)


def written(folder: Path, name: str, content: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")


def test_every_form_of_file_is_read(tmp_path: Path) -> None:
    written(tmp_path, "generic/lines.jsonl", '{"prompt": "one"}\n\n{"question": "two", "answer": "2"}\n')
    written(
        tmp_path, "pii/list.json", json.dumps([{"full_text": "three", "spans": [1]}, {"full_text": "x", "spans": []}])
    )
    written(tmp_path, "other/strings.json", '["four", ""]')
    written(tmp_path, "other/prompts.yaml", "name: a set\nprompts:\n- value: five\n- value: six\n")
    written(tmp_path, "other/README.md", "no set")
    assert [(prompt.group, prompt.text) for prompt in routing.load(tmp_path)] == [
        ("generic/lines", "one"),
        ("generic/lines", "two"),
        ("other/prompts", "five"),
        ("other/prompts", "six"),
        ("other/strings", "four"),
        ("pii/list", "three"),
    ]
    assert [prompt.text for prompt in routing.load(tmp_path, limit=1)] == ["one", "five", "four", "three"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a/a.jsonl", "{"),
        ("a/a.json", "3"),
        ("a/a.yaml", "a: [b"),
        ("a/a.json", '[{"words": "?"}]'),
        ("a/a.json", "[1]"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str) -> None:
    written(tmp_path, name, content)
    with pytest.raises(InvalidQuestionSetError, match=Path(name).name):
        routing.load(tmp_path)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidQuestionSetError):
        routing.load(tmp_path)


def test_it_takes_texts_of_both_sorts() -> None:
    with pytest.raises(NothingToMeasureError):
        routing.evaluate([Prompt("generic/a", "one")], gate=Gate([Denies("names")]))


def test_shares_are_told_by_group_and_by_signal_left_out() -> None:
    texts = [
        Prompt("generic/a", "plain"),
        Prompt("generic/a", "names in it"),
        Prompt("pii/b", "names and keys"),
        Prompt("pii/b", "names alone"),
        Prompt("pii/b", "nothing seen"),
        Prompt("pii/b", "doubt??"),
    ]
    report = routing.evaluate(texts, gate=Gate([Denies("names"), Denies("keys")]))
    generic, pii = report.groups
    assert (generic.passed, pii.passed, pii.texts, pii.unknown) == (1, 1, 4, 0.25)
    assert pii.held == {"names": 0.5, "keys": 0.25}
    assert pii.low < 0.25 < pii.high
    assert [(each.signal, each.leaked, each.covered) for each in report.ablation] == [
        ("", 0.25, 0.5),
        ("names", 0.5, 1.0),
        ("keys", 0.25, 0.5),
    ]


@pytest.mark.django_db
def test_the_command_prints_tables_or_the_whole_of_it(tmp_path: Path) -> None:
    written(tmp_path, "generic/a.jsonl", '{"text": "What is a mutex?"}\n')
    written(tmp_path, "secret/b.jsonl", '{"text": "my password=Hunter2xyz"}\n')
    table, whole = io.StringIO(), io.StringIO()
    call_command("evaluate", "routing", str(tmp_path), stdout=table)
    call_command("evaluate", "routing", str(tmp_path), "--json", stdout=whole)
    assert "| secret/b | 1 | 0.000 [0.000, 0.975] |" in table.getvalue()
    assert [group["passed"] for group in json.loads(whole.getvalue())["groups"]] == [1, 0]


@pytest.mark.django_db
def test_the_command_says_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="invalid_question_set"):
        call_command("evaluate", "routing", str(tmp_path))
