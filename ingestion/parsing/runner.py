"""Parse a file in a child process that can be killed: no network, no secrets, bounded time, memory and output.

Takes the child's answer for data, never for code, and gives a ParsedDocument or a ParseError.
"""

import json
import math
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ingestion.config import IngestionConfig
from ingestion.errors import (
    NoTextError,
    ParseError,
    ParserCrashedError,
    ParseTimeoutError,
    TooMuchTextError,
)
from ingestion.parsing.base import MOST_SECTIONS, ParsedDocument, Section
from ingestion.parsing.markdown import split_at_headings
from ingestion.parsing.registry import MARKDOWN_GIVING, PARSERS
from ingestion.parsing.sniff import sniff

_ROOT = Path(__file__).resolve().parent.parent.parent
# UTF-8 takes at most 4 bytes for a character, JSON's escapes of one byte 6; the rest is structure.
_BYTES_A_CHAR = 6
_ANSWER_OVERHEAD_BYTES = 4 * 1024 * 1024
_LOG_BYTES = 2000
# Quotes, commas, brackets and a page number.
_STRUCTURE_BYTES_A_SECTION = 24
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def parse_file(
    path: Path, *, name: str, config: IngestionConfig, parsers: Mapping[str, str] = PARSERS
) -> ParsedDocument:
    """The text of the file at `path`; `name` is what the person called it.

    Every way in which a document can fail is a ParseError. Blocks for at most `config.parse_timeout_s`.
    """
    media_type = sniff(path, name=name)
    with tempfile.TemporaryDirectory(prefix="ragapp-parse-") as folder:
        answer = _run(path.resolve(), parser=parsers[media_type], folder=Path(folder), config=config)
    parsed = _document(answer)
    if media_type in MARKDOWN_GIVING:
        parsed = split_at_headings(parsed)
    if not parsed.sections:
        raise NoTextError("no text was found")
    return parsed


class _Failure(BaseModel):
    code: str
    message: str


class _Document(BaseModel):
    sections: list[tuple[str, int | None, str]]
    pages: int | None
    title: str


class _Answer(BaseModel):
    error: _Failure | None = None
    document: _Document | None = None


def _run(path: Path, *, parser: str, folder: Path, config: IngestionConfig) -> _Answer:
    out, log = folder / "answer.json", folder / "log"
    limit = _output_limit(config)
    with log.open("wb") as errors:
        child = subprocess.Popen(  # noqa: S603 — no shell, and the one foreign argument is a path
            [
                sys.executable,
                "-s",
                "-P",
                "-m",
                "ingestion.parsing.child",
                str(path),
                parser,
                str(out),
                _limits(config),
            ],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    _await(child, timeout_s=config.parse_timeout_s)
    if child.returncode != 0:
        raise ParserCrashedError(f"exit status {child.returncode}: {_tail(log)}")
    return _loaded(_read(out, limit=limit))


def _await(child: subprocess.Popen[bytes], *, timeout_s: float) -> None:
    try:
        child.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise ParseTimeoutError(f"took longer than {timeout_s:g} s") from exc
    finally:
        # Also on a task's time limit or Ctrl-C: whatever interrupts the wait must not leave a child.
        _kill(child)
    if child.returncode == -signal.SIGXCPU:
        raise ParseTimeoutError(f"used more than {timeout_s:g} s of processor time")


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _limits(config: IngestionConfig) -> str:
    return json.dumps(
        {
            "parent_pid": os.getpid(),
            "memory_bytes": config.parse_memory_bytes,
            "cpu_s": math.ceil(config.parse_timeout_s) + 1,
            "output_bytes": _output_limit(config),
            "max_text_chars": config.max_text_chars,
        }
    )


def _output_limit(config: IngestionConfig) -> int:
    return config.max_text_chars * _BYTES_A_CHAR + _ANSWER_OVERHEAD_BYTES


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the parent's environment: it holds keys and passwords."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOT),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # One arena: each further one reserves address space, which RLIMIT_AS counts.
        "MALLOC_ARENA_MAX": "1",
    }


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        return file.read(_LOG_BYTES).decode("utf-8", errors="replace").strip()


def _read(out: Path, *, limit: int) -> bytes:
    """The child may have left anything there: a link, a pipe that nobody writes to, a file without end."""
    try:
        with os.fdopen(os.open(out, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ParserCrashedError("the answer is no file")
            data = file.read(limit + 1)
    except OSError as exc:
        raise ParserCrashedError("there is no answer") from exc
    if len(data) > limit:
        raise TooMuchTextError("the parser's answer is too large")
    return data


def _loaded(data: bytes) -> _Answer:
    # A number or a bracket takes a byte, and as an object dozens: what is not inside strings is counted before.
    if len(_STRINGS.sub(b"", data)) > MOST_SECTIONS * _STRUCTURE_BYTES_A_SECTION:
        raise TooMuchTextError("the parser's answer has too many parts")
    try:
        return _Answer.model_validate_json(data, strict=True)
    except ValidationError as exc:
        raise ParserCrashedError("the answer was cut off or has another shape") from exc


def _document(answer: _Answer) -> ParsedDocument:
    if answer.error is not None:
        raise _errors().get(answer.error.code, ParseError)(answer.error.message)
    if answer.document is None:
        raise ParserCrashedError("the answer is empty")
    found = answer.document
    sections = tuple(Section(text=text, page=page, heading=heading) for text, page, heading in found.sections)
    return ParsedDocument(sections=sections, pages=found.pages, title=found.title)


def _errors() -> dict[str, type[ParseError]]:
    return {error.code: error for error in ParseError.__subclasses__()}
