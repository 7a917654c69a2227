"""Presentations: slides keep their numbers, titles, tables, charts and notes."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.pptx import PptxParser

NAMES = 'xmlns:a="a" xmlns:p="p" xmlns:r="r" xmlns:c="c"'
STRICT = 'xmlns:a="http://purl.oclc.org/ooxml/drawingml/main" xmlns:p="s" xmlns:r="t" xmlns:c="c"'


def parse(
    folder: Path,
    slides: Sequence[str],
    *,
    links: str = "",
    parts: Mapping[str, str] | None = None,
    names: str = NAMES,
    show: str = "",
) -> ParsedDocument:
    """Parse a presentation of these shape trees; `links` are the relations of every slide."""
    path = folder / "made.pptx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        listed = "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in range(len(slides)))
        archive.writestr("ppt/presentation.xml", f"<p:x {names}><p:sldIdLst>{listed}</p:sldIdLst></p:x>")
        targets = "".join(
            f'<Relationship Id="r{n}" Type="x/slide" Target="slides/s{n}.xml"/>' for n in range(len(slides))
        )
        archive.writestr("ppt/_rels/presentation.xml.rels", f"<Relationships>{targets}</Relationships>")
        for number, tree in enumerate(slides):
            slide = f"<p:sld {names} {show}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld></p:sld>"
            archive.writestr(f"ppt/slides/s{number}.xml", slide)
            archive.writestr(f"ppt/slides/_rels/s{number}.xml.rels", f"<Relationships>{links}</Relationships>")
        for name, content in (parts or {}).items():
            archive.writestr(name, content)
    return PptxParser(ParseOptions(max_chars=1_000_000)).parse(path)


def shape(*lines: str, kind: str | None = None, hidden: str = "0", run: str = "") -> str:
    holder = "" if kind is None else f'<p:ph type="{kind}"/>'
    properties = f'<p:nvSpPr><p:cNvPr id="1" name="n" hidden="{hidden}"/><p:nvPr>{holder}</p:nvPr></p:nvSpPr>'
    paragraphs = "".join(f"<a:p><a:r><a:rPr {run}/><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp>{properties}<p:txBody>{paragraphs}</p:txBody></p:sp>"


def cell(text: str, attributes: str = "") -> str:
    return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"


def test_slides_keep_number_title_and_bullets(tmp_path: Path) -> None:
    document = parse(tmp_path, [shape("Travel", kind="title") + shape("Trains", "Planes", kind="body"), shape("Fin")])
    first, last = document.sections
    assert (first.page, first.place, first.heading) == (1, "slide 1", "Travel")
    assert first.text == "# Travel\n\n- Trains\n- Planes"
    assert (last.page, last.place, last.text) == (2, "slide 2", "Fin")
    assert (document.pages, document.title) == (2, "Travel")


def test_tables_have_a_header_and_merged_cells_are_repeated(tmp_path: Path) -> None:
    rows = (
        cell("Region") + cell("Land"),
        cell("Nordic", 'rowSpan="2"') + cell("NO"),
        cell("", 'vMerge="1"') + cell("SE"),
    )
    table = "".join(f"<a:tr>{row}</a:tr>" for row in rows)
    frame = (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{table}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    section = parse(tmp_path, [frame]).sections[0]
    assert section.is_table
    assert section.header == "| Region | Land |\n| --- | --- |"
    assert section.text == "| Nordic | NO |\n| Nordic | SE |"


def test_groups_are_taken_apart(tmp_path: Path) -> None:
    nested = "<p:grpSp>" * 20 + shape("deep") + "</p:grpSp>" * 20
    assert parse(tmp_path, [nested]).sections[0].text == "deep"


def test_charts_give_their_numbers(tmp_path: Path) -> None:
    points = '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'
    values = points.format(0, "8.200000000000001") + points.format(1, "3.2")
    labels = points.format(0, "Q1") + points.format(1, "Q2")
    series = f"<c:ser><c:tx>{points.format(0, 'Sales')}</c:tx><c:cat>{labels}</c:cat><c:val>{values}</c:val></c:ser>"
    chart = f"<c:x {NAMES}><c:chart><c:title><a:p><a:r><a:t>2026</a:t></a:r></a:p></c:title>{series}</c:chart></c:x>"
    frame = '<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="k"/></a:graphicData></a:graphic></p:graphicFrame>'
    link = '<Relationship Id="k" Type="x/chart" Target="../charts/c.xml"/>'
    section = parse(tmp_path, [frame, frame], links=link, parts={"ppt/charts/c.xml": chart}).sections[0]
    assert section.heading == "2026"
    assert section.header.startswith("|  | Sales |")
    assert section.text == "| Q1 | 8.2 |\n| Q2 | 3.2 |"


def test_notes_stand_beside_their_slide(tmp_path: Path) -> None:
    notes = f"<p:x {NAMES}><p:cSld><p:spTree>{shape('Smile.', kind='body')}</p:spTree></p:cSld></p:x>"
    link = '<Relationship Id="n" Type="x/notesSlide" Target="../notes/n.xml"/>'
    document = parse(tmp_path, [shape("Hello", kind="title")], links=link, parts={"ppt/notes/n.xml": notes})
    section = document.sections[1]
    assert (section.page, section.place, section.heading, section.text) == (1, "slide 1, notes", "Hello", "Smile.")


def test_hidden_slides_are_read_and_told(tmp_path: Path) -> None:
    document = parse(tmp_path, [shape("secret plan")], show='show="0"')
    assert document.sections[0].text == "secret plan"
    assert document.notes == ("Hidden slides were read too: 1.",)


@pytest.mark.parametrize("hiding", [{"hidden": "1"}, {"run": 'sz="100"'}])
def test_text_that_nobody_sees_is_dropped_and_told(tmp_path: Path, hiding: dict[str, str]) -> None:
    document = parse(tmp_path, [shape("seen") + shape("obey me", **hiding)])
    assert [section.text for section in document.sections] == ["seen"]
    assert document.notes == ("7 characters of hidden text were dropped.",)


def test_the_words_of_a_picture_are_kept(tmp_path: Path) -> None:
    picture = '<p:pic><p:nvPicPr><p:cNvPr id="3" name="x" descr="A map of Oslo"/></p:nvPicPr></p:pic>'
    assert parse(tmp_path, [picture]).sections[0].text == "A map of Oslo"


def test_strict_presentations_give_their_text(tmp_path: Path) -> None:
    assert parse(tmp_path, [shape("strict")], names=STRICT).sections[0].text == "strict"


def test_slides_that_refer_to_each_other_end(tmp_path: Path) -> None:
    links = '<Relationship Id="a" Type="x/slide" Target="s0.xml"/><Relationship Id="b" Type="x/slide" Target="s1.xml"/>'
    assert len(parse(tmp_path, [shape("one"), shape("two")], links=links).sections) == 2


def test_a_broken_chart_does_not_cost_the_slide(tmp_path: Path) -> None:
    frame = '<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="k"/></a:graphicData></a:graphic></p:graphicFrame>'
    link = '<Relationship Id="k" Type="x/chart" Target="../c.xml"/>'
    document = parse(tmp_path, [shape("words") + frame], links=link, parts={"ppt/c.xml": "<broken"})
    assert document.sections[0].text == "words"
    assert any("broken" in note for note in document.notes)


def test_an_archive_without_slides_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "none.pptx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ppt/presentation.xml", "<x/>")
    with pytest.raises(DamagedDocumentError):
        PptxParser(ParseOptions(max_chars=100)).parse(path)
