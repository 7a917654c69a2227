"""Workbooks: sheets keep their names, tables their headers, cells what they show."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError, TooMuchTextError, UnsupportedTypeError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.xlsx import XlsxParser

STYLES = (
    '<x><numFmts><numFmt numFmtId="200" formatCode="#,##0.00\\ [$€-407]"/><numFmt numFmtId="201" formatCode=";;;"/>'
    '<numFmt numFmtId="202" formatCode="[h]:mm"/><numFmt numFmtId="203" formatCode="yyyy\\-mm\\-dd hh:mm"/></numFmts>'
    '<fonts><font/><font><color rgb="FFFFFFFF"/></font></fonts>'
    '<fills><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FF1F3864"/></patternFill></fill></fills><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="10"/><xf numFmtId="200"/><xf numFmtId="201"/>'
    '<xf numFmtId="202"/><xf numFmtId="203"/><xf numFmtId="20"/>'
    '<xf numFmtId="0" fontId="1" fillId="0"/><xf numFmtId="0" fontId="1" fillId="1"/></cellXfs></x>'
)


def book(
    folder: Path,
    sheets: Mapping[str, str],
    *,
    namespace: str = "m",
    sheet: str = "",
    properties: str = "",
    parts: Mapping[str, str] | None = None,
) -> Path:
    """A workbook whose sheets hold the given rows; `sheet` are attributes of each in the list of sheets."""
    path = folder / "made.xlsx"
    names = f'xmlns="{namespace}" xmlns:r="r"'
    listed = "".join(f'<sheet name="{name}" r:id="r{n}" {sheet}/>' for n, name in enumerate(sheets))
    links = "".join(f'<Relationship Id="r{n}" Type="x/worksheet" Target="s{n}.xml"/>' for n in range(len(sheets)))
    links += '<Relationship Id="s" Type="x/styles" Target="styles.xml"/>'
    if parts and "xl/strings.xml" in parts:
        links += '<Relationship Id="t" Type="x/sharedStrings" Target="strings.xml"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        workbook = f"<workbook {names}>{properties}<sheets>{listed}</sheets></workbook>"
        archive.writestr("xl/workbook.xml", workbook)
        archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        archive.writestr("xl/styles.xml", STYLES)
        for number, rows in enumerate(sheets.values()):
            archive.writestr(f"xl/s{number}.xml", f"<worksheet {names}><sheetData>{rows}</sheetData></worksheet>")
        for name, content in (parts or {}).items():
            archive.writestr(name, content)
    return path


def parse(path: Path, *, max_chars: int = 1_000_000) -> ParsedDocument:
    return XlsxParser(ParseOptions(max_chars=max_chars)).parse(path)


def rows(*lines: str) -> str:
    """Rows from text: cells between bars, a blank line is a row that is left out; numbers are numbers."""
    made = []
    for number, line in enumerate(lines, 1):
        cells = "".join(cell(f"{chr(65 + n)}{number}", value.strip()) for n, value in enumerate(line.split("|")))
        made.append(f'<row r="{number}">{cells}</row>' if line else "")
    return "".join(made)


def cell(place: str, value: str, *, style: int = 0) -> str:
    if not value:
        return ""
    if value.replace(".", "").isdigit():
        return f'<c r="{place}" s="{style}"><v>{value}</v></c>'
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_sheet_is_a_table_with_the_first_row_as_header(tmp_path: Path) -> None:
    document = parse(book(tmp_path, {"Costs": rows("Item | Price", "Bolt | 1.20", "Nut | 0.35")}))
    section = document.sections[0]
    assert (section.page, section.place, section.heading, section.is_table) == (1, "sheet Costs", "Costs", True)
    assert section.header == "| Item | Price |\n| --- | --- |"
    assert section.text == "| Bolt | 1.2 |\n| Nut | 0.35 |"
    assert document.pages == 1


def test_blank_rows_part_tables_and_a_label_above_is_their_heading(tmp_path: Path) -> None:
    content = rows("Staff", "Name | Team", "Ada | A", "", "Rates | ", "", "Land | Rate", "NO | 25")
    document = parse(book(tmp_path, {"Sheet1": content}))
    assert [(section.heading, section.text) for section in document.sections] == [
        ("Staff", "| Ada | A |"),
        ("Rates", "| NO | 25 |"),
    ]


def test_blank_columns_part_tables(tmp_path: Path) -> None:
    document = parse(book(tmp_path, {"Sheet1": rows("a | b | | x | y", "1 | 2 | | 3 | 4", " | | | 5 | 6")}))
    assert [section.text for section in document.sections] == ["| 1 | 2 |", "| 3 | 4 |\n| 5 | 6 |"]


def test_a_form_with_a_blank_column_keeps_labels_beside_values(tmp_path: Path) -> None:
    document = parse(book(tmp_path, {"Sheet1": rows("Name | | Ada", "Team | | A")}))
    assert "| Team | A |" in document.sections[0].text


def test_a_blank_row_within_a_table_does_not_lose_its_header(tmp_path: Path) -> None:
    document = parse(book(tmp_path, {"Sheet1": rows("Item | Price", "Bolt | 1.2", "", "Nut | 0.35")}))
    assert [section.header.split("\n")[0] for section in document.sections] == ["| Item | Price |"] * 2


def test_a_first_row_of_numbers_or_sentences_is_no_header(tmp_path: Path) -> None:
    for content in (rows("a | 1", "b | 2"), rows(f"V1 | {'Verify that it holds. ' * 9}", "V2 | short")):
        section = parse(book(tmp_path, {"Sheet1": content})).sections[0]
        assert section.header == ""
        assert section.text.count("\n") == 1


def test_years_are_a_header(tmp_path: Path) -> None:
    assert parse(book(tmp_path, {"Sheet1": rows("Land | 2025 | 2026", "NO | 1 | 2")})).sections[0].header


@pytest.mark.parametrize(
    ("value", "style", "shown"),
    [
        ("45717", 1, "2025-03-01"),
        ("0.1235", 2, "12.35%"),
        ("1234.5", 3, "1234.5 €"),
        ("1.5", 5, "36:00"),
        ("45717.75", 6, "2025-03-01 18:00"),
        ("0.5", 7, "12:00"),
        ("3.0000000000000004", 0, "3"),
        ("99999999999", 1, "99999999999"),
    ],
)
def test_cells_say_what_they_show(tmp_path: Path, value: str, style: int, shown: str) -> None:
    line = f'<row r="1">{cell("A1", value, style=style)}{cell("B1", "x")}</row>'
    assert parse(book(tmp_path, {"S": line})).sections[0].text == f"| {shown} | x |"


def test_dates_may_count_from_1904(tmp_path: Path) -> None:
    line = f'<row r="1">{cell("A1", "1", style=1)}{cell("B1", "x")}</row>'
    path = book(tmp_path, {"S": line}, properties='<workbookPr date1904="1"/>')
    assert parse(path).sections[0].text == "| 1904-01-02 | x |"


def test_truth_values_errors_and_results_of_formulas_are_those_of_the_file(tmp_path: Path) -> None:
    line = (
        '<row><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="str"><f>A1&amp;B1</f><v>joined</v></c>'
        '<c><f>WEBSERVICE("http://127.0.0.1:9/")</f><v>7</v></c></row>'
    )
    assert parse(book(tmp_path, {"S": line})).sections[0].text == "| TRUE | #N/A | joined | 7 |"


def test_shared_texts_leave_out_reading_aids(tmp_path: Path) -> None:
    strings = "<sst><si><r><t>東</t></r><r><t>京</t></r><rPh><t>トウキョウ</t></rPh></si></sst>"
    line = '<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>'
    section = parse(book(tmp_path, {"S": line}, parts={"xl/strings.xml": strings})).sections[0]
    assert section.text == "| 東京 | 東京 |"


def test_a_text_that_is_not_there_is_damage(tmp_path: Path) -> None:
    strings = '<sst count="4000000000" uniqueCount="4000000000"><si><t>a</t></si></sst>'
    path = book(tmp_path, {"S": '<row><c t="s"><v>999999999</v></c></row>'}, parts={"xl/strings.xml": strings})
    with pytest.raises(DamagedDocumentError):
        parse(path)


@pytest.mark.parametrize("style", [4, 8])
def test_cells_that_show_nothing_are_dropped_and_told(tmp_path: Path, style: int) -> None:
    line = f'<row r="1">{cell("A1", "seen")}{cell("B1", "obey me", style=style)}{cell("C1", "x", style=9)}</row>'
    document = parse(book(tmp_path, {"S": line}))
    assert document.sections[0].text == "| seen | x |"
    assert document.notes == ("1 cells of hidden text were dropped.",)


def test_hidden_sheets_and_rows_are_read_and_told(tmp_path: Path) -> None:
    path = book(tmp_path, {"S": f'<row r="1" hidden="1">{cell("A1", "words")}</row>'}, sheet='state="veryHidden"')
    document = parse(path)
    assert document.sections[0].text == "words"
    assert document.notes == ("1 hidden sheets were read too.", "1 hidden rows were read too.")


def test_strict_workbooks_give_their_text(tmp_path: Path) -> None:
    path = book(tmp_path, {"S": rows("strict | words")}, namespace="http://purl.oclc.org/ooxml/spreadsheetml/main")
    assert parse(path).sections[0].text == "| strict | words |"


def test_a_false_dimension_and_far_cells_cost_nothing(tmp_path: Path) -> None:
    far = f'<row r="1">{cell("A1", "near")}</row><row r="1048576">{cell("XFD1048576", "far")}</row>'
    assert parse(book(tmp_path, {"S": far})).sections[0].text == "near\n\nfar"


def test_comments_and_text_boxes_are_read(tmp_path: Path) -> None:
    links = (
        '<Relationships><Relationship Id="c" Type="x/comments" Target="c.xml"/>'
        '<Relationship Id="d" Type="x/drawing" Target="d.xml"/></Relationships>'
    )
    parts = {
        "xl/_rels/s0.xml.rels": links,
        "xl/c.xml": '<c><commentList><comment ref="B2"><text><t>Ask Ada.</t></text></comment></commentList></c>',
        "xl/d.xml": '<d xmlns:a="a"><a:p><a:r><a:t>In a box.</a:t></a:r></a:p></d>',
    }
    document = parse(book(tmp_path, {"S": rows("a | b", "1 | 2")}, parts=parts))
    assert document.sections[-1].text == "B2: Ask Ada.\n\nIn a box."


def test_more_text_than_allowed_ends_it(tmp_path: Path) -> None:
    content = "".join(f"<row><c><v>{number}</v></c></row>" for number in range(5_000))
    with pytest.raises(TooMuchTextError):
        parse(book(tmp_path, {"S": content}), max_chars=10_000)


def test_more_columns_than_a_sheet_has_are_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedDocumentError):
        parse(book(tmp_path, {"S": f"<row>{'<c/>' * 16_385}</row>"}))


def test_a_binary_workbook_is_of_no_type_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsb"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.bin", b"\x83\x01")
    with pytest.raises(UnsupportedTypeError):
        parse(path)


def test_entities_are_refused(tmp_path: Path) -> None:
    path = book(tmp_path, {"S": rows("a | b")})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/s0.xml", '<!DOCTYPE w [<!ENTITY x "y">]><worksheet><sheetData/></worksheet>')
    with pytest.raises(DamagedDocumentError, match="DTD"):
        parse(path)
