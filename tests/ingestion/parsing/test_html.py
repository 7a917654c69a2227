"""HTML keeps what a reader sees, with its headings and tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.errors import NoTextError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions, Section
from ingestion.parsing.html import HtmlParser
from tests.ingestion.parsing import files

Parse = Callable[[Path], ParsedDocument]

PAGE = """<!doctype html><html><head><title>Leave policy</title><style>.x{}</style></head><body>
<nav>menu</nav><script>alert(1)</script><template>later</template><!-- hidden comment -->
<div hidden>unseen</div><p style="display: none">vanished</p>
<h1>Leave</h1><p>Ask <a href="https://example.com/x">your manager</a>.
<img src="http://example.com/i.png" alt="A form"></p>
<h2>Days</h2><table><tr><th>Country</th><th>Days</th></tr><tr><td>Norway</td><td>25</td></tr></table>
<ul><li>one</li><li>two<ol start="7"><li>inner</li></ol></li></ul><p aria-hidden="true">still seen</p></body></html>"""


def read(folder: Path, page: str | bytes, *, max_chars: int = 1_000_000) -> ParsedDocument:
    path = folder / "page.html"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    return HtmlParser(ParseOptions(max_chars=max_chars)).parse(path)


def words(document: ParsedDocument) -> str:
    return "\n\n".join(section.text for section in document.sections)


def test_headings_tables_lists_and_links_become_markdown(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    document = parse(tmp_path / "page.html")
    assert document.title == "Leave policy"
    assert document.sections == (
        Section("# Leave\n\nAsk your manager. A form", heading="Leave"),
        Section("## Days", heading="Leave > Days"),
        Section("| Norway | 25 |", heading="Leave > Days", is_table=True, header="| Country | Days |\n| --- | --- |"),
        Section("- one\n- two\n  7. inner\n\nstill seen", heading="Leave > Days"),
    )


@pytest.mark.parametrize(
    "unseen", ["menu", "alert", "later", "hidden comment", "unseen", "vanished", ".x{}", "example.com"]
)
def test_what_a_reader_does_not_see_is_dropped(tmp_path: Path, unseen: str) -> None:
    assert unseen not in words(read(tmp_path, PAGE))


@pytest.mark.parametrize(
    "hiding",
    [
        "style='display:none'",
        "style='DISPLAY : none !important'",
        "style='visibility:hidden'",
        "style='opacity:0'",
        "style='font-size:0'",
        "style='font-size: 1px'",
        "style='font-size:.05em'",
        "style='color:#fff'",
        "style='color:white;background-color:#FFFFFF'",
        "style='color:rgb(254, 254, 254)'",
        "style='background:#123456 url(x.png);color:#123456'",
        "style='position:absolute;left:-9999px'",
        "style='text-indent:-5000px'",
        "style='max-height:0;overflow:hidden'",
        "hidden",
        "hidden='until-found'",
    ],
)
def test_hidden_text_is_dropped_with_all_that_is_in_it_and_noted(tmp_path: Path, hiding: str) -> None:
    page = f"<p>seen</p><div {hiding}>se<b>cret</b><img alt='secret'></div><p>also seen</p>"
    document = read(tmp_path, page)
    assert words(document) == "seen\n\nalso seen"
    assert document.notes == ("Hidden text was left out in 1 places.",)


@pytest.mark.parametrize(
    "html",
    [
        "<div style='background-color:#000'><p style='color:#fff'>seen</p></div>",
        "<table bgcolor='#003366'><tr><td><font color=white>seen</font></td></tr></table>",
        "<p style='font-size:12px;color:#000'>seen</p>",
        "<p style='opacity:0.9;max-height:0'>seen</p>",
        "<p style='color:#fff;background:navy'>seen</p>",
        "<body bgcolor=black text=white>seen",
    ],
)
def test_what_can_be_read_stays(tmp_path: Path, html: str) -> None:
    document = read(tmp_path, html)
    assert (words(document), document.notes) == ("seen", ())


@pytest.mark.parametrize(
    "html",
    [
        "<style>.dark{background:#000}</style><div class=dark><p style='color:#fff'>seen</p></div>",
        "<link rel=stylesheet href=x.css><p style='color:#fff'>seen</p>",
        "<style>/* c */ a{} p.note, .x { display:none }</style><p class='a note'>seen</p>",
        "<style>#n{font-size:0}</style><p id=n>seen</p>",
    ],
)
def test_what_a_style_sheet_may_hide_is_kept_and_noted(tmp_path: Path, html: str) -> None:
    document = read(tmp_path, html)
    assert words(document) == "seen"
    assert document.notes == ("Some text may be hidden by a style sheet, and was kept.",)


def test_a_rule_for_some_screens_hides_nothing(tmp_path: Path) -> None:
    page = "<style>@media print { .x{} .note{display:none} } .y{}</style><p class=note>seen</p>"
    assert read(tmp_path, page).notes == ()


def test_cells_that_span_others_are_told_where_they_reach(tmp_path: Path) -> None:
    page = """<table><caption>Costs</caption><thead><tr><th rowspan=2>Item</th><th colspan=2>Year</th></tr>
    <tr><th>2024</th><th>2025</th></tr></thead>
    <tbody><tr><td rowspan=2>Rent</td><td>1|2</td><td>3</td></tr><tr><td>4<br>5</td><td><p>6</p><p>7</p></td></tr>
    <tr><td colspan=3>Note</td></tr></tbody></table>"""
    (section,) = read(tmp_path, page).sections
    assert section == Section(
        "| Rent | 1\\|2 | 3 |\n| Rent | 4 5 | 6 7 |\n| Note |  |  |",
        heading="Costs",
        is_table=True,
        header="| Item | Year 2024 | Year 2025 |\n| --- | --- | --- |",
    )


def test_without_a_head_the_first_row_is_the_head(tmp_path: Path) -> None:
    (section,) = read(tmp_path, "<table><tr><td>a<td>b<tr><td>1<td>2</table>").sections
    assert (section.header, section.text) == ("| a | b |\n| --- | --- |", "| 1 | 2 |")


def test_columns_without_a_word_are_left_out(tmp_path: Path) -> None:
    page = "<table><tr><th>a<th><th>b<tr><td>1<td> &nbsp;<td>2<tr><td><td><td></table>"
    (section,) = read(tmp_path, page).sections
    assert (section.header, section.text) == ("| a | b |\n| --- | --- |", "| 1 | 2 |")


def test_a_row_of_one_cell_above_the_names_is_the_caption(tmp_path: Path) -> None:
    page = "<table><tr><td colspan=2>Awards<tr><td>Name<td>Option<tr><td>Ada<td>12</table>"
    (section,) = read(tmp_path, page).sections
    assert (section.heading, section.header) == ("Awards", "| Name | Option |\n| --- | --- |")
    (section,) = read(tmp_path, page.replace("Option", "7")).sections
    assert (section.heading, section.header) == ("", "| Awards |  |\n| --- | --- |")


def test_marks_of_currency_in_columns_of_their_own_join_their_amounts(tmp_path: Path) -> None:
    page = """<table><tr><td></td><td colspan=3>2021</td><td colspan=3>2020</td></tr>
    <tr><td>Income</td><td>$</td><td>2,111</td><td></td><td>$</td><td>(2,208</td><td>)</td></tr>
    <tr><td>Tax</td><td></td><td>12</td><td>%</td><td></td><td>14</td><td>%</td></tr></table>"""
    (section,) = read(tmp_path, page).sections
    assert section.header == "|  | 2021 | 2020 |\n| --- | --- | --- |"
    assert section.text == "| Income | $2,111 | $(2,208) |\n| Tax | 12% | 14% |"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><td>one column<tr><td>of text</table>", "one column\n\nof text"),
        ("<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>", "a b\n\nc d"),
        ("<table><tr><td>Name:<td>Bob</table>", "Name: Bob"),
        ("<table><tr><td><h2>News</h2><p>text</p><td>side</table>", "## News\n\ntext\n\nside"),
        (
            "<table><tr><td>menu<td>" + "long " * 500 + "<tr><td>a<td>b</table>",
            "menu\n\n" + ("long " * 500).strip() + "\n\na b",
        ),
    ],
)
def test_a_table_that_only_places_things_is_text(tmp_path: Path, html: str, text: str) -> None:
    document = read(tmp_path, html)
    assert words(document) == text
    assert not any(section.is_table for section in document.sections)


def test_a_table_in_a_table_is_the_table(tmp_path: Path) -> None:
    page = "<table><tr><td>before<table><tr><th>a<th>b<tr><td>1<td>2</table>after<td>side</table>"
    kinds = [(section.is_table, section.text) for section in read(tmp_path, page).sections]
    assert kinds == [(False, "before"), (True, "| 1 | 2 |"), (False, "after\nside")]


def test_preformatted_text_keeps_its_lines(tmp_path: Path) -> None:
    assert words(read(tmp_path, "<p>Run:</p><pre>a\n  b\n</pre>")) == "Run:\n\n```\na\n  b\n```"


def test_a_long_heading_is_cut_and_its_rest_is_text(tmp_path: Path) -> None:
    (section,) = read(tmp_path, f"<h1>{'word ' * 60}</h1>").sections
    assert section.heading == ("word " * 40).strip()
    assert section.text.split() == ["#", *["word"] * 60]


@pytest.mark.parametrize(
    ("meta", "moment"),
    [
        (
            "property='article:modified_time' content='2024-05-06T07:08:09+02:00'",
            datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC),
        ),
        ("name='date' content='2024-05-06'", datetime(2024, 5, 6, tzinfo=UTC)),
        (
            "http-equiv='Last-Modified' content='Mon, 06 May 2024 07:08:09 GMT'",
            datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        ),
        ("name='date' content='some day in May'", None),
        ("name='date' content='0001-01-01'", None),
    ],
)
def test_the_page_tells_when_it_was_changed(tmp_path: Path, meta: str, moment: datetime | None) -> None:
    assert read(tmp_path, f"<head><meta {meta}></head><p>text").dated == moment


def test_the_time_of_the_last_change_counts_more_than_that_of_publication(tmp_path: Path) -> None:
    page = (
        "<meta property='article:published_time' content='2020-01-01'>"
        "<meta property='article:modified_time' content='2021-01-01'><p>text"
    )
    assert read(tmp_path, page).dated == datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("shift_jis", "shift_jis"),
        ("euc-jp", "euc-jp"),
        ("iso-2022-jp", "iso-2022-jp"),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("utf-8-sig", ""),
        ("utf-8", "iso-8859-1"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, declared: str) -> None:
    meta = f'<meta charset="{declared}">' if declared else ""
    page = f"<html><head>{meta}<title>t</title></head><body><p>The budget 社内規程 予算 4711</p></body></html>"
    assert words(read(tmp_path, page.encode(encoding))) == "The budget 社内規程 予算 4711"


def test_a_declared_latin_is_windows(tmp_path: Path) -> None:
    page = "<meta http-equiv=content-type content='text/html; charset=iso-8859-1'><p>5 € „Größe“".encode("cp1252")
    assert words(read(tmp_path, page)) == "5 € „Größe“"


def test_utf7_hides_no_markup(tmp_path: Path) -> None:
    text = words(read(tmp_path, b"<meta charset=utf-7><p>+ADw-script+AD4-x"))
    assert text == "+ADw-script+AD4-x"


@pytest.mark.parametrize(
    "html",
    [
        files.nested_html(100_000),
        "<b>" * 100_000 + "deep words</b>after it",
        "<ul><li>" * 20_000 + "deep words" + "</ul>" * 20_000 + "after it",
        "<table><tr><td>" * 50_000 + "deep words" + "</table>" * 50_000 + "after it",
        "<p>deep words" + "<i>a</i><b>b</b>" * 50_000 + "</p>after it",
        "<blockquote>" * 20_000 + "deep words" + "</blockquote>" * 20_000 + "after it",
        "<style>.a{display:none}</style>" * 10_000 + "deep words after it",
        "<p title='" + "A" * 5_000_000 + "'>deep words</p>after it",
    ],
    ids=["divs", "inline", "lists", "tables", "runs", "quotes", "sheets", "attribute"],
)
def test_nesting_and_masses_keep_their_words(tmp_path: Path, html: str) -> None:
    text = words(read(tmp_path, html, max_chars=5_000_000))
    assert "deep words" in text
    assert "after it" in text


def test_spans_do_not_multiply_a_page(tmp_path: Path) -> None:
    page = "<table><tr>" + "<td rowspan=65534 colspan=1000>abcdefgh" * 300 + "<tr><td>x<td>y" * 300 + "</table>"
    assert len(words(read(tmp_path, page, max_chars=2_000_000))) < 100 * len(page)


def test_more_text_than_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooMuchTextError):
        read(tmp_path, "<p>" + "word " * 300, max_chars=1000)


def test_page_of_pictures_is_no_text(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html><body><img src='a.png'><script>x()</script></body></html>")
    with pytest.raises(NoTextError):
        parse(tmp_path / "page.html")
