"""The real parts start, answer only to their key, and stop."""

import asyncio
import socket
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.loopback_only import OutsideConnectionError
from tests.provision import valkey
from tests.provision.missing import ServiceFailedError
from tests.provision.qdrant import QdrantServer
from tests.provision.service import Service, free_port, listens

OUTSIDE = "192.0.2.1"  # TEST-NET-1 of RFC 5737: nobody's address


def test_postgres_answers_to_its_password_alone(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("ragapp",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_url.replace("ragapp:", "ragapp:not-"))


def test_valkey_answers_to_its_password_alone(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_qdrant_answers_to_its_key_alone(qdrant_server: QdrantServer) -> None:
    with httpx.Client(base_url=qdrant_server.url, trust_env=False) as client:
        assert client.get("/collections", headers={"api-key": qdrant_server.api_key}).is_success
        assert client.get("/collections").status_code == 401


def test_a_service_stops_with_its_block() -> None:
    with valkey.running() as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        assert listens(port)
    assert not listens(port)


def test_a_service_that_ends_at_once_says_what_it_wrote(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such disk; exit 3"]
    with (
        pytest.raises(ServiceFailedError, match="no such disk"),
        Service(command, tmp_path, lambda: False),
    ):
        pass


def test_a_connection_that_leaves_this_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(OutsideConnectionError):
        client.connect((OUTSIDE, 443))


def test_a_name_look_up_that_leaves_this_machine_is_refused() -> None:
    with pytest.raises(OutsideConnectionError):
        socket.getaddrinfo("models.example", 443)


async def test_an_async_connection_is_refused_too() -> None:
    with pytest.raises(OutsideConnectionError):
        await asyncio.open_connection(OUTSIDE, 443)


def test_loopback_is_within_reach() -> None:
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", free_port())) != 0
