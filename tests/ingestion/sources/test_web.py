"""Pages and sitemaps as a source lists and reads them, from a server on loopback."""

from ipaddress import ip_network
from unittest.mock import patch

import pytest

from ingestion.errors import SourceDeniedError, SourceListingError, SourceTooLargeError, UrlRefusedError
from ingestion.sources import web as module
from ingestion.sources.fetcher import Fetcher
from ingestion.sources.web import PagesConnector, PagesSettings, SitemapConnector, SitemapSettings
from tests.ingestion.sources.web_server import Answer, WebServer

XML = "application/xml"


@pytest.fixture
def fetcher(web: WebServer) -> Fetcher:
    return web.fetcher(networks=(ip_network("127.0.0.1/32"),))


def sitemap_of(web: WebServer, fetcher: Fetcher) -> SitemapConnector:
    return SitemapConnector(SitemapSettings(sitemap=web.url("/sitemap.xml")), fetcher=fetcher, max_bytes=1000)


def urlset(*urls: str) -> Answer:
    entries = "".join(f"<url><loc>{url}</loc><lastmod>2026</lastmod></url>" for url in urls)
    return Answer(f"<urlset>{entries}</urlset>".encode(), media_type=XML)


def test_typed_addresses_become_items_once_each(web: WebServer, fetcher: Fetcher) -> None:
    urls = f"{web.url('/docs/leave.html')}\n\n {web.url()} \n{web.url('/docs/leave.html#part')}\n"
    connector = PagesConnector(PagesSettings(urls=urls), fetcher=fetcher, max_bytes=1000)
    items = list(connector.items())
    assert [(item.key, item.name, item.fingerprint) for item in items] == [
        (web.url("/docs/leave.html"), "leave.html", ""),
        (web.url("/"), "site.example", ""),
    ]
    web.answers["/docs/leave.html"] = Answer(b"<p>25 days</p>")
    assert b"".join(connector.content(items[0])) == b"<p>25 days</p>"


def test_an_address_that_may_not_be_fetched_is_refused_before_anything_is_saved(fetcher: Fetcher) -> None:
    with pytest.raises(UrlRefusedError) as caught:
        PagesConnector(PagesSettings(urls="http://localhost/"), fetcher=fetcher, max_bytes=1)
    assert caught.value.field == "urls"
    with pytest.raises(UrlRefusedError) as caught:
        SitemapConnector(SitemapSettings(sitemap="file:///etc/passwd"), fetcher=fetcher, max_bytes=1)
    assert caught.value.field == "sitemap"


def test_a_sitemap_gives_the_pages_of_its_own_host(web: WebServer, fetcher: Fetcher) -> None:
    web.answers["/sitemap.xml"] = urlset(
        web.url("/a"),
        web.url("/a"),
        web.url("/b c".replace(" ", "%20")),
        "http://other.example/x",
        "file:///etc/passwd",
    )
    items = list(sitemap_of(web, fetcher).items())
    assert [(item.key, item.name, item.fingerprint) for item in items] == [
        (web.url("/a"), "a", "2026"),
        (web.url("/b%20c"), "b c", "2026"),
    ]


def test_an_index_is_followed_once_each_on_its_host_alone(web: WebServer, fetcher: Fetcher) -> None:
    maps = [web.url("/1.xml"), web.url("/2.xml"), web.url("/sitemap.xml"), web.url("/1.xml", host="other.example")]
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in maps)
    web.answers["/sitemap.xml"] = Answer(f"<sitemapindex>{entries}</sitemapindex>".encode(), media_type=XML)
    web.answers["/1.xml"], web.answers["/2.xml"] = urlset(web.url("/a")), urlset(web.url("/b"))
    assert [item.name for item in sitemap_of(web, fetcher).items()] == ["a", "b"]
    assert [path for path, _ in web.requests] == ["/sitemap.xml", "/1.xml", "/2.xml"]


def test_a_list_that_is_gone_or_closed_is_an_error_and_never_an_empty_list(web: WebServer, fetcher: Fetcher) -> None:
    with pytest.raises(SourceListingError):
        list(sitemap_of(web, fetcher).items())
    web.answers["/sitemap.xml"] = Answer(status=403)
    with pytest.raises(SourceDeniedError):
        list(sitemap_of(web, fetcher).items())


def test_more_pages_than_a_source_may_have_are_refused(web: WebServer, fetcher: Fetcher) -> None:
    web.answers["/sitemap.xml"] = urlset(web.url("/a"), web.url("/b"), web.url("/c"))
    with patch.object(module, "MAX_PAGES", 2), pytest.raises(SourceTooLargeError):
        list(sitemap_of(web, fetcher).items())
    with patch.object(module, "MAX_SITEMAPS", 0), pytest.raises(SourceTooLargeError):
        list(sitemap_of(web, fetcher).items())
