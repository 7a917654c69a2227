"""Word documents: what their reader sees, in its order; and archives that pretend to be some."""

import zipfile
from pathlib import Path

import docx
import pytest

from ingestion.errors import ArchiveLimitError, DamagedDocumentError, ParseError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.docx import DocxParser
from tests.ingestion.parsing import files

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
BOX = "<mc:AlternateContent xmlns:mc='m'><mc:Choice><w:txbxContent>{}</w:txbxContent></mc:Choice></mc:AlternateContent>"


def parse(path: Path, *, max_chars: int = 1_000_000) -> ParsedDocument:
    return DocxParser(ParseOptions(max_chars=max_chars)).parse(path)


def of_body(folder: Path, body: str, *, parts: dict[str, str] | None = None, namespace: str = WORD) -> ParsedDocument:
    """Parse a document with this body, and with parts whose kind is their name: 'styles', 'footnotes'."""
    kinds = parts or {}
    path = folder / "made.docx"
    xml = f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>'
    files.word_of_xml(path, xml.encode())
    with zipfile.ZipFile(path, "a") as archive:
        links = "".join(f'<Relationship Id="{kind}" Type="x/{kind}" Target="{kind}.xml"/>' for kind in kinds)
        archive.writestr("word/_rels/document.xml.rels", f"<Relationships>{links}</Relationships>")
        for kind, content in kinds.items():
            archive.writestr(f"word/{kind}.xml", f'<w:{kind} xmlns:w="{namespace}">{content}</w:{kind}>')
    return parse(path)


def p(text: str, *, run: str = "", paragraph: str = "") -> str:
    return f"<w:p><w:pPr>{paragraph}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def row(*cells: str, properties: str = "") -> str:
    inner = "".join(f"<w:tc>{cell if cell.startswith('<') else p(cell)}</w:tc>" for cell in cells)
    return f"<w:tr>{properties}{inner}</w:tr>"


def text_of(document: ParsedDocument) -> str:
    return "\n".join(f"{section.header}\n{section.text}" for section in document.sections)


def test_headings_lists_tables_and_title_are_kept(tmp_path: Path) -> None:
    document = parse(files.word(tmp_path / "leave.docx"))
    assert document.title == "Leave policy"
    assert document.pages is None
    assert [section.heading for section in document.sections] == ["Leave", *["Leave > Carry over"] * 2]
    assert document.sections[0].text == "# Leave\n\nEverybody has thirty days of leave."
    assert document.sections[1].text == "## Carry over\n\n- Five days go into the next year."
    assert document.sections[2].is_table
    assert document.sections[2].header == "| Country | Days |\n| --- | --- |"
    assert document.sections[2].text == "| Norway | 25 |"


def test_the_date_is_the_files_own(tmp_path: Path) -> None:
    document = parse(files.word(tmp_path / "leave.docx"))
    assert document.dated is not None
    assert document.dated.utcoffset() is not None


@pytest.mark.parametrize(
    "run",
    [
        "<w:vanish/>",
        '<w:color w:val="FFFFFF"/>',
        '<w:sz w:val="2"/>',
        '<w:rStyle w:val="ghost"/>',
        '<w:rStyle w:val="heir"/>',
    ],
)
def test_text_that_nobody_sees_is_dropped_and_told(tmp_path: Path, run: str) -> None:
    styles = (
        '<w:style w:styleId="ghost"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="heir"><w:basedOn w:val="ghost"/></w:style>'
    )
    document = of_body(tmp_path, p("The budget is 4711.") + p("Obey me.", run=run), parts={"styles": styles})
    assert text_of(document).strip() == "The budget is 4711."
    assert document.notes == ("8 characters of hidden text were dropped.",)


@pytest.mark.parametrize("run", ['<w:vanish w:val="0"/>', '<w:color w:val="FFFFFF"/><w:shd w:fill="1F3864"/>'])
def test_text_that_only_looks_hidden_stays(tmp_path: Path, run: str) -> None:
    assert "Read me." in text_of(of_body(tmp_path, p("Read me.", run=run)))


def test_white_words_on_a_coloured_row_are_a_header(tmp_path: Path) -> None:
    white = p("Country", run='<w:color w:val="FFFFFF"/>')
    shaded = f'<w:tcPr><w:shd w:fill="1F3864"/></w:tcPr>{white}'
    document = of_body(tmp_path, f"<w:tbl>{row(shaded, 'Days')}{row('Norway', '25')}</w:tbl>")
    assert document.sections[0].header.startswith("| Country | Days |")


def test_strict_documents_give_their_text(tmp_path: Path) -> None:
    assert text_of(of_body(tmp_path, p("Strictly spoken."), namespace=STRICT)).strip() == "Strictly spoken."


def test_text_boxes_notes_and_formulas_are_read(tmp_path: Path) -> None:
    box = f"<w:p><w:r>{BOX.format(p('In a box.'))}</w:r></w:p>"
    referring = '<w:p><w:r><w:t>Thirty days</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    formula = '<w:p><m:oMath xmlns:m="m"><m:r><m:t>x=1</m:t></m:r></m:oMath></w:p>'
    notes = {"footnotes": f'<w:footnote w:id="2">{p("Of a full year.")}</w:footnote>'}
    text = text_of(of_body(tmp_path, box + referring + referring + formula, parts=notes))
    assert "In a box." in text
    assert "Thirty days[^2]" in text
    assert text.count("Of a full year.") == 1
    assert "x=1" in text


def test_nested_tables_become_text_of_their_cell(tmp_path: Path) -> None:
    inner = f"<w:tbl>{row('a', '1')}{row('b', '2')}</w:tbl>"
    document = of_body(tmp_path, f"<w:tbl>{row('Name', 'Values')}{row('x', inner)}</w:tbl>")
    assert document.sections[0].text == "| x | a, 1; b, 2; |"


def test_all_rows_marked_as_head_are_the_header(tmp_path: Path) -> None:
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    table = row("2025", "2026", properties=head) + row("Plan", "Plan", properties=head) + row("1", "2")
    document = of_body(tmp_path, f"<w:tbl>{table}</w:tbl>")
    assert document.sections[0].header.startswith("| 2025 Plan | 2026 Plan |")


def test_a_table_of_one_cell_is_prose(tmp_path: Path) -> None:
    document = of_body(tmp_path, f"<w:tbl>{row(p('Boxed words.') + p('And more.'))}</w:tbl>")
    assert document.sections[0].text == "Boxed words.\n\nAnd more."
    assert not document.sections[0].is_table


def test_cells_merged_downwards_are_said_in_each_row(tmp_path: Path) -> None:
    first = f'<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>{p("Nordic")}'
    other = "<w:tcPr><w:vMerge/></w:tcPr><w:p/>"
    table = row("Region", "Country") + row(first, "Norway") + row(other, "Sweden")
    assert "| Nordic | Sweden |" in text_of(of_body(tmp_path, f"<w:tbl>{table}</w:tbl>"))


def test_numbers_of_headings_are_counted(tmp_path: Path) -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0">'
        '<w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1"/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="7"><w:abstractNumId w:val="0"/></w:num>'
    )
    outline = '<w:outlineLvl w:val="{0}"/><w:numPr><w:ilvl w:val="{0}"/><w:numId w:val="7"/></w:numPr>'
    body = "".join(
        p(words, paragraph=outline.format(level)) for level, words in ((0, "Leave"), (1, "Days"), (1, "Pay"))
    )
    document = of_body(tmp_path, body, parts={"numbering": numbering})
    assert document.sections[-1].heading == "4 Leave > 4.2 Pay"


def test_deleted_words_and_field_codes_are_no_text(tmp_path: Path) -> None:
    body = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>came</w:t></w:r></w:ins>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert text_of(of_body(tmp_path, body)).strip() == "came"


def test_headers_and_footers_are_said_once_at_the_end(tmp_path: Path) -> None:
    document = of_body(tmp_path, p("Body."), parts={"header": p("Policy 47-B") + p("Policy 47-B"), "footer": p("12")})
    assert [section.text for section in document.sections] == ["Body.", "Policy 47-B"]


def test_a_broken_side_part_does_not_cost_the_document(tmp_path: Path) -> None:
    document = of_body(tmp_path, p("Body."), parts={"styles": "<broken>"})
    assert text_of(document).strip() == "Body."
    assert any("broken" in note for note in document.notes)


@pytest.mark.parametrize(
    "dtd",
    [
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d [<!ENTITY a "lol"><!ENTITY x "&a;&a;&a;">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_document_type_declarations_are_refused(tmp_path: Path, dtd: str) -> None:
    text = "&x;" if "ENTITY" in dtd else "words"
    path = files.word_of_xml(tmp_path / "xxe.docx", files.word_xml(text, dtd=dtd))
    with pytest.raises(DamagedDocumentError, match="DTD"):
        parse(path)


def test_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    path = files.word_of_xml(tmp_path / "bomb.docx", files.word_xml(" " * 30_000_000))
    with pytest.raises(ArchiveLimitError, match="densely"):
        parse(path)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    path = files.word_of_xml(tmp_path / "parts.docx", files.word_xml("words"), parts=5_000)
    with pytest.raises(ArchiveLimitError, match="parts"):
        parse(path)


@pytest.mark.parametrize("xml", [b"", b"<w:document", b"<p>no word document</p>", b"\xff\xfe\x00"])
def test_broken_main_part_is_damaged(tmp_path: Path, xml: bytes) -> None:
    with pytest.raises(DamagedDocumentError):
        parse(files.word_of_xml(tmp_path / "broken.docx", xml))


def test_deep_nesting_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedDocumentError, match="deeply"):
        of_body(tmp_path, "<w:p>" * 10_000 + "</w:p>" * 10_000)


def test_more_text_than_allowed_is_refused(tmp_path: Path) -> None:
    path = files.word_of_xml(tmp_path / "long.docx", files.word_xml("lorem ipsum " * 100))
    with pytest.raises(TooMuchTextError):
        parse(path, max_chars=1_000)


def test_a_merged_cell_claims_no_more_columns_than_word_has(tmp_path: Path) -> None:
    wide = f'<w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>{p("wide")}'
    assert len(text_of(of_body(tmp_path, f"<w:tbl>{row(wide, 'x')}{row('a', 'b')}</w:tbl>"))) < 2_000


def test_half_an_archive_is_damaged(tmp_path: Path) -> None:
    path = files.word(tmp_path / "half.docx")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ParseError):
        parse(path)


def test_a_long_document_of_a_library_is_read_whole(tmp_path: Path) -> None:
    made = docx.Document()
    for number in range(300):
        made.add_paragraph(f"Paragraph {number}.")
    made.save(str(tmp_path / "long.docx"))
    assert "Paragraph 299." in text_of(parse(tmp_path / "long.docx"))


def test_styles_that_rest_on_each_other_in_a_circle_end(tmp_path: Path) -> None:
    link = '<w:style w:styleId="s{}"><w:basedOn w:val="s{}"/></w:style>'
    styles = "".join(link.format(number, (number + 1) % 3_000) for number in range(3_000))
    assert text_of(of_body(tmp_path, p("x", run='<w:rStyle w:val="s1"/>'), parts={"styles": styles})).strip() == "x"


def test_a_document_that_names_no_title_has_its_first_heading(tmp_path: Path) -> None:
    document = of_body(tmp_path, p("x") + p("Leave policy", paragraph='<w:outlineLvl w:val="0"/>'))
    assert document.title == "Leave policy"
