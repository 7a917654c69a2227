"""The ports for the chunk index and its generations. It is derived from SQL and can be rebuilt from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Vector
from ingestion.index.languages import ENGLISH

SCHEMA_VERSION = 3
DENSE_WEIGHT = 0.75


@dataclass(frozen=True)
class Attributes:
    """What every point of a document's version carries, and what a search can be limited to.

    `label` is the sensitivity 0..3; `language` an ISO 639-1 code or ''; `dated` when the content was last changed.
    """

    document_id: str
    version: int
    collection_id: str
    label: int
    media_type: str = ""
    language: str = ""
    dated: datetime | None = None


@dataclass(frozen=True)
class IndexedChunk:
    """One point: `chunk_id` is a UUID string, deterministic per document, version and ordinal."""

    chunk_id: str
    text: str
    vector: Vector
    attributes: Attributes


@dataclass(frozen=True)
class IndexedPoint:
    """A point as the index holds it, without its vectors."""

    chunk_id: str
    attributes: Attributes


@dataclass(frozen=True)
class Conditions:
    """What a search is limited to besides the scope. An empty set limits nothing; `since` and `until` are inclusive.

    A chunk whose document has no date is outside every range of dates.
    """

    document_ids: frozenset[str] = frozenset()
    media_types: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None


NO_CONDITIONS = Conditions()


@dataclass(frozen=True)
class IndexQuery:
    """A question as both arms of the search want it.

    `earlier` is the question before it, whose words count less. `dense_weight` is the cosine's share of a hit's score:
    1 is dense alone, 0 is BM25 alone.
    """

    text: str
    vector: Vector
    earlier: str = ""
    dense_weight: float = DENSE_WEIGHT


@dataclass(frozen=True)
class Hit:
    """A found chunk. `score` is the fused score in 0..1; `dense` is the cosine, `sparse` the raw BM25 score.

    Both arms score every hit, whichever found it; `sparse` is None where no word of the question is in the chunk,
    `dense` where the question has no vector. `literal` is how much of what the question asks for literally, which are
    identifiers and quoted phrases, is in the chunk, against the best one; None where it is none of it.
    """

    chunk_id: str
    document_id: str
    score: float
    dense: float | None = None
    sparse: float | None = None
    literal: float | None = None


@dataclass(frozen=True)
class IndexIdentity:
    """What an index was built with; another identity must not be mixed in. `language` is of BM25's stems."""

    embedding_model: str
    dimension: int
    schema_version: int = field(default=SCHEMA_VERSION)
    language: str = ENGLISH


class ChunkIndex(Protocol):
    """Dense and BM25 search over chunks, always within a scope."""

    identity: IndexIdentity

    def upsert(self, chunks: Sequence[IndexedChunk]) -> None:
        """Write the chunks; on return they are searchable and durable. Same id replaces."""
        ...

    def search(
        self, query: IndexQuery, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS
    ) -> list[Hit]:
        """The best chunks within `scope`, best first. An empty scope returns [] without asking the index."""
        ...

    def delete_document(self, document_id: str, *, except_version: int | None = None) -> None:
        """Remove every point of the document, or those of every other version. No such document is no error."""
        ...

    def delete_points(self, chunk_ids: Sequence[str]) -> None:
        """Remove the points. One that is not there is no error."""
        ...

    def set_attributes(self, attributes: Attributes) -> None:
        """Replace what the points of this document and version carry."""
        ...

    def points(self) -> Iterator[IndexedPoint]:
        """Every point, in the order of their ids, a page at a time; for maintenance, never for an answer."""
        ...

    def count(self, *, document_id: str | None = None) -> int:
        """Exact number of points, of one document or of all."""
        ...

    def close(self) -> None:
        """Flush and release; the index is not used after."""
        ...


class IndexCatalog(Protocol):
    """The generations of the index: one is live, others are being built or kept to go back to.

    A generation is a physical index with a name of its own, such as 'chunks_all-minilm-l6-v2_384_v2_g3'. The live
    one of an identity is what its alias points to; moving the alias is one atomic step, and searches that run
    meanwhile see the one or the other, never none.
    """

    def live(self, identity: IndexIdentity) -> str | None:
        """The name of the live generation of this identity, or None."""
        ...

    def generations(self) -> dict[str, IndexIdentity]:
        """Every generation that is there, whole or half built, with what it was built for."""
        ...

    def create(self, identity: IndexIdentity) -> str:
        """A new, empty generation that is not live; its name."""
        ...

    def open(self, name: str) -> ChunkIndex:
        """A generation, live or not. Raises IndexUnavailableError where there is none of that name."""
        ...

    def switch(self, name: str) -> None:
        """Make the generation the live one of its identity, atomically and durably."""
        ...

    def retire(self, identity: IndexIdentity) -> None:
        """No generation of this identity is live any more. Where none was, it is no error."""
        ...

    def drop(self, name: str) -> None:
        """Remove a generation and its bytes. Raises IndexInUseError for a live one. None of that name is no error."""
        ...

    def close(self) -> None:
        """Release every open generation."""
        ...
