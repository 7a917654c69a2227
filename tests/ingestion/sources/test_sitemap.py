"""Sitemaps: what they list, and every way in which they are none."""

import gzip

import pytest

from ingestion.errors import SourceListingError
from ingestion.sources import sitemap
from ingestion.sources.sitemap import read_sitemap

OPENING = '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
PAGES = OPENING + (
    "<url><loc> http://site.example/a </loc><lastmod>2026-01-02</lastmod></url>"
    "<url><loc>http://site.example/b</loc></url><url><lastmod>2026</lastmod></url></urlset>"
)


def test_pages_come_with_their_date_of_change() -> None:
    found = read_sitemap([PAGES[:50].encode(), PAGES[50:].encode()])
    assert found.pages == [("http://site.example/a", "2026-01-02"), ("http://site.example/b", "")]
    assert found.sitemaps == []


def test_an_index_lists_sitemaps() -> None:
    found = read_sitemap([b"<sitemapindex><sitemap><loc>http://site.example/1.xml</loc></sitemap></sitemapindex>"])
    assert (found.pages, found.sitemaps) == ([], ["http://site.example/1.xml"])


def test_a_packed_one_is_unpacked() -> None:
    assert len(read_sitemap([gzip.compress(PAGES.encode())]).pages) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html></html>",
        b"<urlset><url>",
        b'<!DOCTYPE urlset [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>',
        b'<!DOCTYPE urlset SYSTEM "http://127.0.0.1/x.dtd"><urlset/>',
        b"<?xml version='1.0' encoding='no-such'?><urlset/>",
        gzip.compress(PAGES.encode())[:40],
        b"<urlset>" + b"<a>" * 100 + b"</a>" * 100 + b"</urlset>",
        gzip.compress(b"\x00" * (sitemap.MAX_BYTES + 1)),
        b"<urlset>" + b"<url><loc>a</loc></url>" * (sitemap.MAX_ENTRIES + 1) + b"</urlset>",
    ],
    ids=["empty", "html", "cut", "entity", "dtd", "encoding", "cut gzip", "deep", "bomb", "many"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(SourceListingError):
        read_sitemap([data])
