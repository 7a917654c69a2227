"""JSON: records become tables, the rest lines with their paths."""

from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.json_records import JsonParser


def parse(folder: Path, content: str | bytes, *, max_chars: int = 1_000_000) -> ParsedDocument:
    path = folder / "made.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return JsonParser(ParseOptions(max_chars=max_chars)).parse(path)


def test_flat_records_are_a_table(tmp_path: Path) -> None:
    content = '[{"name": "Ada", "age": 36, "tags": ["a", "b"]}, {"name": "Bob", "left": null, "lead": true}]'
    section = parse(tmp_path, content).sections[0]
    assert section.is_table
    assert section.header.startswith("| name | age | tags | left | lead |")
    assert section.text == "| Ada | 36 | a, b |  |  |\n| Bob |  |  |  | true |"


def test_nested_values_are_lines_with_their_path_under_their_name(tmp_path: Path) -> None:
    content = '{"firm": "Nord", "policy": {"title": "T", "leave": {"days": {"full": 30.50}}}}'
    sections = parse(tmp_path, content).sections
    assert [(section.heading, section.text) for section in sections] == [
        ("", "firm: Nord"),
        ("policy", "# policy\n\ntitle: T"),
        ("policy > leave", "## leave\n\ndays.full: 30.50"),
    ]


def test_nested_records_are_paragraphs(tmp_path: Path) -> None:
    content = '[{"who": {"name": "Ada"}, "id": 1}, {"who": {"name": "Bob"}, "id": 2}]'
    assert parse(tmp_path, content).sections[0].text == ("[0].id: 1\n[0].who.name: Ada\n\n[1].id: 2\n[1].who.name: Bob")


def test_a_value_on_each_line_is_read_and_a_broken_last_one_told(tmp_path: Path) -> None:
    document = parse(tmp_path, '{"a": 1}\n{"a": 2}\n{"a": 3}\n{"a":')
    assert document.sections[0].text == "a\n1\n2\n3"
    assert document.notes == ("1 lines are no JSON, and were left out.",)


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    digits = "9" * 5_000
    assert parse(tmp_path, f'{{"n": {digits}, "f": 0.10}}').sections[0].text == f"n: {digits}\nf: 0.10"


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[" * 5_000 + "]" * 5_000, '{"a":' * 900 + "1" + "}" * 900, "no json", '{"a": 1}}', "{"]
)
def test_deep_or_broken_json_is_damaged(tmp_path: Path, content: str) -> None:
    with pytest.raises(DamagedDocumentError):
        parse(tmp_path, content)


def test_more_text_than_allowed_ends_it(tmp_path: Path) -> None:
    with pytest.raises(TooMuchTextError):
        parse(tmp_path, '["' + '","'.join(["words"] * 900) + '"]', max_chars=2_000)


def test_paths_that_outgrow_the_text_end_it(tmp_path: Path) -> None:
    content = "".join(f'{{"{"k" * 100}":' for _ in range(100)) + str([1] * 10) + "}" * 100
    with pytest.raises(TooMuchTextError):
        parse(tmp_path, content.replace("1, 1", '{"x": {"y": 1}}, 1'), max_chars=20_000)


def test_utf16_is_decoded(tmp_path: Path) -> None:
    assert parse(tmp_path, '{"größe": "ü"}'.encode("utf-16")).sections[0].text == "größe: ü"
