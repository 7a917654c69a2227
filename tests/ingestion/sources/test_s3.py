"""A bucket against a real S3 server that checks signatures."""

import io
import logging
import socket
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from ingestion.errors import (
    SourceDeniedError,
    SourceEndpointError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceMissingError,
    SourceUnreachableError,
)
from ingestion.models import Document, DocumentState
from ingestion.services import collection_create
from ingestion.sources import sync
from ingestion.sources.base import Connector, Item
from ingestion.sources.config import SourcesConfig, endpoint_of
from ingestion.sources.models import RunOutcome, Source
from ingestion.sources.s3 import S3, S3Settings
from ingestion.sources.services import source_create, source_run_now
from tests.ingestion.sources.s3_server import S3Server, running
from tests.ingestion.sources.web_server import Answer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running() as started:
        yield started


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    name = f"docs-{abs(hash(request.node.name)):x}"
    server.client.make_bucket(name)
    return name


def put(server: S3Server, bucket: str, key: str, content: bytes = b"text") -> None:
    server.client.put_object(bucket, key, io.BytesIO(content), len(content))


def values(server: S3Server, bucket: str, **changes: str) -> dict[str, str]:
    found = {"endpoint": server.url, "bucket": bucket, "access_key": server.access_key, "secret_key": server.secret_key}
    return found | changes


def connector(server: S3Server, bucket: str, **changes: str) -> Connector:
    settings = S3Settings.model_validate(values(server, bucket, **changes))
    return S3.connect(settings, SourcesConfig(s3_endpoints=(server.url, settings.endpoint)))


def test_objects_below_the_prefix_come_with_name_size_and_mark(server: S3Server, bucket: str) -> None:
    for key in ("hr/leave policy.txt", "hr/deep/größe.md", "hr/", "other/x.txt"):
        put(server, bucket, key, b"" if key.endswith("/") else key.encode())
    found = connector(server, bucket, prefix="hr/")
    items = {item.key: item for item in found.items()}
    assert set(items) == {"hr/leave policy.txt", "hr/deep/größe.md"}
    item = items["hr/deep/größe.md"]
    assert (item.name, item.size, item.settled) == ("größe.md", len("hr/deep/größe.md".encode()), True)
    assert b"".join(found.content(item)) == "hr/deep/größe.md".encode()


def test_more_than_a_page_of_objects_is_listed_whole(server: S3Server, bucket: str) -> None:
    for number in range(1_005):
        put(server, bucket, f"{number}.txt", b"x")
    assert len({item.key for item in connector(server, bucket).items()}) == 1_005


def test_an_object_that_changed_or_went_since_it_was_listed_is_not_taken(server: S3Server, bucket: str) -> None:
    put(server, bucket, "a.txt", b"one")
    found = connector(server, bucket)
    item = next(found.items())
    put(server, bucket, "a.txt", b"two")
    assert next(found.items()).fingerprint != item.fingerprint
    with pytest.raises(SourceItemBusyError):
        list(found.content(item))
    server.client.remove_object(bucket, "a.txt")
    with pytest.raises(SourceItemGoneError):
        list(found.content(item))


def test_wrong_keys_and_missing_buckets_are_told_apart(server: S3Server, bucket: str) -> None:
    for changes in ({"secret_key": "wrong"}, {"access_key": "AKIAIOSFODNN7EXAMPLE"}):
        with pytest.raises(SourceDeniedError):
            list(connector(server, bucket, **changes).items())
    with pytest.raises(SourceMissingError):
        list(connector(server, "no-such-bucket").items())


def test_a_server_that_is_away_is_unreachable(server: S3Server, bucket: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = connector(server, bucket, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(SourceUnreachableError):
            list(found.items())


def test_no_redirect_is_followed_with_the_keys_in_hand(server: S3Server, bucket: str) -> None:
    with serving() as first, serving() as bait:
        for path in (f"/{bucket}/a.txt", f"/{bucket}?delimiter=&encoding-type=url&list-type=2&max-keys=1000&prefix="):
            first.answers[path] = Answer(status=307, headers={"Location": bait.url(host="127.0.0.1")})
        found = connector(server, bucket, endpoint=first.url("", host="127.0.0.1"))
        with pytest.raises(SourceUnreachableError):
            list(found.items())
        with pytest.raises(SourceUnreachableError):
            list(found.content(Item(key="a.txt", name="a.txt", fingerprint="x-1")))
        assert first.connections > 0
        assert bait.connections == 0


def test_only_servers_of_the_configuration_are_reached(server: S3Server) -> None:
    settings = S3Settings.model_validate(values(server, "docs"))
    for allowed in ((), ("http://127.0.0.1:1",), (server.url.replace("http", "https"),)):
        with pytest.raises(SourceEndpointError):
            S3.connect(settings, SourcesConfig(s3_endpoints=allowed))


def test_an_endpoint_has_one_form() -> None:
    assert endpoint_of(" HTTPS://Storage.example.com:443/ ") == "https://storage.example.com"
    assert endpoint_of("http://[::1]:9000") == "http://[::1]:9000"
    for text in ("", "storage:9000", "ftp://a", "http://a/b", "http://a?x", "http://u:p@a", "http://a:x", "http://"):
        assert endpoint_of(text) == ""


@pytest.mark.django_db
def test_a_bucket_is_kept_in_step_and_its_keys_are_kept_out_of_sight(
    server: S3Server,
    bucket: str,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.SOURCES = SourcesConfig(s3_endpoints=(server.url,))
    caplog.set_level(logging.DEBUG)
    for name in ("a", "b", "c"):
        put(server, bucket, f"{name}.txt", name.encode())
    source = source_create(
        name="Bucket",
        kind="s3",
        collection=collection_create(name="HR"),
        values=values(server, bucket),
        interval_s=0,
        created_by=None,
    )
    assert sync.run(source.pk).added == 3  # type: ignore[union-attr]
    put(server, bucket, "a.txt", b"changed")
    server.client.remove_object(bucket, "b.txt")
    source_run_now(source)
    record = sync.run(source.pk)
    assert record
    assert (record.changed, record.removed, record.unchanged) == (1, 1, 1)
    assert Document.objects.exclude(state=DocumentState.DELETING).count() == 2
    server.client.remove_object(bucket, "a.txt")
    server.client.remove_object(bucket, "c.txt")
    source_run_now(source)
    assert sync.run(source.pk).outcome == RunOutcome.UNCONFIRMED  # type: ignore[union-attr]
    stored = Source.objects.values().get()
    for secret in (server.secret_key, server.access_key):
        assert secret not in str(stored)
        assert secret not in caplog.text
