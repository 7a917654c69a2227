"""The router keeps everything inside, says why, and records each decision first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from ragapp.gateway.base import Finding, Signal, Verdict
from ragapp.gateway.errors import LedgerUnavailableError
from ragapp.gateway.gate import Gate
from ragapp.gateway.ledger import MemoryLedger
from ragapp.gateway.router import Asked, verdict_of
from tests.ragapp.gateway.routing import KEY, always, router


@dataclass
class Found:
    relevant: bool


class BrokenLedger:
    def append(self, *, kind: str, body: Mapping[str, object]) -> int:
        raise LedgerUnavailableError("disk full")

    def verify(self) -> Sequence[str]:
        return []


def findings(asked: Asked, found: Found | None = None, *, gate: Gate | None = None) -> dict[str, Finding]:
    decided = router(gate=gate).decide(asked, found or Found(relevant=False), model="qwen")
    return {signal.name: signal.finding for signal in decided.signals}


@pytest.mark.parametrize("relevant", [True, False])
def test_every_question_stays_inside_with_a_reason(relevant: bool) -> None:
    decided = router().decide(Asked("what is a mutex?"), Found(relevant), model="qwen")
    assert decided.verdict is Verdict.INSIDE
    assert decided.reason.startswith("Stayed inside")
    assert decided.model == "qwen"


def test_a_match_in_the_documents_is_a_signal_against_leaving() -> None:
    assert findings(Asked("leave policy?"), Found(relevant=True))["proximity"] is Finding.DENY


def test_documents_that_could_not_be_searched_are_unknown() -> None:
    decided = router().decide(Asked("what is a mutex?"), None, model="qwen")
    assert {signal.name: signal.finding for signal in decided.signals}["proximity"] is Finding.UNKNOWN


@pytest.mark.parametrize(
    ("asked", "finding"),
    [
        (Asked("what is a mutex?"), Finding.CLEAN),
        (Asked("what is a mutex?", earlier_turns=1), Finding.DENY),
        (Asked("what is a mutex?", narrowed=True), Finding.DENY),
    ],
)
def test_a_conversation_and_a_choice_of_documents_stay_inside(asked: Asked, finding: Finding) -> None:
    assert findings(asked)["provenance"] is finding


def test_what_the_gate_says_of_the_words_is_part_of_the_decision_and_of_the_record() -> None:
    ledger = MemoryLedger(KEY)
    gate = Gate([always("secrets", Finding.DENY), always("form", Finding.UNKNOWN)])
    decided = router(ledger, gate=gate).decide(Asked("hunter2"), Found(relevant=False), model="qwen")
    assert [signal.name for signal in decided.signals] == ["switches", "provenance", "proximity", "secrets", "form"]
    recorded = ledger.links[0].body["signals"]
    assert recorded == [
        {"name": signal.name, "finding": signal.finding.value, "version": signal.version} for signal in decided.signals
    ]


@pytest.mark.parametrize(
    ("signals", "verdict"),
    [
        ([], Verdict.INSIDE),
        ([Finding.CLEAN], Verdict.OUTSIDE),
        ([Finding.CLEAN, Finding.UNKNOWN], Verdict.INSIDE),
        ([Finding.DENY, Finding.CLEAN], Verdict.INSIDE),
    ],
)
def test_one_signal_that_is_not_clean_keeps_it_inside(signals: list[Finding], verdict: Verdict) -> None:
    assert verdict_of([Signal("any", finding) for finding in signals]) is verdict


def test_each_decision_is_recorded_without_the_words_of_the_question() -> None:
    ledger = MemoryLedger(KEY)
    router(ledger).decide(Asked("what does Ms Abernathy earn?"), Found(relevant=True), model="qwen")
    assert [link.kind for link in ledger.links] == ["decision"]
    assert "Abernathy" not in repr(ledger.links)
    assert ledger.links[0].body["question"] == KEY.question_hash("what does Ms Abernathy earn?")


def test_no_record_means_no_decision() -> None:
    with pytest.raises(LedgerUnavailableError):
        router(BrokenLedger()).decide(Asked("hi"), Found(relevant=True), model="m")
