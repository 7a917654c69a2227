"""A file to chunks with vectors: parse, chunk, embed. Blocking; knows no database, no queue and no index."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ingestion.chunking import ChunkText, chunk
from ingestion.config import IngestionConfig
from ingestion.embedding.base import Embedder, Vector
from ingestion.errors import NoTextError
from ingestion.parsing.runner import parse_file
from ingestion.parsing.sniff import sniff

# Between batches an answer may take the processor; with MiniLM on one thread a batch is about a second.
_BATCH = 32
# A long heading must not push the passage out of what the model reads.
_MOST_PREFIX_CHARS = 160


class Step(StrEnum):
    """What `prepare` is about to do."""

    PARSING = "parsing"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"


@dataclass(frozen=True)
class PreparedChunk:
    """A passage ready for the index. `search_text` is what both arms of the search are built from."""

    ordinal: int
    text: str
    page: int | None
    heading: str
    start: int
    end: int
    search_text: str
    vector: Vector


@dataclass(frozen=True)
class PreparedDocument:
    """There is at least one chunk. `pages` is None where the format has none."""

    chunks: tuple[PreparedChunk, ...]
    pages: int | None
    media_type: str
    title: str


def prepare(
    path: Path,
    *,
    name: str,
    title: str = "",
    config: IngestionConfig,
    embedder: Embedder,
    on_step: Callable[[Step], None],
    wait_turn: Callable[[], None] = lambda: None,
) -> PreparedDocument:
    """Read the file at `path`, called `name` by the person; `title`, where given, wins over the file's own.

    `on_step` hears each step as it begins; `wait_turn` is called before each batch of embeddings and may block.
    Raises ParseError (NoTextError where there is nothing to find) and EmbedderUnavailableError.
    """
    on_step(Step.PARSING)
    media_type = sniff(path, name=name)
    parsed = parse_file(path, name=name, config=config)
    title = title or parsed.title or Path(name).stem
    on_step(Step.CHUNKING)
    texts = chunk(
        parsed,
        tokens=config.chunk_tokens,
        overlap=config.chunk_overlap_tokens,
        count_tokens=embedder.count_tokens,
    )
    if not texts:
        raise NoTextError("no text was found")
    on_step(Step.EMBEDDING)
    vectors = _vectors(texts, title=title, embedder=embedder, wait_turn=wait_turn)
    chunks = tuple(_prepared(each, title=title, vector=vector) for each, vector in zip(texts, vectors, strict=True))
    return PreparedDocument(chunks=chunks, pages=parsed.pages, media_type=media_type, title=title)


def embedded_text(title: str, heading: str, text: str) -> str:
    """What is embedded and searched for a chunk: where it stands, then what it says."""
    place = " > ".join(part for part in (title, heading) if part)
    return f"{place[:_MOST_PREFIX_CHARS]}\n{text}" if place else text


def _vectors(
    texts: Sequence[ChunkText], *, title: str, embedder: Embedder, wait_turn: Callable[[], None]
) -> Iterator[Vector]:
    for start in range(0, len(texts), _BATCH):
        batch = [embedded_text(title, each.heading, each.text) for each in texts[start : start + _BATCH]]
        wait_turn()
        yield from embedder.embed_documents(batch)


def _prepared(text: ChunkText, *, title: str, vector: Vector) -> PreparedChunk:
    return PreparedChunk(
        ordinal=text.ordinal,
        text=text.text,
        page=text.page,
        heading=text.heading,
        start=text.start,
        end=text.end,
        search_text=embedded_text(title, text.heading, text.text),
        vector=vector,
    )
