"""Every signal that the product asks, with every fault: nothing is cleared. A new signal is in it by itself."""

import threading
from collections.abc import Callable

import pytest

from ragapp import wiring
from ragapp.gateway.base import Decision, Finding, Signal, Verdict
from ragapp.gateway.egress import Sealer
from ragapp.gateway.errors import NotClearedError
from ragapp.gateway.gate import Gate
from ragapp.gateway.router import Asked, verdict_of
from tests.ragapp.gateway.routing import Said, always, router

HARMLESS = "What is a mutex?"
_OVER = threading.Event()


def _raises(name: str) -> Signal:
    raise RuntimeError("unloaded")


def _ends(name: str) -> Signal:
    raise SystemExit(0)


def _hangs(name: str) -> Signal:
    _OVER.wait(30)
    return Signal(name, Finding.CLEAN)


# The types are wrong on purpose where a signal breaks its own port.
FAULTS: dict[str, Callable[[str], Signal]] = {
    "raises": _raises,
    "ends the thread": _ends,
    "hangs": _hangs,
    "is in doubt": lambda name: Signal(name, Finding.UNKNOWN),
    "denies": lambda name: Signal(name, Finding.DENY),
    "speaks for another": lambda name: Signal("another", Finding.CLEAN),
    "says nothing": lambda name: None,  # type: ignore[return-value, dict-item]
    "says yes in its own way": lambda name: Signal(name, "clean, really"),  # type: ignore[arg-type]
}


@pytest.fixture(autouse=True)
def _hanging_ends() -> object:
    _OVER.clear()
    yield
    _OVER.set()


def gate_with(name: str, fault: Callable[[str], Signal]) -> Gate:
    """The product's signals, all CLEAN but this one."""
    signals = [Said(each, lambda _: fault(name)) if each == name else always(each) for each in wiring.gate().names]
    # Short where the whole of it is waited for; long elsewhere, so that a busy machine is not what keeps it inside.
    return Gate(signals, each_s=0.02, all_s=0.05) if fault is _hangs else Gate(signals, each_s=10, all_s=10)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", wiring.gate().names)
def test_one_fault_of_one_signal_keeps_the_question_inside(name: str, fault: str) -> None:
    gate = gate_with(name, FAULTS[fault])
    assert verdict_of(gate.look(HARMLESS).signals) is Verdict.INSIDE
    assert router(gate=gate).decide(Asked(HARMLESS), None, model="m").verdict is Verdict.INSIDE
    clean = tuple(Signal(each, Finding.CLEAN) for each in gate.names)
    with pytest.raises(NotClearedError):
        Sealer(gate).seal(HARMLESS, Decision(Verdict.OUTSIDE, "because", "m", clean))


def test_without_a_fault_the_same_question_would_be_cleared() -> None:
    """Or the test above could not fail."""
    gate = gate_with("", _raises)
    clean = tuple(Signal(each, Finding.CLEAN) for each in gate.names)
    assert verdict_of(gate.look(HARMLESS).signals) is Verdict.OUTSIDE
    assert Sealer(gate).seal(HARMLESS, Decision(Verdict.OUTSIDE, "because", "m", clean)).question == HARMLESS


def test_the_products_own_gate_denies_no_harmless_question() -> None:
    assert Finding.DENY not in {signal.finding for signal in wiring.gate().look(HARMLESS).signals}
