"""An index and its generations in memory: dictionaries with the ports' promises, and a log of what was written."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ingestion.access import AccessScope
from ingestion.errors import IndexInUseError, IndexUnavailableError
from ingestion.index.base import (
    NO_CONDITIONS,
    Attributes,
    Conditions,
    Hit,
    IndexedChunk,
    IndexedPoint,
    IndexIdentity,
    IndexQuery,
)


@dataclass
class MemoryIndex:
    """ChunkIndex by cosine alone. `on_upsert` is called before a write: what happens meanwhile."""

    identity: IndexIdentity
    held: dict[str, IndexedChunk] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    on_upsert: Callable[[], None] = lambda: None

    def upsert(self, chunks: Sequence[IndexedChunk]) -> None:
        self.on_upsert()
        for chunk in chunks:
            self.held[chunk.chunk_id] = chunk
            self.writes.append(chunk.chunk_id)

    def search(
        self, query: IndexQuery, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS
    ) -> list[Hit]:
        among = [
            chunk
            for chunk in self.held.values()
            if chunk.attributes.collection_id in scope.collection_ids
            and (not conditions.document_ids or chunk.attributes.document_id in conditions.document_ids)
        ]
        hits = [
            Hit(chunk.chunk_id, chunk.attributes.document_id, score=score, dense=score)
            for chunk in among
            for score in [_cosine(query.vector, chunk.vector)]
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def delete_document(self, document_id: str, *, except_version: int | None = None) -> None:
        self._keep(lambda one: one.attributes.document_id != document_id or one.attributes.version == except_version)

    def delete_points(self, chunk_ids: Sequence[str]) -> None:
        gone = set(chunk_ids)
        self._keep(lambda one: one.chunk_id not in gone)

    def set_attributes(self, attributes: Attributes) -> None:
        for chunk in list(self.held.values()):
            theirs = chunk.attributes
            if (theirs.document_id, theirs.version) == (attributes.document_id, attributes.version):
                self.held[chunk.chunk_id] = replace(chunk, attributes=attributes)

    def points(self) -> Iterator[IndexedPoint]:
        for key in sorted(self.held):
            if key in self.held:
                yield IndexedPoint(key, self.held[key].attributes)

    def count(self, *, document_id: str | None = None) -> int:
        return sum(document_id in {None, chunk.attributes.document_id} for chunk in self.held.values())

    def close(self) -> None:
        pass

    def _keep(self, wanted: Callable[[IndexedChunk], bool]) -> None:
        self.held = {key: chunk for key, chunk in self.held.items() if wanted(chunk)}


@dataclass
class MemoryCatalog:
    """IndexCatalog of them. `on_switch` is called just after the live one has changed."""

    held: dict[str, MemoryIndex] = field(default_factory=dict)
    aliases: dict[IndexIdentity, str] = field(default_factory=dict)
    made: int = 0
    on_switch: Callable[[], None] = lambda: None

    def live(self, identity: IndexIdentity) -> str | None:
        return self.aliases.get(identity)

    def generations(self) -> dict[str, IndexIdentity]:
        return {name: index.identity for name, index in self.held.items()}

    def create(self, identity: IndexIdentity) -> str:
        self.made += 1
        name = f"chunks_{identity.embedding_model}_g{self.made}"
        self.held[name] = MemoryIndex(identity)
        return name

    def open(self, name: str) -> MemoryIndex:
        if name not in self.held:
            raise IndexUnavailableError(name)
        return self.held[name]

    def switch(self, name: str) -> None:
        self.aliases[self.open(name).identity] = name
        self.on_switch()

    def retire(self, identity: IndexIdentity) -> None:
        self.aliases.pop(identity, None)

    def drop(self, name: str) -> None:
        if name in self.aliases.values():
            raise IndexInUseError(name)
        self.held.pop(name, None)

    def close(self) -> None:
        pass


def _cosine(first: Sequence[float], second: Sequence[float]) -> float:
    lengths = math.hypot(*first) * math.hypot(*second)
    return sum(a * b for a, b in zip(first, second, strict=True)) / lengths if lengths else 0.0
