"""Reads a sitemap: XML without a DTD, packed or not, never more than a bound and never all of it as a tree."""

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

from ingestion.errors import SourceListingError

# sitemaps.org allows 50 MB; one of as many pages as are taken has 2 MB.
MAX_BYTES = 16 * 1024 * 1024
MAX_ENTRIES = 50_000
_MAX_DEPTH = 8
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Sitemap:
    """Pages with their date of change ('' where none is told), or the sitemaps of an index."""

    pages: list[tuple[str, str]]
    sitemaps: list[str]


def read_sitemap(blocks: Iterable[bytes]) -> Sitemap:
    """Raises SourceListingError where it is no sitemap, or larger than one may be."""
    try:
        kind, entries = _read(_unpacked(blocks))
    except (ParseError, DefusedXmlException, ValueError, LookupError, zlib.error) as exc:
        raise SourceListingError(f"no sitemap: {type(exc).__name__}") from exc
    if kind == "sitemapindex":
        return Sitemap(pages=[], sitemaps=[place for place, _ in entries])
    return Sitemap(pages=entries, sitemaps=[])


def _read(data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The root's name, and what each of its children says."""
    entries: list[tuple[str, str]] = []
    open_elements: list[Element] = []
    kind = ""
    for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True):
        if event == "start":
            kind = kind or _root_kind(element)
            open_elements.append(element)
            if len(open_elements) > _MAX_DEPTH:
                raise SourceListingError("a sitemap nested too deeply")
            continue
        open_elements.pop()
        if len(open_elements) == 1:
            entries.extend(_entry(element))
            open_elements[0].clear()
            if len(entries) > MAX_ENTRIES:
                raise SourceListingError(f"more than {MAX_ENTRIES} entries in one sitemap")
    return kind, entries


def _root_kind(element: Element) -> str:
    kind = _local(element)
    if kind not in ("urlset", "sitemapindex"):
        raise SourceListingError("no sitemap")
    return kind


def _entry(entry: Element) -> Iterator[tuple[str, str]]:
    values = {_local(child): (child.text or "").strip() for child in entry}
    if values.get("loc"):
        yield values["loc"], values.get("lastmod", "")


def _unpacked(blocks: Iterable[bytes]) -> bytes:
    data = b"".join(blocks)
    if data.startswith(_GZIP):
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(data, MAX_BYTES + 1)
        if not unpacker.eof and len(data) <= MAX_BYTES:
            raise SourceListingError("a packed sitemap that breaks off")
    if len(data) > MAX_BYTES:
        raise SourceListingError("a sitemap above the bound")
    return data


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
