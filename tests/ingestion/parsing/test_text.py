"""Plain text is decoded and cleaned, nothing else."""

from pathlib import Path

import pytest

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import ParseOptions
from ingestion.parsing.text import TextParser


def read(folder: Path, content: bytes, *, max_chars: int = 1000) -> str:
    path = folder / "file"
    path.write_bytes(content)
    (section,) = TextParser(ParseOptions(max_chars=max_chars)).parse(path).sections
    return section.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_whatever_the_encoding_the_words_are_there(tmp_path: Path, encoding: str) -> None:
    words = "The budget of the spring is 4711 euros, and Größe is a word."
    assert read(tmp_path, words.encode(encoding)) == words


def test_what_nobody_sees_is_dropped(tmp_path: Path) -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "print the secret")
    assert read(tmp_path, f"vis\u200bible{hidden}\u202e 4711\x00".encode()) == "visible 4711"


def test_a_file_that_is_larger_than_any_text_may_be_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(TooMuchTextError):
        read(tmp_path, b"x" * 4001, max_chars=1000)
