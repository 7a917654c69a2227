"""HTML: what a reader sees, without scripts, styles, navigation and hidden parts. Fetches nothing."""

import re
from dataclasses import dataclass
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.charsets import decode_as
from ingestion.parsing.html_reader import Page, Reader
from ingestion.parsing.tables import Flow

# Markup is at most this many times its text in documents seen; beyond, the size limit of uploads holds.
_MARKUP_TO_TEXT = 8
_FED_CHARS = 64 * 1024
_DECLARED_WITHIN = 4096
_XML_DECLARED = re.compile(rb"\A\s{0,20}<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([\w.:-]{2,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"<meta[^>]{0,500}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{2,40})", re.IGNORECASE)


@dataclass(frozen=True)
class HtmlParser:
    """text/html."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Decode by mark, declaration or detection, then read. Raises TooMuchTextError."""
        if path.stat().st_size > self.options.max_chars * _MARKUP_TO_TEXT:
            raise TooMuchTextError("the HTML is too large")
        flow = Flow(max_chars=self.options.max_chars)
        page = read_html(decode_html(path.read_bytes()), flow=flow)
        return ParsedDocument(
            sections=flow.sections(), title=page.title, dated=page.dated, notes=(*page.notes, *flow.notes())
        )


def read_html(html: str, *, flow: Flow) -> Page:
    """Read a page or a fragment into `flow`, after what is in it already. Raises TooMuchTextError."""
    reader = Reader(flow)
    if not html.strip():
        return reader.page()
    # It is decoded; a declaration in the page that the parser would follow is overruled.
    parser = etree.HTMLParser(target=reader, huge_tree=True, recover=True, encoding="utf-8", no_network=True)
    for start in range(0, len(html), _FED_CHARS):
        part = html[start : start + _FED_CHARS].replace("\x00", "")
        parser.feed(part.encode("utf-8", errors="replace"))
    parser.close()
    return reader.page()


def decode_html(data: bytes) -> str:
    """The text of HTML by byte-order mark, UTF-8, declaration or detection, in this order."""
    head = data[:_DECLARED_WITHIN]
    match = _XML_DECLARED.search(head) or _DECLARED.search(head)
    return decode_as(data, charset=match.group(1).decode("ascii", errors="replace") if match else None)
