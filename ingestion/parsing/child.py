"""The parsing child, from the fork on: limits itself, does one job, writes JSON, and ends.

Anything that goes wrong is an answer: {"error": {"code", "message"}}. Only a crash gives none.
"""

import base64
import errno
import json
import math
import os
import sys
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from ingestion.errors import (
    NO_ROOM,
    DamagedDocumentError,
    IngestionError,
    NoTextError,
    PageNotFoundError,
    ParseError,
    ParseMemoryError,
    StorageFullError,
    TooMuchTextError,
)
from ingestion.parsing import sandbox
from ingestion.parsing.base import MOST_SECTIONS, Line, Ocr, ParsedDocument, ParseOptions, Parser, Section
from ingestion.parsing.jobs import ANSWER, LOG, NO_ROOM_STATUS, PICTURE, UNPACKED, Job, Task
from ingestion.parsing.registry import loaded

# Bounds of an answer, which the parent checks again.
MOST_LINES = 200_000
MOST_NOTES, MOST_NOTE_CHARS = 50, 300
MOST_TITLE_CHARS = 500
MOST_PLACE_CHARS = 300
# A box is in whole ten-thousandths of its page: a tenth of a point on A4.
BOX_UNITS = 10_000
NUMBERS_A_LINE = 6
_MOST_MESSAGE_CHARS = 500


def run(job: Job) -> NoReturn:
    """Do the job in this process, which the fork server has just forked, and end it."""
    try:
        os.chdir(job.folder)
        _log_to(job.folder / LOG)
        os.environ.update(HOME=str(job.folder), TMPDIR=str(job.folder))
        _write(job.folder / ANSWER, _answer(job))
        sys.stderr.flush()
    except OSError as exc:
        if not isinstance(_of_storage(exc), StorageFullError):
            raise
        os._exit(NO_ROOM_STATUS)
    os._exit(0)


def _write(path: Path, answer: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8", errors="replace")
    except (OSError, MemoryError) as exc:
        # Perhaps there is room for the error.
        path.write_text(json.dumps(_error(_of_storage(exc) or exc)), encoding="utf-8")


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, sys.stderr.fileno())
    os.close(log)


def _answer(job: Job) -> dict[str, Any]:
    # Our own code, loaded before the sandbox closes: what cannot be loaded is no fault of the file.
    target = loaded(job.target)
    sandbox.enter(limits=job.limits, file=job.file, folder=job.folder)
    try:
        return _DOING[job.task](job, target)
    except Exception as exc:
        return _error(_of_storage(exc) or exc)


def _parse(job: Job, target: Any) -> dict[str, Any]:
    max_chars = int(job.arguments["max_chars"])
    options = ParseOptions(max_chars=max_chars, ocr=Ocr(job.arguments["ocr"]), name=job.arguments["name"])
    parser: Parser = target(options)
    parsed = parser.parse(job.file)
    _check(parsed, max_chars=max_chars)
    return {"document": _as_json(parsed)}


def _unpack(job: Job, target: Any) -> dict[str, Any]:
    into = job.folder / UNPACKED
    into.mkdir()
    members = target(job.file, into, **job.arguments)
    return {"members": [[_plain(each.name), os.path.relpath(into / each.file, into)] for each in members]}


def _render(job: Job, target: Any) -> dict[str, Any]:
    picture = target(job.file, page=job.arguments["page"], width=job.arguments["width"])
    (job.folder / PICTURE).write_bytes(picture)
    return {"picture": True}


_DOING = {Task.PARSE: _parse, Task.UNPACK: _unpack, Task.RENDER: _render}


def _check(parsed: ParsedDocument, *, max_chars: int) -> None:
    sections = parsed.sections
    if sum(len(section.text) for section in sections) > max_chars:
        raise TooMuchTextError(f"more than {max_chars} characters")
    around = sum(len(section.heading) + len(section.header) for section in sections)
    if len(sections) > MOST_SECTIONS or around > max_chars:
        raise TooMuchTextError("too many sections or too much in their headings")
    if not any(_says_something(char) for section in sections for char in section.text):
        raise NoTextError("no text was found")


def _says_something(char: str) -> bool:
    """Letters and digits of any script, and pictures: a cell may hold an emoji alone."""
    return char.isalnum() or unicodedata.category(char) == "So"


def _as_json(parsed: ParsedDocument) -> dict[str, Any]:
    left = MOST_LINES
    sections = []
    for section in parsed.sections:
        sections.append(_section(section, lines=section.lines if len(section.lines) <= left else ()))
        left -= len(section.lines)
    notes = [note[:MOST_NOTE_CHARS] for note in parsed.notes]
    if left < 0:
        notes.insert(0, f"Places to highlight were left out after {MOST_LINES} lines.")
    return {
        "sections": sections,
        "pages": parsed.pages,
        "title": _plain(parsed.title)[:MOST_TITLE_CHARS],
        "dated": parsed.dated.isoformat() if parsed.dated else None,
        "notes": notes[:MOST_NOTES],
    }


def _section(section: Section, *, lines: Iterable[Line]) -> list[Any]:
    return [
        _plain(section.text),
        section.page,
        _plain(section.heading),
        _plain(section.place)[:MOST_PLACE_CHARS],
        section.is_table,
        _plain(section.header),
        _packed(lines, most=len(section.text)),
    ]


def _plain(text: str) -> str:
    # No database column takes it; a space keeps the positions of what follows.
    return text.replace("\x00", " ")


def _packed(lines: Iterable[Line], *, most: int) -> str:
    numbers = array("I")
    for line in lines:
        numbers.extend(_numbers(line, most=most))
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _numbers(line: Line, *, most: int) -> Iterator[int]:
    box = (line.left, line.top, line.right, line.bottom)
    if all(math.isfinite(share) for share in box) and 0 <= line.start < line.end <= most:
        left, top, right, bottom = (round(min(1.0, max(0.0, share)) * BOX_UNITS) for share in box)
        yield from (line.start, line.end, min(left, right), min(top, bottom), max(left, right), max(top, bottom))


def _of_storage(error: BaseException) -> IngestionError | None:
    """What the disk or its limit said, however a parser has wrapped it."""
    cause: BaseException | None = error
    for _ in range(20):
        if cause is None:
            return None
        if isinstance(cause, OSError):
            if cause.errno in NO_ROOM:
                return StorageFullError("no room for the parser's temporary files")
            if cause.errno == errno.EFBIG:
                return TooMuchTextError("a temporary file above the limit")
        cause = cause.__cause__ or cause.__context__
    return None


def _error(error: Exception) -> dict[str, Any]:
    known = _translated(error)
    return {"error": {"code": known.code, "message": str(known)[:_MOST_MESSAGE_CHARS]}}


def _translated(error: Exception) -> IngestionError:
    match error:
        case ParseError() | StorageFullError() | PageNotFoundError():
            return error
        case MemoryError():
            return ParseMemoryError("needed more memory than the limit")
        case RecursionError():
            return DamagedDocumentError("nested too deeply")
    # A parser's own exception on a broken file is the file's fault as far as anyone can tell here.
    return DamagedDocumentError(f"{type(error).__name__}: {error}")
