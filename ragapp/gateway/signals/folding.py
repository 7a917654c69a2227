"""One way of writing for many: what is compared with documents and lists must not depend on how it was typed."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

# Where words are not parted by spaces each character counts as one.
_UNPARTED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNPARTED}]|[^\W_{_UNPARTED}]+")
# Shown as nothing, and able to cut a word in two for whoever compares: format characters, variation selectors,
# combining graphemes joiners, Hangul fillers.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b\u180c\u180d\u180e\u180f")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0000, 0xE01F0))


def plain(text: str) -> str:
    """NFKC, nothing invisible, look-alikes of Latin letters as these, no accents, lower case."""
    apart = unicodedata.normalize("NFKD", shown(unicodedata.normalize("NFKC", text)))
    return _without(apart, unicodedata.combining).translate(_look_alikes()).casefold()


def shown(text: str) -> str:
    """Without the characters of which nothing is seen."""
    return _without(text, is_invisible)


def _without(text: str, is_dropped: Callable[[str], object]) -> str:
    """Asks once for each character that there is, since texts are long and alphabets are not."""
    dropped = {ord(c) for c in set(text) if is_dropped(c)}
    return text.translate(dict.fromkeys(dropped)) if dropped else text


def words_of(plain_text: str) -> tuple[str, ...]:
    """Runs of letters and digits."""
    return tuple(_WORD.findall(plain_text))


def is_invisible(char: str) -> bool:
    """Whether nothing is seen of it; line breaks and tabs are seen."""
    return (
        unicodedata.category(char) == "Cf"
        or (unicodedata.category(char) == "Cc" and char not in "\n\r\t")
        or char in _INVISIBLE
        or any(ord(char) in selectors for selectors in _SELECTORS)
    )


@lru_cache(maxsize=1)
def _look_alikes() -> dict[int, str]:
    """Characters beyond ASCII that look like one ASCII letter, by Unicode's table of confusables."""
    table: dict[int, str] = {}
    for char, likes in confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        letters = [like["c"] for like in likes if len(like["c"]) == 1 and like["c"].isascii() and like["c"].isalnum()]
        if letters:
            table[ord(char)] = letters[0]
    return table
