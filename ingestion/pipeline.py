"""A file to chunks: sniff, parse, cut. Blocking; knows no database, no queue, no model's weights and no index."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingestion.chunking import ChunkText, CountTokens, chunk
from ingestion.config import IngestionConfig
from ingestion.errors import NoTextError
from ingestion.parsing.base import Ocr, ParsedDocument
from ingestion.parsing.language import language_of
from ingestion.parsing.media_types import ZIP
from ingestion.parsing.runner import parse_file, unpack_file
from ingestion.parsing.sniff import sniff
from ingestion.parsing.unpack import Member

# A long heading must not push the passage out of what the model reads.
_MOST_PREFIX_CHARS = 160
# A millisecond for every 700 characters, and right in 99 of 100 passages of that size.
_LANGUAGE_SAMPLE_CHARS = 1_200


@dataclass(frozen=True)
class ReadDocument:
    """What reading a file gave; there is at least one chunk. `language` is ISO 639-1 or ''."""

    chunks: tuple[ChunkText, ...]
    title: str
    media_type: str
    pages: int | None = None
    language: str = ""
    dated: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnpackedArchive:
    """The members of a ZIP; their files lie in `folder`."""

    folder: Path
    members: tuple[Member, ...]


def read(
    path: Path, *, name: str, config: IngestionConfig, count_tokens: CountTokens, ocr: Ocr, unpack_into: Path
) -> ReadDocument | UnpackedArchive:
    """Read the file at `path`, called `name` by the person; a ZIP is unpacked into the folder `unpack_into`.

    Raises ParseError (NoTextError where there is nothing to find) and StorageFullError.
    """
    media_type = sniff(path, name=name)
    if media_type == ZIP:
        unpack_into.mkdir(parents=True, exist_ok=True, mode=0o700)
        return UnpackedArchive(unpack_into, unpack_file(path, into=unpack_into, config=config))
    parsed = parse_file(path, name=name, media_type=media_type, config=config, ocr=ocr)
    chunks = chunk(parsed, tokens=config.chunk_tokens, overlap=config.chunk_overlap_tokens, count_tokens=count_tokens)
    if not chunks:
        raise NoTextError("no text was found")
    return ReadDocument(
        chunks=tuple(chunks),
        title=parsed.title or Path(name).stem,
        media_type=media_type,
        pages=parsed.pages,
        language=language_of(_sample(parsed)),
        dated=parsed.dated,
        notes=parsed.notes,
    )


def embedded_text(title: str, heading: str, text: str) -> str:
    """What is embedded and searched for a chunk: where it stands, then what it says."""
    place = " > ".join(part for part in (title, heading) if part)
    return f"{place[:_MOST_PREFIX_CHARS]}\n{text}" if place else text


def _sample(parsed: ParsedDocument) -> str:
    """From the middle: the first page of many documents is a letterhead."""
    sections = parsed.sections
    middle = len(sections) // 3
    text = ""
    for section in sections[middle:]:
        text += section.text[: _LANGUAGE_SAMPLE_CHARS - len(text)] + "\n"
        if len(text) >= _LANGUAGE_SAMPLE_CHARS:
            break
    return text
