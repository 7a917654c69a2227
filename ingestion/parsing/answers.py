"""A child's answer, which is the word of a hostile process: read as data, bounded, and checked in every field."""

import base64
import binascii
import os
import re
import stat
from array import array
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, Field, ValidationError

from ingestion.errors import (
    IngestionError,
    PageNotFoundError,
    ParseError,
    ParserCrashedError,
    StorageFullError,
    TooMuchTextError,
)
from ingestion.parsing.base import MOST_SECTIONS, Line, ParsedDocument, Section
from ingestion.parsing.child import (
    BOX_UNITS,
    MOST_LINES,
    MOST_NOTE_CHARS,
    MOST_NOTES,
    MOST_PLACE_CHARS,
    MOST_TITLE_CHARS,
    NUMBERS_A_LINE,
)
from ingestion.parsing.dates import in_utc

# UTF-8 takes at most 4 bytes for a character, JSON's escapes of one byte 6.
_BYTES_A_CHAR = 6
# Base64 of a line's numbers, for as many lines as there may be, and everything else.
_LINES_BYTES = MOST_LINES * NUMBERS_A_LINE * 4 * 4 // 3
_OVERHEAD_BYTES = 4 * 1024 * 1024
# Quotes, commas, brackets, a page number, true or false.
_STRUCTURE_BYTES_A_SECTION = 40
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MOST_PAGES = 1_000_000

_Text = Annotated[str, Field(pattern=r"\A[^\x00]*\z")]
_Page = Annotated[int, Field(ge=0, le=_MOST_PAGES)]
_Place = Annotated[_Text, Field(max_length=MOST_PLACE_CHARS)]


class _Failure(BaseModel):
    code: Annotated[str, Field(max_length=40)]
    message: Annotated[str, Field(max_length=1_000)]


class _Document(BaseModel):
    # Text, page, heading, place, whether it is a table, its header, its lines.
    sections: list[tuple[_Text, _Page | None, _Text, _Place, bool, _Text, str]]
    pages: _Page | None
    title: Annotated[_Text, Field(max_length=MOST_TITLE_CHARS)]
    dated: Annotated[str, Field(max_length=40)] | None
    notes: Annotated[list[Annotated[_Text, Field(max_length=MOST_NOTE_CHARS)]], Field(max_length=MOST_NOTES)]


class Answer(BaseModel):
    """What stood in the file; at most one of these."""

    error: _Failure | None = None
    document: _Document | None = None
    members: list[tuple[_Text, _Text]] | None = None


def answer_limit(max_chars: int) -> int:
    """How many bytes an answer with so many characters of text may have."""
    return max_chars * _BYTES_A_CHAR + _LINES_BYTES + _OVERHEAD_BYTES


def read_answer(path: Path, *, limit: int) -> Answer:
    """The answer at `path`. Raises the error that it holds, TooMuchTextError and ParserCrashedError."""
    answer = _loaded(read_bytes(path, limit=limit))
    if answer.error is not None:
        raise _error(answer.error.code)(answer.error.message)
    return answer


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The child may have left anything there: a link, a pipe that nobody writes to, a file without end."""
    with _opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooMuchTextError("the parser's answer is too large")
    return data


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        raise ParserCrashedError("there is no answer") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ParserCrashedError("the answer is no file")
    return os.fdopen(descriptor, "rb")


def document_of(answer: Answer) -> ParsedDocument:
    """Its sections, with every line inside its text. Raises ParserCrashedError and TooMuchTextError."""
    found = answer.document
    if found is None:
        raise ParserCrashedError("the answer is empty")
    if sum(len(lines) for *_, lines in found.sections) > _LINES_BYTES:
        raise TooMuchTextError("too many lines")
    sections = tuple(
        Section(
            text=text,
            page=page,
            heading=heading,
            place=place,
            is_table=is_table,
            header=header,
            lines=tuple(_lines(lines, most=len(text))),
        )
        for text, page, heading, place, is_table, header, lines in found.sections
    )
    dated = _date(found.dated) if found.dated is not None else None
    return ParsedDocument(
        sections=sections, pages=found.pages, title=found.title, dated=dated, notes=tuple(found.notes)
    )


def members_of(answer: Answer, *, folder: Path) -> list[tuple[str, Path]]:
    """What the members are called, and where their bytes are: plain files directly in `folder`, each once.

    Raises ParserCrashedError.
    """
    if answer.members is None:
        raise ParserCrashedError("the answer is empty")
    files = [file for _, file in answer.members]
    if len(set(files)) != len(files) or not all(_is_plain_file(folder, file) for file in files):
        raise ParserCrashedError("a member that is no file of its own")
    return [(name, folder / file) for name, file in answer.members]


def _is_plain_file(folder: Path, name: str) -> bool:
    if name in {"", ".", ".."} or os.sep in name:
        return False
    try:
        found = os.lstat(folder / name)
    except OSError:
        return False
    # A second name for the same bytes could be somebody else's file.
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _loaded(data: bytes) -> Answer:
    # A number or a bracket takes a byte, and as an object dozens: what is not inside strings is counted before.
    if len(_STRINGS.sub(b"", data)) > MOST_SECTIONS * _STRUCTURE_BYTES_A_SECTION:
        raise TooMuchTextError("the parser's answer has too many parts")
    try:
        return Answer.model_validate_json(data, strict=True)
    except ValidationError as exc:
        raise ParserCrashedError("the answer was cut off or has another shape") from exc


def _lines(packed: str, *, most: int) -> Iterator[Line]:
    numbers = array("I")
    try:
        numbers.frombytes(base64.b64decode(packed, validate=True))
    except (binascii.Error, ValueError) as exc:
        raise ParserCrashedError("lines of another shape") from exc
    if len(numbers) % NUMBERS_A_LINE:
        raise ParserCrashedError("a line was cut off")
    for at in range(0, len(numbers), NUMBERS_A_LINE):
        start, end, left, top, right, bottom = numbers[at : at + NUMBERS_A_LINE]
        if not (start < end <= most and left <= right <= BOX_UNITS and top <= bottom <= BOX_UNITS):
            raise ParserCrashedError("a line outside its text or its page")
        yield Line(start, end, left / BOX_UNITS, top / BOX_UNITS, right / BOX_UNITS, bottom / BOX_UNITS)


def _date(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ParserCrashedError("a date of another shape") from exc
    # Files seldom say in which zone they were written.
    moment = in_utc(found)
    if moment is None:
        raise ParserCrashedError("a date that is none")
    return moment


def _error(code: str) -> type[IngestionError]:
    known: list[type[IngestionError]] = [*ParseError.__subclasses__(), StorageFullError, PageNotFoundError]
    return {error.code: error for error in known}.get(code, ParseError)
