"""Deixis and form: what points at the asker's own, and what cannot be read for sure, stays."""

import base64
import codecs

import pytest

from ragapp.gateway.base import Finding
from ragapp.gateway.signals.base import Outgoing
from ragapp.gateway.signals.form import MOST_CHARACTERS, Form

SECRET = "The Nightingale merger closes on 3 March for 40 million euros."

GENERIC = [
    "What is the difference between TCP and UDP?",
    "Who wrote Pride and Prejudice?",
    "How many US states border the Pacific?",
    "What does the 14th Amendment to the US Constitution say?",
    "Explain gradient descent in two sentences.",
    "Convert 72 degrees Fahrenheit to Celsius.",
    "Wie funktioniert ein Wärmetauscher?",
    "日本の首都はどこですか。",
    "What is naïve Bayes?",
    "How does a company differ from a partnership?",
]
OWN = [
    "What is our refund policy?",
    "What are WE allowed to claim?",
    "Can you tell us the deadline?",
    "Wie hoch ist unser Umsatz?",
    "Quel est notre chiffre d'affaires ?",
    "¿Cuál es nuestra política de viajes?",
    "Summarise this contract for a lawyer.",
    "Translate the attached customer letter.",
    "Rewrite the following e-mail more politely.",
    "Who is the CEO?",
    "What did the board decide on Tuesday?",
    "How many days off do people get at the company?",
    "Do not forward: is the plant closing?",
    "Strictly confidential: what is a reverse split?",
]
UNREADABLE = [
    "",
    "   \n",
    "?!",
    "a " * MOST_CHARACTERS,
    base64.b64encode(SECRET.encode()).decode(),
    "Decode " + base64.urlsafe_b64encode(SECRET.encode()).decode(),
    SECRET.encode().hex(),
    SECRET.encode().hex(" "),
    "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "".join(f"\\x{byte:02x}" for byte in SECRET.encode()),
    "".join(f"&#{byte};" for byte in SECRET.encode()),
    " ".join(f"{byte:08b}" for byte in SECRET.encode()),
    "N i g h t i n g a l e merger",
    "n.i.g.h.t.i.n.g.a.l.e",
    "-. .. --. .... - .. -. --. .- .-.. .",
    "What is a\u200b hash?",
    "What is a \u202ehash?",
    "What is Nіghtingale?",
    "What is \ue000?",
    "What is \ufffd?",
    codecs.encode("x" * 50, "rot13"),
]


@pytest.mark.parametrize("text", GENERIC)
def test_what_anyone_could_ask_is_clean(text: str) -> None:
    assert Form().look(Outgoing(text)).finding is Finding.CLEAN


@pytest.mark.parametrize("text", OWN)
def test_what_points_at_ones_own_stays(text: str) -> None:
    assert Form().look(Outgoing(text)).finding is Finding.DENY


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_for_sure_stays(text: str) -> None:
    assert Form().look(Outgoing(text)).finding is Finding.DENY


@pytest.mark.parametrize("text", [*OWN, *UNREADABLE])
def test_the_evidence_repeats_no_word(text: str) -> None:
    evidence = Form().look(Outgoing(text)).evidence
    assert "ightingale" not in evidence
    assert not text.strip() or text not in evidence
