"""Real parts as fixtures, and the guard that keeps tests on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.operations import BaseDatabaseOperations

from tests.append_only import append_only_lifted
from tests.loopback_only import loopback_only
from tests.provision import chromium, postgres, qdrant, valkey, weights
from tests.provision.qdrant import QdrantServer

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Playwright's sync API keeps an event loop in the main thread; Django would refuse the ORM there."""
    if config.getoption("markexpr") == "browser":
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by what a test uses, so that none can forget it (pyproject.toml says why these runs are apart)."""
    for item in items:
        if "playwright" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if item.path.is_relative_to(HERE / "vllm"):
            item.add_marker(pytest.mark.vllm)


@pytest.fixture(scope="session", autouse=True)
def _no_outside_connections() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_record_too() -> Iterator[None]:
    """Between transactional tests Django empties every table, and the database refuses that of the record."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def lifting(operations: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with append_only_lifted(operations.connection):
            flush(operations, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", lifting)
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an empty PostgreSQL database; its user may create more."""
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Valkey server, for the broker."""
    with valkey.running() as url:
        yield url


@pytest.fixture(scope="session")
def qdrant_server() -> Iterator[QdrantServer]:
    """A Qdrant server: `.url`, `.grpc_port`, `.api_key`."""
    with qdrant.running() as server:
        yield server


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Folder with the verified weights of `weights.CHAT` and `weights.EMBEDDING`."""
    return weights.ensure()


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser's program."""
    return chromium.ensure()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium_path: Path) -> dict[str, Any]:
    """pytest-playwright's own fixture, pointed at the system's Chromium."""
    return {**browser_type_launch_args, "executable_path": str(chromium_path), "args": chromium.arguments()}
