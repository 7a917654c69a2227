"""HTML to Markdown: what a reader sees, without scripts, styles, navigation and hidden parts. Fetches nothing."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Comment, Tag
from bs4.dammit import EncodingDetector
from markdownify import ATX, MarkdownConverter

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import ParsedDocument, Section
from ingestion.parsing.encoding import clean, decode
from ingestion.parsing.markdown import first_heading, plain

_DROPPED = (
    "script", "style", "nav", "template", "noscript", "iframe", "object", "embed", "svg", "canvas",
    "select", "button", "input", "textarea", "audio", "video", "head", "link", "meta", "base",
)  # fmt: skip
_HIDING_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.IGNORECASE)
_BLANKS = re.compile(r"(?<=\S) {2,}")
_BLANK_LINES = re.compile(r"\n{3,}")
# Markup is at most this many times its text in documents seen; beyond, the size limit of uploads holds.
_MARKUP_TO_TEXT = 8


@dataclass(frozen=True)
class HtmlParser:
    """text/html. Gives one section of Markdown."""

    max_chars: int

    def parse(self, path: Path) -> ParsedDocument:
        """Decode by mark, declaration or detection, then convert."""
        if path.stat().st_size > self.max_chars * _MARKUP_TO_TEXT:
            raise TooMuchTextError("the HTML is too large")
        data = path.read_bytes()
        declared = EncodingDetector.find_declared_encoding(data, is_html=True, search_entire_document=False)
        return html_to_markdown(decode(data, declared=declared))


def html_to_markdown(html: str) -> ParsedDocument:
    """One section of Markdown from a page or a fragment of HTML."""
    soup = BeautifulSoup(html.replace("\x00", ""), "lxml")
    title = plain(soup.title.get_text(" ")) if soup.title else ""
    _drop_unseen(soup)
    markdown = _BLANK_LINES.sub("\n\n", _BLANKS.sub(" ", clean(_convert(soup)))).strip()
    return ParsedDocument(sections=(Section(markdown),), title=title or first_heading(markdown))


class _Converter(MarkdownConverter):
    """Text only: an image is its alternative text, a link is its words."""

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " ".join(str(el.get("alt") or "").split())

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text


def _convert(soup: BeautifulSoup) -> str:
    options: dict[str, Any] = {
        "heading_style": ATX,
        "bullets": "-",
        "strong_em_symbol": "",
        "escape_asterisks": False,
        "escape_underscores": False,
        "table_infer_header": True,
    }
    try:
        return str(_Converter(**options).convert_soup(soup))
    except RecursionError:
        # Nested past the converter's recursion; the words are kept, the structure is not.
        return soup.get_text("\n", strip=True)


def _drop_unseen(soup: BeautifulSoup) -> None:
    for comment in soup.find_all(string=lambda string: isinstance(string, Comment)):
        comment.extract()
    for element in soup.find_all(_is_unseen):
        if not element.decomposed:
            element.decompose()


def _is_unseen(element: Tag) -> bool:
    if element.name in _DROPPED or element.has_attr("hidden") or element.get("aria-hidden") == "true":
        return True
    return bool(_HIDING_STYLE.search(str(element.get("style") or "")))
