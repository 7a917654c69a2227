"""One table of errors: every code in use is in it, and the pages are generated from it."""

import ast
from pathlib import Path

import pytest
from django.core.management import call_command

from ragapp.errors import ERRORS, entry_for

ROOT = Path(__file__).parents[2]


def _codes_in_use() -> dict[str, str]:
    """Every `code = "…"` of an exception class, by code, with the module that has it."""
    found = {}
    for path in [
        *(ROOT / "ragapp").rglob("errors.py"),
        *(ROOT / "ingestion").rglob("errors.py"),
        *(ROOT / "ragapp").glob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                for statement in node.body:
                    match statement:
                        case (
                            ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str() as code))
                            | ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str() as code))
                        ):
                            found[code] = str(path)
                        case _:
                            pass
    return found


def test_every_code_in_use_is_in_the_table() -> None:
    assert {code: where for code, where in _codes_in_use().items() if code not in ERRORS} == {}


def test_every_sentence_is_a_sentence() -> None:
    assert [e.code for e in ERRORS.values() if not (e.sentence[0].isupper() and e.sentence.endswith("."))] == []


def test_an_unknown_code_is_an_internal_error() -> None:
    assert entry_for("no such code") is ERRORS["internal_error"]


@pytest.mark.parametrize("status", sorted({entry.status for entry in ERRORS.values()}))
def test_every_status_is_an_error_status(status: int) -> None:
    assert 400 <= status < 600


def test_the_generated_pages_equal_the_code() -> None:
    call_command("docs", "--check")
