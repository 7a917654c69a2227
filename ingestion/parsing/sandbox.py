"""What a parsing child takes away from itself before it looks at the file. Cannot be undone.

| layer | against | where |
|---|---|---|
| Layer.FILES: Landlock | reading and writing elsewhere, TCP, signals and abstract sockets of others | Linux 5.13+ |
| Layer.CALLS: seccomp | every socket, programs, processes, ptrace, chmod and chown, kernel interfaces | Linux |
| Layer.LIMITS: rlimits, no capabilities, the fork server's watch | bombs, loops, floods | everywhere |
| Layer.HOOK: Python's audit hook | the same from Python code, where the kernel has no such layer | everywhere |

Names, sizes and times of files elsewhere stay visible to native code (stat): neither layer hides them.
"""

import contextlib
import ctypes
import functools
import os
import resource
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ingestion.parsing import landlock, seccomp

PACKAGE = Path(__file__).resolve().parent.parent

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
_NICENESS = 5
_OUT_OF_MEMORY_FIRST = "1000"
_OPEN_FILES = 64
# Anonymous memory is limited by its size, of which libraries and the file itself, mapped, are no part.
_SHARE_FOR_DATA = 7 / 8
# Address space costs nothing; this only ends shared mappings that RLIMIT_DATA does not count.
_ADDRESS_SPACE_TIMES = 4
# No word here about the folder of the project: data and secrets may lie in it.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/usr/local/share",
    "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/mime.types",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
    "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
)  # fmt: skip
_REFUSED_EVENTS = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill",
    "os.link", "os.symlink", "os.chmod", "os.chown", "os.setxattr", "os.removexattr", "os.utime",
    "urllib.", "ftplib.", "smtplib.", "pty.",
)  # fmt: skip
_CHANGING_EVENTS = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1, "os.rename": 2}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class SandboxError(Exception):
    """A layer that the kernel has could not be entered; nothing may be parsed."""


class Layer(StrEnum):
    """What stands between a hostile file and the machine."""

    FILES = "files"
    CALLS = "calls"
    LIMITS = "limits"
    HOOK = "hook"


@dataclass(frozen=True)
class Limits:
    """`wall_s`, `threads` and what lies in the folder are watched from outside, the rest is in the kernel."""

    memory_bytes: int
    wall_s: float
    cpu_s: int
    file_bytes: int
    folder_bytes: int
    folder_files: int
    threads: int


def isolation() -> frozenset[Layer]:
    """The layers that parsers get on this machine."""
    layers = {Layer.LIMITS, Layer.HOOK}
    if landlock.version() > 0:
        layers.add(Layer.FILES)
    if seccomp.available():
        layers.add(Layer.CALLS)
    return frozenset(layers)


def enter(*, limits: Limits, file: Path, folder: Path) -> None:
    """Keep this process to reading `file` and libraries, and to writing below `folder`, within the limits.

    The process has one thread. Raises SandboxError.
    """
    readable = (file.resolve(), Path(f"/proc/{os.getpid()}"), *libraries())
    try:
        _enter(isolation(), limits=limits, readable=readable, folder=folder)
    except (OSError, ValueError) as exc:
        raise SandboxError(str(exc)) from exc
    sys.addaudithook(_auditor(readable=readable, folder=folder))


def _enter(layers: frozenset[Layer], *, limits: Limits, readable: Iterable[Path], folder: Path) -> None:
    _limit_resources(limits)
    if sys.platform == "linux":
        _be_the_first_to_go()
        _drop_privileges()
    if Layer.FILES in layers:
        landlock.restrict(readable=readable, writable=[folder])
    if Layer.CALLS in layers:
        seccomp.restrict()


@functools.cache
def libraries() -> tuple[Path, ...]:
    """Python, its packages, this package, and what libraries read of the system. Looked up once a process."""
    paths = sysconfig.get_paths()
    python = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found = (*python, f"{sys.base_prefix}/lib", *site.getsitepackages(), str(PACKAGE), *_SYSTEM)
    return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in found))


def _limit_resources(limits: Limits) -> None:
    for name, value in (
        (resource.RLIMIT_DATA, int(limits.memory_bytes * _SHARE_FOR_DATA)),
        (resource.RLIMIT_AS, limits.memory_bytes * _ADDRESS_SPACE_TIMES),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hardest = resource.getrlimit(name)
        # No process may raise what it was given, so a stricter limit of the machine's stays.
        if hardest == resource.RLIM_INFINITY or value < hardest:
            resource.setrlimit(name, (value, value))
    os.nice(_NICENESS)


def _be_the_first_to_go() -> None:
    """When the machine runs out of memory, it is the parser that is ended, not a worker."""
    # Some containers mount /proc read-only.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_FIRST)


def _drop_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    for result in (libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), libc.capset(header, none)):
        if result != 0:
            raise OSError(ctypes.get_errno(), "privileges cannot be dropped")


def _auditor(*, readable: Iterable[Path], folder: Path) -> Any:
    home = str(folder.resolve())
    roots = (home, *map(str, readable))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED_EVENTS):
            raise PermissionError(f"a parser may not: {event}")
        if event in _CHANGING_EVENTS:
            if not all(_within(path, (home,)) for path in arguments[: _CHANGING_EVENTS[event]]):
                raise PermissionError(f"a parser may not: {event} outside its folder")
        elif event == "open" and not _within(arguments[0], (home,) if _writes(arguments) else roots):
            raise PermissionError("a parser may not open that file")

    return audit


def _within(path: object, roots: tuple[str, ...]) -> bool:
    # A number is a file that is open already.
    if isinstance(path, int):
        return True
    real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
    return any(real == root or real.startswith(root + os.sep) for root in roots)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)
