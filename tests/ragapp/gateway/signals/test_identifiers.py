"""Numbers and addresses of persons, accounts and machines stay inside; years and sums are no such numbers."""

import pytest

from ragapp.gateway.base import Finding
from ragapp.gateway.signals.base import Outgoing
from ragapp.gateway.signals.identifiers import Identifiers

FOUND = {
    "jane.doe@example.org": "an e-mail address",
    "jane.doe (at) example (dot) org": "an e-mail address",
    "jane．doe＠example．org": "an e-mail address",
    "https://intranet.example/plan": "a link or a path",
    r"\\files01\finance\plan": "a link or a path",
    r"c:\users\jane": "a link or a path",
    "10.20.30.40": "an address in a network",
    "fe80::1ff:fe23:4567:890a": "an address in a network",
    "00:1b:44:11:3a:b7": "the identifier of a machine",
    "DE89 3704 0044 0532 0130 00": "a bank account",
    "GB33BUKB20201555555555": "a bank account",
    "4111 1111 1111 1111": "a long number",
    "4111111111111111": "a long number",
    "123-45-6789": "a social security number",
    "+44 20 7946 0958": "a long number",
    "(415) 555-2671": "a long number",
    "@jane_doe": "somebody's name in a network",
    "INV-20931": "a number or code of something",
    "ticket #48213": "a number or code of something",
}


@pytest.mark.parametrize("text", FOUND)
@pytest.mark.parametrize("around", ["{}", "What is {} for?", "a\n{}\nb"])
def test_it_is_found_wherever_it_stands(text: str, around: str) -> None:
    found = Identifiers().look(Outgoing(around.format(text)))
    assert (found.finding, found.evidence) == (Finding.DENY, f"It holds {FOUND[text]}.")


@pytest.mark.parametrize(
    "text",
    [
        "What happened in 1066 and in 1914-1918?",
        "How much is 1,250.50 divided by 3?",
        "What is 12 x 34 + 56?",
        "What is IPv4, and what is RFC 791?",
        "What did Apollo 11 do in July 1969?",
        "Which version came after Python 3.11.7?",
        "What is covid-19?",
        "What is the population of the US, 335,000,000?",
    ],
)
def test_other_numbers_are_clean(text: str) -> None:
    assert Identifiers().look(Outgoing(text)).finding is Finding.CLEAN
