"""The port for the chunk index. It is derived from SQL and can be rebuilt from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingestion.access import AccessScope
from ingestion.embedding.base import Vector


@dataclass(frozen=True)
class IndexedChunk:
    """One point: `chunk_id` is a UUID string, deterministic per document, version and ordinal."""

    chunk_id: str
    document_id: str
    collection_id: str
    text: str
    vector: Vector


@dataclass(frozen=True)
class IndexQuery:
    """A question as both arms of the search want it."""

    text: str
    vector: Vector


@dataclass(frozen=True)
class Hit:
    """A found chunk. `score` is the fused score in 0..1; `dense` is the cosine, `sparse` the raw BM25 score.

    Both arms score every hit, whichever found it; `sparse` is None where no word of the question is in the chunk,
    `dense` where the question has no vector.
    """

    chunk_id: str
    document_id: str
    score: float
    dense: float | None = None
    sparse: float | None = None


@dataclass(frozen=True)
class IndexIdentity:
    """What an index was built with; another identity must not be mixed in."""

    embedding_model: str
    dimension: int
    schema_version: int = field(default=1)


class ChunkIndex(Protocol):
    """Dense and BM25 search over chunks, always within a scope."""

    identity: IndexIdentity

    def upsert(self, chunks: Sequence[IndexedChunk]) -> None:
        """Write the chunks; on return they are searchable and durable. Same id replaces."""
        ...

    def search(self, query: IndexQuery, *, scope: AccessScope, limit: int) -> list[Hit]:
        """The best chunks within `scope`, best first. An empty scope returns [] without asking the index."""
        ...

    def delete_document(self, document_id: str) -> None:
        """Remove every point of the document. No such document is no error."""
        ...

    def count(self, *, document_id: str | None = None) -> int:
        """Exact number of points, of one document or of all."""
        ...

    def close(self) -> None:
        """Flush and release; the index is not used after."""
        ...
