"""The generations of the index on a Qdrant server; without a URL, in memory, for tests.

| there | here |
|---|---|
| a collection, chunks_<model>_<dimension>_v<schema>_g<n> | a generation; what it was built for is its metadata |
| an alias, the same without _g<n> | which generation of an identity is live |

Connects on first use: the application starts, and says so, while Qdrant is down.
"""

from dataclasses import asdict

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from ingestion.errors import IndexInUseError, IndexMismatchError, IndexUnavailableError
from ingestion.index.base import IndexIdentity
from ingestion.index.fusion import Arm
from ingestion.index.payload import (
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    SCOPE_FIELD,
    alias_of,
    checked_name,
    generation_name,
    identity_in,
    identity_of,
    next_number,
)
from ingestion.index.qdrant import Connection, QdrantIndex

_CONFLICT = 409
_NOT_FOUND = 404
_OURS = "chunks_"
# The server marks what is deleted, and rewrites a segment once so much of it is. Its own figures are a fifth and
# 1,000 points; these are the least that it takes, so that a deletion reaches the disk soon. Its write-ahead log still
# has the vectors: only dropping the generation removes the bytes.
_VACUUM_SHARE = 0.1
_VACUUM_FROM = 100
# Vectors of a segment, of which there are about half as many as cores. Below it search is exact: 100,000 chunks of
# 384 dimensions on 2 cores, as fast as needed, while the server's own 10,000 doubles what building costs, and the
# graph's building competes with searches.
_GRAPH_FROM_KB = 100_000


class QdrantCatalog:
    """IndexCatalog over qdrant-client. Nothing is asked of the server until a method is called."""

    def __init__(self, *, url: str = "", api_key: str = "") -> None:
        self._server = Connection(url=url, api_key=api_key)

    def live(self, identity: IndexIdentity) -> str | None:
        """The live generation. Raises IndexMismatchError where another model's name comes to the same alias."""
        name = self._aliases().get(alias_of(identity))
        if name is not None and (built := self._identity(name)) != identity:
            raise IndexMismatchError(f"{name} was built with {built}, asked for with {identity}")
        return name

    def generations(self) -> dict[str, IndexIdentity]:
        """Those on the server, also of another schema; collections of somebody else are left out."""
        found = {name: self._built_for(name) for name in sorted(self._names())}
        return {name: identity for name, identity in found.items() if identity is not None}

    def create(self, identity: IndexIdentity) -> str:
        """A new, empty generation; where another process takes the number first, the next one."""
        while True:
            name = generation_name(identity, number=next_number(identity, names=self._names()))
            if self._create(name, identity=identity):
                self._index_fields(name)
                return name

    def open(self, name: str) -> QdrantIndex:
        """The generation, bound by its own name: what is live later does not concern it."""
        return QdrantIndex(
            self._server,
            name=name,
            identity=self._identity(checked_name(name)),
        )

    def switch(self, name: str) -> None:
        """Move the alias in one request, which the server applies as a whole."""
        alias = alias_of(self._identity(checked_name(name)))
        # Again, as the process that made it may have died in between.
        self._index_fields(name)
        actions: list[models.AliasOperations] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias),
            ),
        ]
        self._server.call(lambda client: client.update_collection_aliases(actions))

    def retire(self, identity: IndexIdentity) -> None:
        """Delete the alias."""
        delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias_of(identity)))
        self._server.call(lambda client: client.update_collection_aliases([delete]))

    def drop(self, name: str) -> None:
        """Delete the collection and its files. Raises IndexInUseError where an alias points to it."""
        if name in self._aliases().values():
            raise IndexInUseError(f"{name} is live")
        self._server.call(lambda client: client.delete_collection(checked_name(name)))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _aliases(self) -> dict[str, str]:
        found = self._server.call(lambda client: client.get_aliases()).aliases
        return {each.alias_name: each.collection_name for each in found}

    def _names(self) -> set[str]:
        found = self._server.call(lambda client: client.get_collections()).collections
        return {each.name for each in found if each.name.startswith(_OURS)}

    def _identity(self, name: str) -> IndexIdentity:
        return identity_of(name, record=self._record(name))

    def _built_for(self, name: str) -> IndexIdentity | None:
        try:
            return identity_in(self._record(name))
        except IndexUnavailableError as exc:
            # Dropped by another process since the names were listed.
            if _status(exc) == _NOT_FOUND:
                return None
            raise

    def _record(self, name: str) -> object:
        return self._server.call(lambda client: client.get_collection(name)).config.metadata

    def _create(self, name: str, *, identity: IndexIdentity) -> bool:
        """False where there is one of this name already. Never repeated: a second try would hide the first."""
        try:
            return self._server.call_once(lambda client: _create_collection(client, name=name, identity=identity))
        except IndexUnavailableError as exc:
            if _status(exc) == _CONFLICT:
                return False
            raise

    def _index_fields(self, name: str) -> None:
        """So that a search is as fast with limits as without. A field that is indexed already stays as it is."""
        if self._server.in_memory:
            return
        schemas: dict[str, models.PayloadFieldSchema] = {
            SCOPE_FIELD: models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
            **dict.fromkeys(KEYWORD_FIELDS, models.PayloadSchemaType.KEYWORD),
            **dict.fromkeys(INTEGER_FIELDS, models.PayloadSchemaType.INTEGER),
        }
        for field, schema in schemas.items():
            self._index_field(name, field=field, schema=schema)

    def _index_field(self, name: str, *, field: str, schema: models.PayloadFieldSchema) -> None:
        self._server.call(lambda client: client.create_payload_index(name, field, field_schema=schema, wait=True))


def _status(exc: IndexUnavailableError) -> int | None:
    return exc.__cause__.status_code if isinstance(exc.__cause__, UnexpectedResponse) else None


def _create_collection(client: QdrantClient, *, name: str, identity: IndexIdentity) -> bool:
    return client.create_collection(
        name,
        vectors_config={Arm.DENSE.value: models.VectorParams(size=identity.dimension, distance=models.Distance.COSINE)},
        sparse_vectors_config={
            arm.value: models.SparseVectorParams(modifier=models.Modifier.IDF) for arm in (Arm.SPARSE, Arm.LITERAL)
        },
        optimizers_config=models.OptimizersConfigDiff(
            deleted_threshold=_VACUUM_SHARE,
            vacuum_min_vector_number=_VACUUM_FROM,
            indexing_threshold=_GRAPH_FROM_KB,
        ),
        metadata=asdict(identity),
    )
