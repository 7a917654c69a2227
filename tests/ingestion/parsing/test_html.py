"""HTML keeps what a reader sees."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.errors import NoTextError
from ingestion.parsing.base import ParsedDocument
from tests.ingestion.parsing import files

Parse = Callable[[Path], ParsedDocument]

PAGE = """<!doctype html><html><head><title>Leave policy</title><style>.x{}</style></head><body>
<nav>menu</nav><script>alert(1)</script><template>later</template><!-- hidden comment -->
<div hidden>unseen</div><p style="display: none">vanished</p><p aria-hidden="true">silent</p>
<h1>Leave</h1><p>Ask <a href="https://example.com/x">your manager</a>.
<img src="http://example.com/i.png" alt="A form"></p>
<h2>Days</h2><table><tr><th>Country</th><th>Days</th></tr><tr><td>Norway</td><td>25</td></tr></table>
<ul><li>one</li><li>two</li></ul></body></html>"""


def parsed(parse: Parse, folder: Path, page: str | bytes) -> ParsedDocument:
    path = folder / "page.html"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    return parse(path)


def test_headings_tables_lists_and_links_become_markdown(parse: Parse, tmp_path: Path) -> None:
    document = parsed(parse, tmp_path, PAGE)
    assert document.title == "Leave policy"
    assert [section.heading for section in document.sections] == ["Leave", "Leave > Days"]
    assert document.sections[0].text == "# Leave\n\nAsk your manager.\nA form"
    assert "| Norway | 25 |" in document.sections[1].text
    assert "- one\n- two" in document.sections[1].text


@pytest.mark.parametrize(
    "unseen", ["menu", "alert", "later", "hidden comment", "unseen", "vanished", "silent", ".x{}", "example.com"]
)
def test_what_a_reader_does_not_see_is_dropped(parse: Parse, tmp_path: Path, unseen: str) -> None:
    assert unseen not in "\n".join(section.text for section in parsed(parse, tmp_path, PAGE).sections)


def test_declared_encoding_is_used(parse: Parse, tmp_path: Path) -> None:
    page = '<html><head><meta charset="shift_jis"></head><body>社内規程 予算</body></html>'.encode("shift_jis")
    assert "予算" in parsed(parse, tmp_path, page).sections[0].text


def test_ten_thousand_nested_elements_keep_their_words(parse: Parse, tmp_path: Path) -> None:
    text = parsed(parse, tmp_path, files.nested_html(10_000)).sections[0].text
    assert "deep words" in text
    assert "after it" in text


def test_page_of_pictures_is_no_text(parse: Parse, tmp_path: Path) -> None:
    with pytest.raises(NoTextError):
        parsed(parse, tmp_path, "<html><body><img src='a.png'><script>x()</script></body></html>")
