"""One way of writing for many."""

import pytest

from ragapp.gateway.signals import folding

HIDDEN = [
    "Project Nightingale",
    "PROJECT NIGHTINGALE",
    "Pro\u200bject Night\u2060ingale",
    "Proj\u00adect Nighting\ufeffale",
    "Рrоjесt Nіghtіngаlе",
    "\uff30\uff52\uff4f\uff4a\uff45\uff43\uff54 Nightingale",
    "𝐏𝐫𝐨𝐣𝐞𝐜𝐭 𝑵𝒊𝒈𝒉𝒕𝒊𝒏𝒈𝒂𝒍𝒆",
    "Pròjéct Nïghtíngâle",
    "Pro\u034fject Night\U000e0100ingale",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_however_it_is_written_it_reads_the_same(text: str) -> None:
    assert folding.words_of(folding.plain(text)) == ("project", "nightingale")


def test_words_without_spaces_between_them_count_by_the_character() -> None:
    assert folding.words_of(folding.plain("秘密の計画X1")) == ("秘", "密", "の", "計", "画", "x1")


@pytest.mark.parametrize("char", ["\n", "\t", "a", " ", "\u00e9", "e\u0301"[1], "😀"])
def test_what_is_seen_stays(char: str) -> None:
    assert not folding.is_invisible(char)
