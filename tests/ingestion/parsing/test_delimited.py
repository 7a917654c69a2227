"""CSV: values keep their columns, whatever parts them."""

from pathlib import Path

import pytest

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.delimited import DelimitedParser


def parse(folder: Path, content: str | bytes, *, max_chars: int = 1_000_000) -> ParsedDocument:
    path = folder / "made.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return DelimitedParser(ParseOptions(max_chars=max_chars)).parse(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_usual_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    content = "\n".join(delimiter.join(line) for line in (("Item", "Price"), ("Bolt", "1.20"), ("Nut", "0.35")))
    section = parse(tmp_path, content).sections[0]
    assert section.is_table
    assert section.header == "| Item | Price |\n| --- | --- |"
    assert section.text == "| Bolt | 1.20 |\n| Nut | 0.35 |"


def test_commas_in_numbers_do_not_win_over_semicolons(tmp_path: Path) -> None:
    assert "| Bolt | 1,20 |" in parse(tmp_path, "Item;Price\nBolt;1,20\nNut;0,35\n").sections[0].text


def test_quoted_values_keep_their_delimiters_and_lines(tmp_path: Path) -> None:
    section = parse(tmp_path, 'Item,Note\nBolt,"a, ""b""\nc"\n').sections[0]
    assert section.text == '| Bolt | a, "b" c |'


def test_the_delimiter_that_the_file_names_is_used(tmp_path: Path) -> None:
    assert parse(tmp_path, "sep=;\r\na;b,c\r\n1;2,3\r\n").sections[0].header.startswith("| a | b,c |")


def test_a_quote_that_is_never_closed_loses_no_row(tmp_path: Path) -> None:
    section = parse(tmp_path, 'a,b\n"x,1\n' + "1,2\n" * 2_000).sections[0]
    assert section.text.count("| 1 | 2 |") == 2_000


def test_single_values_above_the_table_are_its_caption(tmp_path: Path) -> None:
    document = parse(tmp_path, "Prices 2026\n\nItem,Price\nBolt,1.20\n")
    assert document.title == document.sections[0].heading == "Prices 2026"
    assert document.sections[0].header.startswith("| Item | Price |")


def test_numbers_over_numbers_are_no_header(tmp_path: Path) -> None:
    section = parse(tmp_path, "1,2\n3,4\n").sections[0]
    assert (section.header, section.text) == ("", "| 1 | 2 |\n| 3 | 4 |")


def test_other_encodings_are_decoded(tmp_path: Path) -> None:
    assert "Größe" in parse(tmp_path, "Maß;Größe\nx;1\n".encode("utf-16")).sections[0].header


def test_one_column_is_prose(tmp_path: Path) -> None:
    section = parse(tmp_path, "first line\nsecond line\n").sections[0]
    assert (section.is_table, section.text) == (False, "first line\nsecond line")


@pytest.mark.parametrize("content", ["a,b\n" * 5_000, "a,b\n" + "," * 30_000, '"' * 20_000])
def test_what_is_too_large_or_odd_ends(tmp_path: Path, content: str) -> None:
    try:
        parse(tmp_path, content, max_chars=10_000)
    except TooMuchTextError:
        return
    assert content.startswith('"')


def test_formulas_are_text(tmp_path: Path) -> None:
    assert parse(tmp_path, "Name,Sum\nx,=1+1\n").sections[0].text == "| x | =1+1 |"
