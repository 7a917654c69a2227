"""What is copied out of a document is known again, however it is dressed."""

import random
from collections.abc import Callable

import pytest

from ragapp.gateway.base import Finding
from ragapp.gateway.signals.base import Outgoing
from ragapp.gateway.signals.fingerprints import Fingerprints, Print

KEY = b"a key of the installation"
WORDS = [f"word{n}" for n in range(400)]
random.Random(7).shuffle(WORDS)
TEXT = " ".join(WORDS)
PASTE = " ".join(WORDS[40:52])

DRESSED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "wrapped": lambda text: f"Could you please explain what is meant by this: {text}? Thank you very much indeed.",
    "upper case": str.upper,
    "punctuated": lambda text: text.replace(" ", ", "),
    "line breaks": lambda text: text.replace(" ", "\n"),
    "zero width": lambda text: "\u200b".join(text),
    "homoglyphs": lambda text: text.replace("o", "о").replace("d", "ԁ"),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in text),
}


def looked(text: str, *known: str, key: bytes = KEY) -> Finding:
    """Against these documents."""
    return Fingerprints(lambda: Print.of(known, key=KEY), key=key).look(Outgoing(text)).finding


@pytest.mark.parametrize("dressed", DRESSED)
def test_twelve_words_in_a_row_stay(dressed: str) -> None:
    assert looked(DRESSED[dressed](PASTE), TEXT) is Finding.DENY


def test_a_turn_of_phrase_does_not() -> None:
    assert looked(" ".join([*WORDS[40:46], "and", "something", "else", "altogether"]), TEXT) is Finding.CLEAN


def test_words_run_on_within_one_text_alone() -> None:
    assert looked(PASTE, " ".join(WORDS[40:46]), " ".join(WORDS[46:52])) is Finding.DENY
    assert looked(PASTE, " ".join(WORDS[40:45]), " ".join(WORDS[45:50]), " ".join(WORDS[50:52])) is Finding.CLEAN


def test_prints_of_several_documents_are_one() -> None:
    known = Print.union(
        [Print.of([TEXT], key=KEY), Print.of(["another text of more than eight words in all"], key=KEY)]
    )
    for text in (PASTE, "another text of more than eight words in all"):
        assert Fingerprints(lambda: known, key=KEY).look(Outgoing(text)).finding is Finding.DENY


def test_without_the_key_nobody_can_try_words() -> None:
    assert looked(PASTE, TEXT, key=b"another key") is Finding.CLEAN


@pytest.mark.parametrize("known", [(), ("",), ("five words and no more",)])
def test_where_nothing_is_indexed_nothing_is_known(known: tuple[str, ...]) -> None:
    assert looked(PASTE, *known) is Finding.CLEAN
