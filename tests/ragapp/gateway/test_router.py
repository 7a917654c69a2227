"""The router keeps everything inside, says why, and records each decision first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from ragapp.gateway.base import Finding, Verdict
from ragapp.gateway.errors import LedgerUnavailableError
from ragapp.gateway.ledger import ChainKey, MemoryLedger
from ragapp.gateway.router import Router

KEY = ChainKey("a test key")


@dataclass
class Found:
    relevant: bool


class BrokenLedger:
    def append(self, *, kind: str, body: Mapping[str, object]) -> int:
        raise LedgerUnavailableError("disk full")

    def verify(self) -> Sequence[str]:
        return []


def router(ledger: MemoryLedger) -> Router:
    return Router(ledger=ledger, question_hash=KEY.question_hash)


@pytest.mark.parametrize("relevant", [True, False])
def test_every_question_stays_inside_with_a_reason(relevant: bool) -> None:
    decided = router(MemoryLedger(KEY)).decide("what is a mutex?", Found(relevant), model="qwen")
    assert decided.verdict is Verdict.INSIDE
    assert decided.reason.startswith("Stayed inside")
    assert decided.model == "qwen"


def test_a_match_in_the_documents_is_a_signal_against_leaving() -> None:
    decided = router(MemoryLedger(KEY)).decide("our leave policy?", Found(relevant=True), model="qwen")
    assert {signal.name: signal.finding for signal in decided.signals}["proximity"] is Finding.DENY


def test_each_decision_is_recorded_without_the_words_of_the_question() -> None:
    ledger = MemoryLedger(KEY)
    router(ledger).decide("what does Ms Abernathy earn?", Found(relevant=True), model="qwen")
    assert [link.kind for link in ledger.links] == ["decision"]
    assert "Abernathy" not in repr(ledger.links)
    assert ledger.links[0].body["question"] == KEY.question_hash("what does Ms Abernathy earn?")


def test_no_record_means_no_decision() -> None:
    with pytest.raises(LedgerUnavailableError):
        Router(ledger=BrokenLedger(), question_hash=KEY.question_hash).decide("hi", Found(relevant=True), model="m")
