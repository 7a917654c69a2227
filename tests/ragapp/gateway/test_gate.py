"""The gate: whatever a signal does, its place is filled, and only CLEAN is clean."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ragapp.gateway.base import Finding, Signal
from ragapp.gateway.gate import Gate
from ragapp.gateway.signals.base import Outgoing
from tests.ragapp.gateway.routing import Said


def _fails(_: Outgoing) -> Signal:
    raise RuntimeError("salary of Jane Doe")


def _exits(_: Outgoing) -> Signal:
    raise SystemExit(0)


@contextmanager
def hanging(name: str) -> Iterator[Said]:
    """A signal that does not answer before the block ends."""
    over = threading.Event()

    def hang(_: Outgoing) -> Signal:
        over.wait(30)
        return Signal(name, Finding.CLEAN)

    try:
        yield Said(name, hang)
    finally:
        over.set()


def test_all_signals_are_there_in_their_order() -> None:
    signals = Gate([Said("one"), Said("two")]).look("What is a hash?").signals
    assert [(each.name, each.finding) for each in signals] == [("one", Finding.CLEAN), ("two", Finding.CLEAN)]


@pytest.mark.parametrize("look", [_fails, _exits, lambda _: Signal("other", Finding.CLEAN), lambda _: None])
def test_a_signal_that_fails_is_unknown_and_the_others_are_heard(
    look: Callable[[Outgoing], Signal], caplog: pytest.LogCaptureFixture
) -> None:
    found = Gate([Said("broken", look), Said("well")]).look("?").signals
    assert [each.finding for each in found] == [Finding.UNKNOWN, Finding.CLEAN]
    assert "Jane Doe" not in caplog.text


def test_one_that_hangs_is_unknown_and_so_is_what_comes_behind_it() -> None:
    with hanging("slow") as slow:
        found = Gate([Said("first"), slow, Said("last")], all_s=0.05).look("?").signals
    assert [each.finding for each in found] == [Finding.CLEAN, Finding.UNKNOWN, Finding.UNKNOWN]


def test_one_that_is_late_is_unknown_but_a_late_no_is_a_no() -> None:
    def denies(_: Outgoing) -> Signal:
        return Signal("denies", Finding.DENY)

    found = Gate([Said("late"), Said("denies", denies)], each_s=-1.0).look("?").signals
    assert [each.finding for each in found] == [Finding.UNKNOWN, Finding.DENY]


def test_the_gate_stays_shut_while_too_many_looks_hang() -> None:
    with ExitStack() as stack:
        slow = stack.enter_context(hanging("slow"))
        gate = Gate([slow], all_s=0.01)
        evidence = [gate.look("?").signals[0].evidence for _ in range(5)]
    assert evidence[-1] == "Too many looks hang."


def test_without_signals_there_is_no_gate() -> None:
    with pytest.raises(ValueError, match="everything"):
        Gate([])
