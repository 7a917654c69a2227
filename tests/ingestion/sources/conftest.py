"""A web server of the tests' own."""

from collections.abc import Iterator

import pytest

from tests.ingestion.sources.web_server import WebServer, serving


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server on loopback; its names resolve in the fetcher that it makes."""
    with serving() as server:
        yield server
