"""Bytes become text that every store takes."""

import pytest

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.encoding import clean, decode, hidden_characters

WORDS = "Grüße aus Zürich: der Plan für 2026"
RUSSIAN = "Секретный бюджет и план работы на следующий год"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_common_encodings_are_told_apart(encoding: str) -> None:
    assert decode(WORDS.encode(encoding)) == WORDS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_known_without_a_mark(encoding: str) -> None:
    assert decode(WORDS.encode(encoding)) == WORDS


@pytest.mark.parametrize("encoding", ["koi8-r", "cp1251"])
def test_a_declaration_is_believed_where_it_decodes(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding), declared=encoding) == RUSSIAN


def test_utf8_wins_over_a_false_declaration() -> None:
    assert decode(WORDS.encode(), declared="latin-1") == WORDS


def test_a_longer_text_of_another_encoding_is_detected() -> None:
    assert decode((RUSSIAN * 20).encode("cp1251")) == RUSSIAN * 20


def test_one_broken_byte_does_not_unmake_utf8() -> None:
    assert decode((WORDS * 9).encode() + b"\xff").startswith(WORDS * 9)


def test_utf7_is_never_decoded() -> None:
    assert decode(b"+ADw-script+AD4- \xe4", declared="utf-7").startswith("+ADw-script")


def test_bytes_that_contradict_their_mark_are_damaged() -> None:
    with pytest.raises(DamagedDocumentError):
        decode(b"\xff\xfe" + b"\x00\xd8" * 50)


@pytest.mark.parametrize("declared", ["punycode", "idna", "utf-7"])
def test_encodings_of_no_document_are_not_believed(declared: str) -> None:
    assert decode("na\u00efve +AGE-".encode("latin-1"), declared=declared) == "na\u00efve +AGE-"


def test_a_line_of_a_million_blanks_is_cleaned_in_linear_time() -> None:
    assert clean(" " * 1_000_000 + "x" + "\t " * 500_000) == " " * 1_000_000 + "x"


def test_unknown_declaration_is_ignored() -> None:
    assert decode("naïve".encode("latin-1"), declared="no-such-encoding") == "naïve"


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\x00b", "ab"),
        ("a\ud800b", "ab"),
        ("a\u202eb\u2066c", "abc"),
        ("a\U000e0041b", "ab"),
        ("\ufeffa\u200bb", "ab"),
        ("a\u2063\u206a\u180e\u3164b", "ab"),
        ("a\U000e0101\U000e01efb", "ab"),
        ("Kün\u00addigung", "Kündigung"),
        ("one line  ", "one line"),
        ("one\r\ntwo\rthree\x0cfour", "one\ntwo\nthree\nfour"),
        ("blank \t \nend\xa0", "blank\nend"),
    ],
)
def test_invisible_and_unstorable_characters_go(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


def test_writing_of_other_scripts_stays() -> None:
    text = "שלום \u05d0 नमस्ते \u200d 予算 \u200f"
    assert clean(text) == text


def test_hidden_characters_are_counted() -> None:
    assert hidden_characters("a\U000e0041\u202eb\u200b") == 3
    assert hidden_characters("plain, naïve, שלום \u200d") == 0
