"""What the fetcher brings home, and the bounds that it keeps on the way."""

import socket
import threading
import time
from ipaddress import ip_network

import pytest

from ingestion.errors import (
    SourceDeniedError,
    SourceItemGoneError,
    SourceUnreachableError,
    UnsupportedTypeError,
    UploadTooLargeError,
    UrlRefusedError,
)
from ingestion.sources.fetcher import Fetcher
from tests.ingestion.sources.web_server import Answer, WebServer

HTML = frozenset({"text/html"})
CHUNK = b"7d0\r\n" + b"x" * 2000 + b"\r\n"
HERE = (ip_network("127.0.0.1/32"),)


def got(fetcher: Fetcher, url: str, *, max_bytes: int = 10_000) -> bytes:
    with fetcher.fetch(url, accept=HTML, max_bytes=max_bytes) as fetched:
        return b"".join(fetched.blocks)


def test_a_page_comes_with_its_type_and_where_it_came_from(web: WebServer) -> None:
    web.answers["/a?q=%C3%BC"] = Answer(b"<p>page</p>")
    with web.fetcher(networks=HERE).fetch(web.url("/a?q=ü#part"), accept=HTML, max_bytes=100) as fetched:
        assert b"".join(fetched.blocks) == b"<p>page</p>"
    assert fetched.media_type == "text/html"
    assert fetched.target.text == web.url("/a?q=%C3%BC")


def test_the_server_learns_nothing_but_the_address(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment's proxy nor a cookie set before."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    web.answers["/"] = Answer(b"x", headers={"Set-Cookie": "a=b"})
    fetcher = web.fetcher(networks=HERE)
    assert got(fetcher, web.url()) == got(fetcher, web.url()) == b"x"
    headers = [sorted(headers) for _, headers in web.requests]
    assert headers == [["Accept-Encoding", "Host", "User-Agent"]] * 2
    assert web.requests[0][1]["Host"] == f"site.example:{web.port}"


def test_five_redirects_are_followed_and_a_sixth_is_not(web: WebServer) -> None:
    for step in range(6):
        web.answers[f"/{step}"] = Answer(status=302, headers={"Location": f"{step + 1}"})
    web.answers["/6"] = Answer(b"there")
    assert got(web.fetcher(networks=HERE), web.url("/1")) == b"there"
    with pytest.raises(UrlRefusedError):
        got(web.fetcher(networks=HERE), web.url("/0"))


def test_a_list_of_hosts_is_kept_to_also_by_redirects(web: WebServer) -> None:
    web.answers["/"] = Answer(b"x")
    web.answers["/away"] = Answer(status=301, headers={"Location": web.url("/", host="other.example")})
    fetcher = web.fetcher(networks=HERE, hosts=("*.site.example", "site.example"))
    assert got(fetcher, web.url("/", host="docs.site.example")) == b"x"
    for url in (web.url("/", host="other.example"), web.url("/", host="notsite.example"), web.url("/away")):
        with pytest.raises(UrlRefusedError):
            got(fetcher, url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=404), SourceItemGoneError),
        (Answer(status=410), SourceItemGoneError),
        (Answer(status=401), SourceDeniedError),
        (Answer(status=403), SourceDeniedError),
        (Answer(status=500), SourceUnreachableError),
        (Answer(status=204), SourceUnreachableError),
        (Answer(status=302), SourceUnreachableError),
        (Answer(b"x", media_type="image/png"), UnsupportedTypeError),
        (Answer(b"x", media_type=""), UnsupportedTypeError),
        (Answer(b"x", headers={"Content-Encoding": "gzip"}), UnsupportedTypeError),
        (Answer(b"x" * 1000, repeat=11), UploadTooLargeError),
        (
            Answer(b"7d0\r\n" + b"x" * 2000 + b"\r\n", repeat=9, headers={"Transfer-Encoding": "chunked"}),
            UploadTooLargeError,
        ),
        (Answer(b"x", headers={"Content-Length": "50"}), SourceUnreachableError),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_other_answer_is_an_error(web: WebServer, answer: Answer, error: type[Exception]) -> None:
    web.answers["/"] = answer
    with pytest.raises(error):
        got(web.fetcher(networks=HERE), web.url())


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        web = WebServer(port=closed.getsockname()[1])
        with pytest.raises(SourceUnreachableError):
            got(web.fetcher(networks=HERE), web.url())


def test_bytes_that_drip_do_not_hold_it_beyond_the_time_for_an_address() -> None:
    """One byte each tenth of a second: no single read is ever late."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.1):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        web = WebServer(port=server.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(SourceUnreachableError):
            got(web.fetcher(networks=HERE, total_s=1.0), web.url())
        assert time.monotonic() - began < 10
        stop.set()
        thread.join()
