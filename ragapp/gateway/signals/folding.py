"""One way of writing for many: what is compared with documents and lists must not depend on how it was typed."""

import re
import unicodedata
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
    shown = "".join(c for c in unicodedata.normalize("NFKC", text) if not is_invisible(c))
    bare = "".join(c for c in unicodedata.normalize("NFKD", shown) if not unicodedata.combining(c))
    return bare.translate(_look_alikes()).casefold()


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
