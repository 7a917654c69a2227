"""Nothing but `seal` makes a ClearedPrompt, and no other module can reach a way out."""

import ast
import copy
import dataclasses
import inspect
import pickle
from pathlib import Path

import pytest

import ragapp.gateway.base as gateway_base
from ragapp.gateway import egress
from ragapp.gateway.base import Decision, Finding, Signal, Verdict
from ragapp.gateway.egress import ClearedPrompt, Sealer
from ragapp.gateway.errors import NotClearedError
from ragapp.gateway.gate import Gate
from tests.ragapp.gateway.routing import always

ROOT = Path(__file__).parents[3]
CLEAN = Signal(name="secrets", finding=Finding.CLEAN)


def seal(question: str, decision: Decision, *, now: Finding = Finding.CLEAN) -> ClearedPrompt:
    """Sealed where the gate's one signal says `now`."""
    return Sealer(Gate([always("secrets", now)])).seal(question, decision)


def decision(*signals: Signal, verdict: Verdict = Verdict.OUTSIDE) -> Decision:
    return Decision(verdict=verdict, reason="because", model="m", signals=signals)


def test_a_cleared_prompt_cannot_be_made_directly() -> None:
    with pytest.raises(NotClearedError):
        ClearedPrompt("what is a mutex?")


def test_a_guessed_seal_is_not_the_seal() -> None:
    with pytest.raises(NotClearedError):
        ClearedPrompt("what is a mutex?", _seal=object())


def test_a_cleared_prompt_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError):
        type("Other", (ClearedPrompt,), {})


def test_seal_clears_the_bare_question_when_every_signal_is_clean() -> None:
    assert seal("what is a mutex?", decision(CLEAN)).question == "what is a mutex?"


@pytest.mark.parametrize("finding", [Finding.DENY, Finding.UNKNOWN])
def test_seal_refuses_when_one_signal_is_not_clean(finding: Finding) -> None:
    with pytest.raises(NotClearedError, match="lexicon"):
        seal("what is a mutex?", decision(CLEAN, Signal(name="lexicon", finding=finding)))


def test_seal_refuses_an_inside_verdict() -> None:
    with pytest.raises(NotClearedError):
        seal("what is a mutex?", decision(CLEAN, verdict=Verdict.INSIDE))


def test_seal_refuses_when_nothing_was_evaluated() -> None:
    with pytest.raises(NotClearedError):
        seal("what is a mutex?", decision())


def test_seal_refuses_a_decision_that_lacks_a_signal_of_the_gate() -> None:
    with pytest.raises(NotClearedError, match="not evaluated: secrets"):
        seal("what is a mutex?", decision(Signal(name="form", finding=Finding.CLEAN)))


@pytest.mark.parametrize("now", [Finding.DENY, Finding.UNKNOWN])
def test_seal_looks_once_more_at_the_words_that_would_leave(now: Finding) -> None:
    with pytest.raises(NotClearedError, match="not clean: secrets"):
        seal("what is a mutex?", decision(CLEAN), now=now)


def test_sealing_has_no_parameter_for_anything_but_question_and_decision() -> None:
    assert list(inspect.signature(Sealer.seal).parameters) == ["self", "question", "decision"]
    assert [field.name for field in dataclasses.fields(ClearedPrompt)] == ["question"]


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_cleared_prompt_is_not_copied_or_stored(copying: object) -> None:
    with pytest.raises(NotClearedError):
        copying(seal("what is a mutex?", decision(CLEAN)))  # type: ignore[operator]


def test_a_cleared_prompt_cannot_be_given_another_question() -> None:
    cleared = seal("what is a mutex?", decision(CLEAN))
    with pytest.raises(dataclasses.FrozenInstanceError):
        cleared.question = "our secret"  # type: ignore[misc]
    with pytest.raises(NotClearedError):
        dataclasses.replace(cleared, question="our secret")


def test_an_external_model_takes_a_cleared_prompt_and_nothing_else() -> None:
    parameters = inspect.signature(gateway_base.ExternalModel.stream).parameters
    assert [(p.name, p.annotation) for p in parameters.values()][1:] == [("prompt", "ClearedPrompt")]


def _modules() -> list[Path]:
    return [path for package in ("ragapp", "ingestion") for path in (ROOT / package).rglob("*.py")]


def _names(path: Path) -> set[str]:
    """Every name that the module's code mentions; docstrings do not count."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
    return found


def test_only_egress_and_the_port_know_a_cleared_prompt() -> None:
    knowing = {path.relative_to(ROOT).as_posix() for path in _modules() if "ClearedPrompt" in _names(path)}
    assert knowing <= {"ragapp/gateway/egress.py", "ragapp/gateway/base.py"}


def test_only_egress_touches_the_seal() -> None:
    touching = {path.relative_to(ROOT).as_posix() for path in _modules() if "_SEAL" in _names(path)}
    assert touching == {"ragapp/gateway/egress.py"}


def test_only_model_adapters_and_the_loopback_clients_hold_an_http_client() -> None:
    """Every module that can open an HTTP connection, by name: a new one has to be argued for here."""
    clients = {"httpx", "requests", "aiohttp", "urllib3", "openai", "anthropic"}
    holding = {path.relative_to(ROOT).as_posix() for path in _modules() if _imports(path) & clients}
    assert holding <= {
        "ragapp/gateway/openai_compatible.py",
        "ragapp/gateway/supervisor.py",
        "ragapp/management/local_api.py",
        "ingestion/embedding/openai_compatible.py",
        # The one fetcher of pages and what checks addresses for it and for buckets: off until an operator turns it on.
        "ingestion/sources/fetcher.py",
        "ingestion/sources/bucket.py",
        "ingestion/sources/urls.py",
    }


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_no_adapter_for_an_outside_provider_exists() -> None:
    assert not [name for name, value in vars(egress).items() if name.endswith("Model") and isinstance(value, type)]
