"""The parsing child: `python -m ingestion.parsing.child PATH PARSER OUT LIMITS`. Limits itself, parses, writes JSON.

| guard | against |
|---|---|
| RLIMIT_AS, _CPU, _FSIZE, _NOFILE, _CORE | bombs, loops, floods of output |
| PR_SET_PDEATHSIG | outliving a parent that was killed |
| audit hook | sockets, processes, writing outside the working folder |

Anything that goes wrong is an answer: {"error": {"code", "message"}}. Only a crash gives none.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from ingestion.errors import DamagedDocumentError, NoTextError, ParseError, ParseMemoryError, TooMuchTextError
from ingestion.parsing.base import MOST_SECTIONS, ParsedDocument, Parser

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64
_NICENESS = 5
_REFUSED_EVENTS = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown",
    "os.truncate", "shutil.", "urllib.", "ftplib.", "smtplib.", "pty.",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main(arguments: list[str]) -> None:
    """Parse one file within limits. `arguments`: path, parser as 'module:Class', output path, limits as JSON."""
    path, parser, out, limits = arguments
    limit: dict[str, int] = json.loads(limits)
    _die_with_parent(limit["parent_pid"])
    _limit_resources(limit)
    sys.addaudithook(_auditor(Path.cwd()))
    answer = _answer(Path(path), parser=parser, max_chars=limit["max_text_chars"])
    Path(out).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8", errors="replace")


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above took hold.
    if os.getppid() != parent_pid:
        raise SystemExit("the parent is gone")


def _limit_resources(limit: dict[str, int]) -> None:
    for name, value in (
        (resource.RLIMIT_AS, limit["memory_bytes"]),
        (resource.RLIMIT_CPU, limit["cpu_s"]),
        (resource.RLIMIT_FSIZE, limit["output_bytes"]),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (value, value))
    os.nice(_NICENESS)


def _auditor(folder: Path) -> Any:
    root = str(folder.resolve()) + os.sep

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED_EVENTS):
            raise PermissionError(f"a parser may not: {event}")
        if event == "open" and _writes(arguments) and not os.path.realpath(str(arguments[0])).startswith(root):
            raise PermissionError("a parser may not write outside its folder")

    return audit


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)


def _answer(path: Path, *, parser: str, max_chars: int) -> dict[str, Any]:
    try:
        return {"document": _as_json(_parsed(path, parser=parser, max_chars=max_chars))}
    except ParseError as exc:
        return _error(exc)
    except MemoryError:
        return _error(ParseMemoryError("needed more memory than the limit"))
    except RecursionError:
        return _error(DamagedDocumentError("nested too deeply"))
    except Exception as exc:
        # A parser's own exception on a broken file is the file's fault as far as anyone can tell here.
        return _error(DamagedDocumentError(f"{type(exc).__name__}: {str(exc)[:500]}"))


def _parsed(path: Path, *, parser: str, max_chars: int) -> ParsedDocument:
    module, _, name = parser.partition(":")
    reader: Parser = getattr(importlib.import_module(module), name)(max_chars=max_chars)
    parsed = reader.parse(path)
    if sum(len(section.text) for section in parsed.sections) > max_chars:
        raise TooMuchTextError(f"more than {max_chars} characters")
    if len(parsed.sections) > MOST_SECTIONS or sum(len(section.heading) for section in parsed.sections) > max_chars:
        raise TooMuchTextError("too many sections or too much in their headings")
    if not any(char.isalnum() for section in parsed.sections for char in section.text):
        raise NoTextError("no text was found")
    return parsed


def _as_json(parsed: ParsedDocument) -> dict[str, Any]:
    return {
        "sections": [[section.text, section.page, section.heading] for section in parsed.sections],
        "pages": parsed.pages,
        "title": parsed.title,
    }


def _error(error: ParseError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error)}}


if __name__ == "__main__":
    main(sys.argv[1:])
