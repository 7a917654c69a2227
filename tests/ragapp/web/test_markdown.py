"""What a model or a document writes cannot become anything but text, plain markup and our own links."""

import re

import pytest

from ragapp.web.markdown import excerpt, markers_of, render_answer, render_passage

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "<https://evil.example/?q=1>",
    "<a href='x' onclick='alert(1)'>x</a>",
    "<svg/onload=alert(1)>",
    "<iframe src=//evil.example></iframe>",
    "<style>*{display:none}</style>",
    "[x](/documents/1/delete)",
    "[1](https://evil.example)",
    "[a\n\n]: https://evil.example",
    '[x](https://evil.example "onmouseover=alert(1)")',
    "`<script>`",
    "| a |\n| --- |\n| <img src=x onerror=alert(1)> |",
    "<div hx-get='/keys' hx-trigger='load'>x</div>",
    "<form action=//evil.example><input name=q></form>",
]
FORBIDDEN = re.compile(
    r"<(?!/?(?:a|blockquote|br|code|em|h[3-6]|hr|li|ol|p|pre|s|span|strong|sup|table|tbody|td|th|thead|tr|ul)\b)", re.I
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("prefix", ["", "- ", "> ", "1. x\n\n    "])
def test_hostile_text_renders_inert(text: str, prefix: str) -> None:
    for html in (render_answer(prefix + text, links={1: "/sources/1"}), render_passage(prefix + text)):
        assert not FORBIDDEN.search(html)
        tags = "".join(re.findall(r"<[^>]*>", html))
        assert not re.search(r"\son\w+=|\shx-|\sstyle=|\ssrc=|\saction=|javascript:|data:|vbscript:", tags, re.I)


def test_a_marker_becomes_a_link_to_its_passage() -> None:
    html = render_answer("Twelve weeks. [1]", links={1: "/sources/abc"})
    assert '<a class="cite" href="/sources/abc"' in html
    assert ">1</a>" in html


def test_several_numbers_in_one_marker_become_several_links() -> None:
    html = render_answer("Yes [1, 2].", links={1: "/a", 2: "/b"})
    assert html.count('class="cite"') == 2


def test_a_marker_whose_source_is_gone_says_so_once_the_answer_is_settled() -> None:
    assert "cite-gone" in render_answer("Yes [2].", links={1: "/a"})


def test_a_marker_of_an_unsettled_answer_stays_text() -> None:
    assert render_answer("Yes [2].", links={}, settled=False) == "<p>Yes [2].</p>\n"


def test_markers_in_code_are_code() -> None:
    assert "cite" not in render_answer("`a[1]`", links={1: "/a"})


def test_a_line_that_looks_like_a_reference_definition_is_not_swallowed() -> None:
    html = render_answer("[1]: https://handbook.example", links={1: "/a"})
    assert 'href="/a"' in html
    assert "handbook.example" in html


def test_a_link_shows_its_host_and_passes_no_referrer() -> None:
    html = render_answer("[the portal](https://portal.example.com/x)", links={})
    assert '<span class="host">portal.example.com</span>' in html
    assert 'rel="nofollow noopener noreferrer"' in html


def test_a_link_without_a_host_is_only_its_words() -> None:
    assert render_answer("[delete all](/documents/1/delete)", links={}) == "<p>delete all</p>\n"


def test_tables_and_lists_survive() -> None:
    html = render_passage("| Years | Days |\n| --- | --- |\n| 5 | 28 |\n\n- one\n- two")
    assert "<td>28</td>" in html
    assert html.count("<li>") == 2


def test_headings_stay_below_the_pages_own() -> None:
    assert render_passage("# Leave") == "<h3>Leave</h3>\n"


def test_markers_are_found_in_all_their_forms() -> None:
    assert markers_of("a [1] b [2, 3] c [x] d [12](http://e)") == {1, 2, 3}


@pytest.mark.parametrize(
    ("quote", "plain"),
    [
        ("### Repairs and loans", "Repairs and loans"),
        ("| 5 years or more | 28 days |", "5 years or more · 28 days"),
        ("**Rail** is the\nfirst choice", "Rail is the first choice"),
        ("a # b * c", "a # b * c"),
    ],
)
def test_an_excerpt_is_plain_words(quote: str, plain: str) -> None:
    assert excerpt(quote) == plain
