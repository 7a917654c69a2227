"""Have a file parsed, unpacked or drawn in a child that can be killed: bounded time, memory and output.

Takes the child's answer for data, never for code. Every way in which a document can fail is a ParseError; a disk
without room is a StorageFullError, which is nobody's fault and passes.
"""

import contextlib
import logging
import math
import signal
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingestion.config import IngestionConfig
from ingestion.errors import (
    NO_ROOM,
    ArchiveLimitError,
    IngestionError,
    NoTextError,
    ParseMemoryError,
    ParserCrashedError,
    ParseTimeoutError,
    StorageFullError,
    TooMuchTextError,
)
from ingestion.parsing import supervision
from ingestion.parsing.answers import answer_limit, document_of, members_of, read_answer, read_bytes
from ingestion.parsing.base import Ocr, ParsedDocument
from ingestion.parsing.jobs import (
    ANSWER,
    FOLDER_PREFIX,
    LOG,
    NO_ROOM_STATUS,
    PICTURE,
    UNPACKED,
    Ended,
    Job,
    Outcome,
    Task,
)
from ingestion.parsing.leftovers import remove_folder
from ingestion.parsing.registry import PARSERS
from ingestion.parsing.sandbox import Limits
from ingestion.parsing.sniff import sniff
from ingestion.parsing.unpack import LIMITS, Member

logger = logging.getLogger(__name__)

_RENDERER = "ingestion.parsing.page_image:render_page"
_RENDER_S = 20.0
_MOST_PICTURE_BYTES = 32 * 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_UNPACKER = "ingestion.parsing.unpack:unpack"
# A name of 255 characters and a number for each member.
_MEMBERS_BYTES = 8 * 1024 * 1024
# Beyond the unpacker's own limits, which say what was wrong.
_SLACK_BYTES = 16 * 1024 * 1024
_LOG_BYTES = 2000
# Text recognition works on two threads; the processor time of both counts.
_PROCESSORS = 2
# Libraries may start one for each processor of a large machine.
_MOST_THREADS = 256
_MOST_FILES = 1_000
# A library that cannot get memory often ends its process instead of saying so.
_NEARLY = 0.75
_ATTEMPTS = 2


def parse_file(
    path: Path,
    *,
    name: str,
    config: IngestionConfig,
    media_type: str | None = None,
    ocr: Ocr = Ocr.AUTO,
    parsers: Mapping[str, str] = PARSERS,
) -> ParsedDocument:
    """The text of the file at `path`; `name` is what the person called it, `media_type` None where not yet known.

    Raises ParseError and StorageFullError. Blocks for about `config.parse_timeout_s` at most.
    """
    media_type = media_type or sniff(path, name=name)
    limits = _limits(config, wall_s=config.parse_timeout_s, file_bytes=answer_limit(config.max_text_chars))
    arguments = {"max_chars": config.max_text_chars, "ocr": ocr.value, "name": name}
    with _done(Task.PARSE, parsers[media_type], path, limits=limits, arguments=arguments) as folder:
        parsed = document_of(read_answer(folder / ANSWER, limit=limits.file_bytes))
    if not parsed.sections:
        raise NoTextError("no text was found")
    return parsed


def unpack_file(path: Path, *, into: Path, config: IngestionConfig) -> tuple[Member, ...]:
    """Unpack the archive at `path` into files directly in the folder `into`, which exists.

    Raises ParseError (ArchiveLimitError, EncryptedDocumentError, …) and StorageFullError; nothing is left then.
    """
    limits = replace(
        _limits(config, wall_s=config.parse_timeout_s, file_bytes=LIMITS.unpacked_bytes + _SLACK_BYTES),
        folder_bytes=LIMITS.unpacked_bytes + _SLACK_BYTES,
        folder_files=LIMITS.entries + _MOST_FILES,
    )
    with _done(Task.UNPACK, _UNPACKER, path, limits=limits, arguments={}, within=into) as folder:
        answer = read_answer(folder / ANSWER, limit=_MEMBERS_BYTES)
        found = members_of(answer, folder=folder / UNPACKED)
        if sum(file.stat().st_size for _, file in found) > LIMITS.unpacked_bytes or len(found) > LIMITS.entries:
            raise ArchiveLimitError("unpacks to too much")
        return tuple(Member(name=name, file=file.rename(into / file.name).name) for name, file in found)


def render_page(path: Path, *, page: int, width: int, config: IngestionConfig) -> bytes:
    """The page (from 1) of the PDF or image at `path` as a PNG of `width` pixels.

    Raises PageNotFoundError, ParseError and StorageFullError. Blocks for about 20 s at most.
    """
    limits = _limits(config, wall_s=_RENDER_S, file_bytes=_MOST_PICTURE_BYTES)
    arguments = {"page": page, "width": width}
    with _done(Task.RENDER, _RENDERER, path, limits=limits, arguments=arguments) as folder:
        read_answer(folder / ANSWER, limit=answer_limit(0))
        picture = read_bytes(folder / PICTURE, limit=limits.file_bytes)
    if not picture.startswith(_PNG):
        raise ParserCrashedError("the picture is no PNG")
    return picture


def _limits(config: IngestionConfig, *, wall_s: float, file_bytes: int) -> Limits:
    return Limits(
        memory_bytes=config.parse_memory_bytes,
        wall_s=wall_s,
        cpu_s=math.ceil(wall_s * _PROCESSORS) + 1,
        file_bytes=file_bytes,
        folder_bytes=2 * file_bytes,
        folder_files=_MOST_FILES,
        threads=_MOST_THREADS,
    )


@contextlib.contextmanager
def _done(
    task: Task,
    target: str,
    path: Path,
    *,
    limits: Limits,
    arguments: dict[str, Any],
    within: Path | None = None,
) -> Iterator[Path]:
    """Have it done, and give the folder that the child has left, which is gone afterwards.

    A fork server that dies takes its children with it; that is not the file's doing, so it is tried once more.
    """
    with contextlib.ExitStack() as held, _temporary_folder(within) as parent:
        for attempt in range(_ATTEMPTS):
            folder = parent / str(attempt)
            job = Job(task, target, path.resolve(), folder, limits=limits, arguments=arguments)
            try:
                with _full_disk_told():
                    folder.mkdir(mode=0o700, parents=True)
                outcome = supervision.run(job, held=held)
            except supervision.ServerLostError as exc:
                logger.warning("The parsing server was lost at attempt %d: %s.", attempt + 1, exc)
            else:
                _check(outcome, task=task, limits=limits, log=folder / LOG)
                yield folder
                return
        raise ParserCrashedError("the parsing server was lost at every attempt")


@contextlib.contextmanager
def _temporary_folder(within: Path | None) -> Iterator[Path]:
    with _full_disk_told():
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=within)).resolve()
    try:
        yield folder
    finally:
        remove_folder(folder)


@contextlib.contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_ROOM:
            raise StorageFullError("no room for the parser's temporary files") from exc
        raise


def _check(outcome: Outcome, *, task: Task, limits: Limits, log: Path) -> None:
    """Raise what became of a child that did not end well."""
    match outcome.ended:
        case Ended.TIME:
            raise ParseTimeoutError(f"took longer than {limits.wall_s:g} s")
        case Ended.MEMORY:
            raise ParseMemoryError(f"took {outcome.peak_bytes} bytes of memory")
        case Ended.FOLDER:
            error = ArchiveLimitError if task is Task.UNPACK else TooMuchTextError
            raise error("wrote more files, or larger ones, than may be")
        case Ended.THREADS:
            raise ParserCrashedError("started too many threads")
    if outcome.status == -signal.SIGXCPU:
        raise ParseTimeoutError(f"used more than {limits.cpu_s} s of processor time")
    # SIGKILL that nobody here has sent is the machine's, out of memory.
    if outcome.status < 0 and outcome.peak_bytes > limits.memory_bytes * _NEARLY:
        raise ParseMemoryError(f"died with {outcome.peak_bytes} bytes of memory")
    if outcome.status == NO_ROOM_STATUS:
        raise StorageFullError("no room for the parser's temporary files")
    if outcome.status != 0:
        raise ParserCrashedError(f"exit status {outcome.status}: {_tail(log)}")


def _tail(log: Path) -> str:
    try:
        data = read_bytes(log, limit=max(_LOG_BYTES, log.lstat().st_size))
    except (OSError, IngestionError):
        return ""
    return data[-_LOG_BYTES:].decode("utf-8", errors="replace").strip()
