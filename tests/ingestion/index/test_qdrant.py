"""The index on a server: shared by processes, clear about a server that is down, and well again once it is back."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from ingestion.access import AccessScope
from ingestion.errors import IndexMismatchError, IndexUnavailableError
from ingestion.index.base import Attributes, IndexIdentity
from ingestion.index.payload import alias_of
from ingestion.index.qdrant import Connection
from ingestion.index.qdrant_catalog import QdrantCatalog
from tests.ingestion.index.conftest import EMBEDDER, asking, chunk_of
from tests.ingestion.index.test_contract import key, random_chunks
from tests.provision import qdrant
from tests.provision.qdrant import QdrantServer
from tests.provision.service import LOOPBACK, free_port

SCOPE = AccessScope(frozenset({"c"}))
START_S = 60


@contextmanager
def catalog_of(server: QdrantServer) -> Iterator[QdrantCatalog]:
    catalog = QdrantCatalog(url=server.url, api_key=server.api_key)
    yield catalog
    catalog.close()


@pytest.fixture
def catalog(qdrant_server: QdrantServer) -> Iterator[QdrantCatalog]:
    with catalog_of(qdrant_server) as opened:
        yield opened


@pytest.mark.parametrize(
    ("model", "dimension", "expected"),
    [
        ("all-MiniLM-L6-v2", 384, "chunks_all-minilm-l6-v2_384_v3"),
        ("BAAI/bge m3", 1024, "chunks_baai-bge-m3_1024_v3"),
        ("../etc_g1", 4, "chunks_etc-g1_4_v3"),
    ],
)
def test_an_alias_is_named_for_its_identity(model: str, dimension: int, expected: str) -> None:
    assert alias_of(IndexIdentity(embedding_model=model, dimension=dimension)) == expected


def test_two_processes_share_a_generation(
    catalog: QdrantCatalog, qdrant_server: QdrantServer, identity: IndexIdentity
) -> None:
    name = catalog.create(identity)
    catalog.switch(name)
    with catalog_of(qdrant_server) as other:
        assert other.live(identity) == name
        catalog.open(name).upsert([chunk_of(key(1), "annual leave")])
        assert other.open(name).search(asking("annual leave"), scope=SCOPE, limit=1)[0].chunk_id == key(1)


def test_a_collection_of_somebody_else_is_no_generation(catalog: QdrantCatalog, identity: IndexIdentity) -> None:
    name = f"{alias_of(identity)}_g1"
    catalog._server.call(lambda client: client.create_collection(name, vectors_config={}))
    assert name not in catalog.generations()
    with pytest.raises(IndexMismatchError):
        catalog.open(name)
    with pytest.raises(IndexMismatchError):
        catalog.switch(name)


def test_a_collection_that_was_built_for_another_model_is_refused(
    catalog: QdrantCatalog, identity: IndexIdentity
) -> None:
    name = f"{alias_of(identity)}_g1"
    another = asdict(replace(identity, embedding_model="another"))
    catalog._server.call(lambda client: client.create_collection(name, vectors_config={}, metadata=another))
    with pytest.raises(IndexMismatchError, match="another"):
        catalog.open(name)


def test_payload_fields_of_filters_are_indexed(catalog: QdrantCatalog, identity: IndexIdentity) -> None:
    assert _indexed(catalog, catalog.create(identity)) == FIELDS


def test_a_generation_whose_maker_died_is_completed_when_it_goes_live(
    catalog: QdrantCatalog, identity: IndexIdentity
) -> None:
    name = f"{alias_of(identity)}_g1"
    assert catalog._create(name, identity=identity)
    assert _indexed(catalog, name) == {}
    catalog.switch(name)
    assert _indexed(catalog, name) == FIELDS


FIELDS = {
    "collection_id": models.PayloadSchemaType.KEYWORD,
    "document_id": models.PayloadSchemaType.KEYWORD,
    "media_type": models.PayloadSchemaType.KEYWORD,
    "language": models.PayloadSchemaType.KEYWORD,
    "dated": models.PayloadSchemaType.INTEGER,
}


def _indexed(catalog: QdrantCatalog, name: str) -> dict[str, models.PayloadSchemaType]:
    schema = catalog._server.call(lambda client: client.get_collection(name)).payload_schema
    return {field: each.data_type for field, each in schema.items()}


def test_a_number_that_another_process_takes_first_is_left_to_it(
    catalog: QdrantCatalog, identity: IndexIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = catalog.create(identity)
    lists = iter([set(), {first}])
    monkeypatch.setattr(catalog, "_names", lambda: next(lists))
    assert catalog.create(identity) == f"{alias_of(identity)}_g2"


def test_vectors_of_another_dimension_are_unavailable(catalog: QdrantCatalog, identity: IndexIdentity) -> None:
    assert EMBEDDER.dimension != 3
    index = catalog.open(catalog.create(IndexIdentity(identity.embedding_model, 3)))
    with pytest.raises(IndexUnavailableError):
        index.upsert([chunk_of(key(1), "x")])


def test_a_closed_catalog_is_unavailable(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    with catalog_of(qdrant_server) as catalog:
        index = catalog.open(catalog.create(identity))
    with pytest.raises(IndexUnavailableError):
        index.count()


def everything(catalog: QdrantCatalog, identity: IndexIdentity, name: str) -> list[Callable[[], object]]:
    """Each use of a server, of the catalog and of a generation that was opened before."""
    index = catalog.open(name)
    return [
        lambda: catalog.live(identity),
        catalog.generations,
        lambda: catalog.create(identity),
        lambda: catalog.open(name),
        lambda: catalog.switch(name),
        lambda: catalog.drop(f"{name}0"),
        lambda: index.upsert([chunk_of(key(1), "annual leave")]),
        lambda: index.search(asking("leave"), scope=SCOPE, limit=1),
        lambda: index.delete_document("never-seen"),
        lambda: index.delete_points([key(9)]),
        lambda: index.set_attributes(Attributes("never-seen", 1, "c", 0)),
        lambda: list(index.points()),
        index.count,
    ]


def test_wrong_key_is_unavailable(qdrant_server: QdrantServer, identity: IndexIdentity) -> None:
    with catalog_of(replace(qdrant_server, api_key="wrong")) as catalog:
        for use in (lambda: catalog.live(identity), catalog.generations, lambda: catalog.create(identity)):
            with pytest.raises(IndexUnavailableError):
                use()


def test_no_server_is_unavailable_on_use_and_not_before(identity: IndexIdentity) -> None:
    with catalog_of(QdrantServer(url="http://127.0.0.1:9", grpc_port=9, api_key="k")) as catalog:
        for use in (
            lambda: catalog.live(identity),
            catalog.generations,
            lambda: catalog.create(identity),
            lambda: catalog.open(f"{alias_of(identity)}_g1"),
        ):
            with pytest.raises(IndexUnavailableError):
                use()


class Machine:
    """A server of this test's own, on one port and one folder, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.at = QdrantServer(url=f"http://{LOOPBACK}:{free_port()}", grpc_port=free_port(), api_key="k")
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = subprocess.Popen(
            [qdrant.ensure(), "--disable-telemetry"],
            cwd=self._folder,
            env=qdrant._environment(self.at, self._folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not qdrant._is_ready(self.at):
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    own = Machine(tmp_path)
    yield own
    own.kill()


def test_each_use_is_unavailable_while_the_server_is_down_and_works_once_it_is_back(
    machine: Machine, identity: IndexIdentity
) -> None:
    with catalog_of(machine.at) as catalog:
        with pytest.raises(IndexUnavailableError):
            catalog.live(identity)
        machine.start()
        name = catalog.create(identity)
        uses = everything(catalog, identity, name)
        for _ in range(2):
            for use in uses:
                use()
            machine.kill()
            for use in uses:
                with pytest.raises(IndexUnavailableError):
                    use()
            machine.start()
        assert catalog.live(identity) == name
        assert catalog.open(name).count() == 1


def test_a_restart_between_two_uses_is_not_noticed(machine: Machine, identity: IndexIdentity) -> None:
    """The connection that was kept alive is dead by then."""
    machine.start()
    with catalog_of(machine.at) as catalog:
        for use in everything(catalog, identity, catalog.create(identity)):
            use()
            machine.kill()
            machine.start()
            use()


def test_what_was_acknowledged_is_there_after_each_kill_and_each_point_once(
    machine: Machine, identity: IndexIdentity
) -> None:
    machine.start()
    chunks = random_chunks(300)
    with catalog_of(machine.at) as catalog:
        index = catalog.open(catalog.create(identity))
        for end in (100, 200, 300):
            index.upsert(chunks[:end])
            machine.kill()
            with pytest.raises(IndexUnavailableError):
                index.upsert(chunks)
            machine.start()
            assert index.count() == end
        assert [each.chunk_id for each in index.points()] == sorted(each.chunk_id for each in chunks)


@pytest.mark.parametrize(
    ("failure", "times"),
    [
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), 2),
        (httpx.ReadError("reset"), 2),
        (httpx.ConnectError("refused"), 1),
        (httpx.ReadTimeout("too long"), 1),
    ],
)
def test_only_a_dropped_connection_is_asked_twice(failure: Exception, times: int) -> None:
    asked: list[QdrantClient] = []

    def fail(client: QdrantClient) -> None:
        asked.append(client)
        raise ResponseHandlingException(failure)

    server = Connection()
    with pytest.raises(IndexUnavailableError):
        server.call(fail)
    server.close()
    assert len(asked) == times
