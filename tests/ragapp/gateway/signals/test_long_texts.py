"""Texts made to hold up a search for patterns: looking at each ends, where a quadratic pattern would take minutes.

A pattern that runs holds the interpreter, so that no time limit of the gate's would interrupt it.
"""

import pytest

from ragapp.gateway.signals.base import Outgoing, TextSignal
from ragapp.gateway.signals.form import Form
from ragapp.gateway.signals.identifiers import Identifiers
from ragapp.gateway.signals.injection import Injection
from ragapp.gateway.signals.secrets import Secrets

LENGTH = 100_000
PIECES = [
    "a",
    "a.",
    "a@",
    "a+",
    "-eyJ",
    "{{",
    "![",
    "<a",
    "aA1",
    "ab1 ",
    "1-",
    "_",
    " ",
    "token ",
    "漢",
    "\\",
    "ignore ",
]


@pytest.mark.parametrize("signal", [Secrets(), Identifiers(), Form(), Injection()], ids=lambda signal: signal.name)
@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_of_one_piece_is_looked_at_to_its_end(signal: TextSignal, piece: str) -> None:
    assert signal.look(Outgoing(piece * (LENGTH // len(piece)))).name == signal.name
