"""Over TLS: the address is the checked one, the certificate must be the name's."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from ingestion.errors import SourceUnreachableError, UrlRefusedError
from ingestion.sources.urls import redirected, target_of
from tests.ingestion.sources import certificates
from tests.ingestion.sources.web_server import Answer, serving

HTML = frozenset({"text/html"})
HERE = (ip_network("127.0.0.1/32"),)


def test_the_certificate_must_be_trusted_and_of_the_name_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, context = certificates.made(tmp_path, name="site.example")
    with serving(tls=context) as server:
        server.answers["/"] = Answer(b"secure")
        url = server.url().replace("http:", "https:")
        with pytest.raises(SourceUnreachableError), server.fetcher(networks=HERE).fetch(url, accept=HTML, max_bytes=9):
            pass
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        fetcher = server.fetcher(networks=HERE)
        with fetcher.fetch(url, accept=HTML, max_bytes=9) as fetched:
            assert b"".join(fetched.blocks) == b"secure"
        other = url.replace("site.example", "other.example")
        with pytest.raises(SourceUnreachableError), fetcher.fetch(other, accept=HTML, max_bytes=9):
            pass


def test_a_redirect_never_leads_from_https_to_http() -> None:
    target = target_of("https://site.example/a/b?c")
    assert redirected(target, "../d").text == "https://site.example/d"
    assert redirected(target_of("http://site.example/"), "https://site.example/x").scheme == "https"
    with pytest.raises(UrlRefusedError):
        redirected(target, "http://site.example/")
