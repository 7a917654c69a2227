"""Parsers that misbehave, for the child to run, and what they try."""

import ctypes
import errno
import mmap
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingestion.errors import DamagedDocumentError, PageNotFoundError
from ingestion.parsing.base import Line, ParsedDocument, ParseOptions, Section
from ingestion.parsing.seccomp import ARCHITECTURES
from ingestion.parsing.unpack import Member

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class _Hostile:
    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        return ParsedDocument(sections=(Section(self.act(path)),))

    def act(self, path: Path) -> str:
        raise NotImplementedError


class Hog(_Hostile):
    """Takes memory without end."""

    def act(self, path: Path) -> str:
        held = []
        while True:
            held.append(bytearray(16 * _MEGABYTE))


class SharingHog(_Hostile):
    """Takes memory that no limit of the kernel counts, and dwells on it."""

    def act(self, path: Path) -> str:
        held = mmap.mmap(-1, 560 * _MEGABYTE)
        for at in range(0, len(held), mmap.PAGESIZE):
            held[at] = 1
        time.sleep(60)
        return "kept"


class DyingHog(_Hostile):
    """Dies for want of memory without a word, as native libraries do."""

    def act(self, path: Path) -> str:
        held = []
        try:
            while True:
                held.append(bytearray(8 * _MEGABYTE))
        except MemoryError:
            os.abort()


class Loop(_Hostile):
    """Never ends, and uses no processor."""

    def act(self, path: Path) -> str:
        (Path.cwd() / "pid").write_text(str(os.getpid()))
        while True:
            time.sleep(1)


class Spin(_Hostile):
    """Never ends, on two processors, in a child that the clock is too slow for."""

    def act(self, path: Path) -> str:
        while True:
            pass


class LoopOnce(_Hostile):
    """Never ends at the first attempt; gives the number of the attempt at the others."""

    def act(self, path: Path) -> str:
        if Path.cwd().name == "0":
            (Path.cwd() / "pid").write_text(str(os.getpid()))
            time.sleep(60)
        return f"attempt {Path.cwd().name}"


class Slow(_Hostile):
    """Takes half a second."""

    def act(self, path: Path) -> str:
        time.sleep(0.5)
        return path.read_text()


class Crash(_Hostile):
    """Dies as a broken native library does."""

    def act(self, path: Path) -> str:
        os.abort()


class Deep(_Hostile):
    """Recurses without end."""

    def act(self, path: Path) -> str:
        return self.act(path)


class Flood(_Hostile):
    """Answers with more than may be answered."""

    def act(self, path: Path) -> str:
        return "word " * self.options.max_chars


class Many(_Hostile):
    """Answers with more sections than may be."""

    def parse(self, path: Path) -> ParsedDocument:
        return ParsedDocument(sections=tuple(Section("x") for _ in range(50_001)))


class Threaded(_Hostile):
    """Works on threads, as text recognition does."""

    def act(self, path: Path) -> str:
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(path.read_text())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return " ".join(found)


class Swarm(_Hostile):
    """Starts more threads than any parser needs."""

    def act(self, path: Path) -> str:
        threading.stack_size(256 * 1024)
        for _ in range(400):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        time.sleep(30)
        return "swarmed"


class LargeFile(_Hostile):
    """Writes one file without end."""

    def act(self, path: Path) -> str:
        with (Path.cwd() / "large").open("wb") as file:
            while True:
                file.write(bytes(_MEGABYTE))


class LargeFolder(_Hostile):
    """Writes many files, each of them small enough."""

    def act(self, path: Path) -> str:
        for number in range(1_000_000):
            (Path.cwd() / str(number)).write_bytes(bytes(4 * _MEGABYTE))
        return "written"


class ManyFiles(_Hostile):
    """Writes files without bytes."""

    def act(self, path: Path) -> str:
        for number in range(5_000):
            (Path.cwd() / str(number)).touch()
        time.sleep(30)
        return "written"


class NestedFolders(_Hostile):
    """Nests folders without end."""

    def act(self, path: Path) -> str:
        for _ in range(5_000):
            os.mkdir("a")
            os.chdir("a")
        time.sleep(30)
        return "nested"


class ClosedFolders(_Hostile):
    """Leaves a folder that nobody may look into."""

    def act(self, path: Path) -> str:
        (Path.cwd() / "closed").mkdir()
        (Path.cwd() / "closed" / "file").touch()
        (Path.cwd() / "none").mkdir(mode=0)
        return "closed"


class Scratch(_Hostile):
    """Uses its folder as it may."""

    def act(self, path: Path) -> str:
        import tempfile

        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(path.read_bytes())
            file.flush()
            Path(file.name).rename(Path(folder) / "renamed")
            text = (Path(folder) / "renamed").read_text()
            (Path(folder) / "renamed").rename(file.name)
        return f"{text} {os.environ['TMPDIR'] == os.getcwd() == os.environ['HOME']}"


class NoRoom(_Hostile):
    """Finds the disk full, and takes that for the file's fault."""

    def act(self, path: Path) -> str:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as exc:
            raise DamagedDocumentError("no readable file") from exc


class Everything(_Hostile):
    """Fills every field of the answer."""

    def parse(self, path: Path) -> ParsedDocument:
        line = Line(0, 5, 0.1, 0.2, 0.9, 0.25)
        return ParsedDocument(
            sections=(
                Section("words\x00here", page=2, heading="A > B", place="slide 2", lines=(line, line)),
                Section("| 1 |", is_table=True, header="| n |\n| --- |", place="sheet Costs"),
            ),
            pages=7,
            title="Title",
            dated=datetime(2024, 2, 29, 12, 30),
            notes=("x" * 400, *(f"note {number}" for number in range(60))),
        )


class FalseLines(_Hostile):
    """Gives places that are none."""

    def parse(self, path: Path) -> ParsedDocument:
        lines = (
            Line(0, 5, float("nan"), 0, 1, 1),
            Line(0, 99, 0, 0, 1, 1),
            Line(4, 2, 0, 0, 1, 1),
            Line(0, 5, 1.5, 0.8, -0.5, 0.2),
        )
        return ParsedDocument(sections=(Section("words", lines=lines),))


class ManyLines(_Hostile):
    """Gives more places than an answer holds."""

    def parse(self, path: Path) -> ParsedDocument:
        lines = (Line(0, 1, 0, 0, 1, 1),) * 150_000
        return ParsedDocument(sections=(Section("first", lines=lines), Section("second", lines=lines)))


class Options(_Hostile):
    """Tells what it was told."""

    def act(self, path: Path) -> str:
        return f"{self.options.name} {self.options.ocr} {self.options.max_chars}"


class _Leaving(_Hostile):
    """Answers by itself, past the child."""

    def parse(self, path: Path) -> ParsedDocument:
        self.leave(Path.cwd() / "answer.json", path)
        os._exit(0)

    def leave(self, out: Path, path: Path) -> None:
        raise NotImplementedError


class Forged(_Leaving):
    """The document itself is the answer."""

    def leave(self, out: Path, path: Path) -> None:
        out.write_bytes(path.read_bytes())


class Nested(_Leaving):
    """An answer too deep to be read."""

    def leave(self, out: Path, path: Path) -> None:
        out.write_text("[" * 200_000)


class Objects(_Leaving):
    """An answer of two million objects."""

    def leave(self, out: Path, path: Path) -> None:
        out.write_text("[" + "{}," * 2_000_000 + "{}]")


class Folder(_Leaving):
    """A folder in place of the answer."""

    def leave(self, out: Path, path: Path) -> None:
        out.mkdir()


class Silent(_Leaving):
    """No answer."""

    def leave(self, out: Path, path: Path) -> None:
        return


class Connecting(_Hostile):
    """Opens a socket."""

    def act(self, path: Path) -> str:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
        return "connected"


class Spawning(_Hostile):
    """Starts a process."""

    def act(self, path: Path) -> str:
        return subprocess.run([sys.executable, "-c", "print(1)"], check=True, capture_output=True, text=True).stdout


class Forking(_Hostile):
    """Leaves a child behind that outlives it."""

    def act(self, path: Path) -> str:
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        return "forked"


class Orphaning(_Hostile):
    """Leaves a child behind in a session of its own, past Python."""

    def act(self, path: Path) -> str:
        if _NATIVE.fork() == 0:
            _NATIVE.setsid()
            (Path.cwd() / "orphan").write_text(str(os.getpid()))
            time.sleep(60)
        while not (Path.cwd() / "orphan").exists():
            time.sleep(0.01)
        return (Path.cwd() / "orphan").read_text()


class Writing(_Hostile):
    """Writes beside the document."""

    def act(self, path: Path) -> str:
        path.with_suffix(".stolen").write_text("x")
        return "written"


class Reading(_Hostile):
    """Reads what lies beside the document."""

    def act(self, path: Path) -> str:
        return path.with_name("secret.txt").read_text()


class Removing(_Hostile):
    """Removes the document."""

    def act(self, path: Path) -> str:
        path.unlink()
        return "removed"


class Environment(_Hostile):
    """Gives away what it can see of its surroundings."""

    def act(self, path: Path) -> str:
        files = sorted(os.listdir("/proc/self/fd"))
        return "\n".join([*(f"{key}={value}" for key, value in os.environ.items()), f"files: {files}"])


class Escaping(_Hostile):
    """Tries, past Python, everything that only the kernel can refuse."""

    def act(self, path: Path) -> str:
        return "\n".join(f"{name} {attempt()}" for name, attempt in attempts(beside=path, parent=os.getppid()).items())


_NATIVE = ctypes.CDLL(None, use_errno=True)
_NUMBERS = ARCHITECTURES[platform.machine()].numbers


def attempts(*, beside: Path, parent: int) -> Mapping[str, Callable[[], str]]:
    """Each gives 'done' or the name of the error. `beside` is a file in a folder with 'secret.txt'.

    Where they succeed they leave no trace but `escaped` beside the file.
    """
    secret = os.fsencode(beside.with_name("secret.txt"))
    escaped = os.fsencode(beside.with_name("escaped"))
    return {
        "tcp": lambda: _tried("socket", socket.AF_INET, socket.SOCK_STREAM, 0),
        "udp": lambda: _tried("socket", socket.AF_INET6, socket.SOCK_DGRAM, 0),
        "unix": lambda: _tried("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0),
        "netlink": lambda: _tried("socket", socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "passwd": lambda: _tried("open", b"/etc/passwd", os.O_RDONLY),
        "secret": lambda: _tried("open", secret, os.O_RDONLY),
        "environment of the parent": lambda: _tried("open", f"/proc/{parent}/environ".encode(), os.O_RDONLY),
        "memory of the parent": lambda: _tried("open", f"/proc/{parent}/mem".encode(), os.O_RDWR),
        "listing": lambda: _tried("open", b"/", os.O_RDONLY | os.O_DIRECTORY),
        "writing": lambda: _tried("open", escaped, os.O_WRONLY | os.O_CREAT, 0o600),
        "making a folder": lambda: _tried("mkdir", escaped + b".folder", 0o700),
        "truncating": lambda: _tried("truncate", secret, ctypes.c_long(6)),
        "renaming": lambda: _tried("rename", secret, secret),
        "linking": lambda: _tried("link", secret, escaped + b".link"),
        "symbolic link": lambda: _tried("symlink", b"/etc/passwd", b"link"),
        "pipe": lambda: _tried("mkfifo", b"pipe", 0o600),
        "mode": lambda: _tried("chmod", secret, 0o600),
        "owner": lambda: _tried("chown", secret, os.getuid(), os.getgid()),
        "times": lambda: _tried("utimensat", -100, secret, None, 0),
        "signal": lambda: _tried("kill", parent, 0),
        "priority": lambda: _tried("setpriority", 0, parent, os.getpriority(os.PRIO_PROCESS, parent)),
        "limits of the parent": lambda: _tried("prlimit", parent, 7, None, None),
        "signal to a thread": lambda: _tried("syscall", _NUMBERS["tgkill"], parent, parent, 0),
        "staying": lambda: _tried("prctl", 1, 0, 0, 0, 0),
        "shared memory": lambda: _tried("memfd_create", b"x", 0),
        "queue": lambda: _tried("mq_open", b"/ragapp-test", os.O_RDONLY),
        "rings": lambda: _tried("syscall", _NUMBERS["io_uring_setup"], 1, ctypes.create_string_buffer(120)),
        "process": _forked,
        "program": lambda: _tried("execv", b"/no/such/program", (ctypes.c_char_p * 1)(None)),
    }


def _tried(call: str, *arguments: object) -> str:
    ctypes.set_errno(0)
    if getattr(_NATIVE, call)(*arguments) >= 0:
        return "done"
    return errno.errorcode.get(ctypes.get_errno(), "?")


def _forked() -> str:
    pid = _NATIVE.fork()
    if pid == 0:
        os._exit(0)
    if pid < 0:
        return errno.errorcode[ctypes.get_errno()]
    os.waitpid(pid, 0)
    return "done"


def unpack_elsewhere(path: Path, into: Path) -> tuple[Member, ...]:
    """Names a file that is not its own."""
    return (Member("mine.txt", "../answer.json"),)


def unpack_nothing(path: Path, into: Path) -> tuple[Member, ...]:
    """Names a file that is not there."""
    return (Member("mine.txt", "1"),)


def unpack_twice(path: Path, into: Path) -> tuple[Member, ...]:
    """Names one file twice."""
    (into / "1").write_text("x")
    return (Member("a", "1"), Member("b", "1"))


def unpack_folder(path: Path, into: Path) -> tuple[Member, ...]:
    """Names a folder."""
    (into / "1").mkdir()
    return (Member("a", "1"),)


def unpack_without_end(path: Path, into: Path) -> tuple[Member, ...]:
    """Fills the disk."""
    for number in range(1_000_000):
        (into / str(number)).write_bytes(bytes(16 * _MEGABYTE))
    return ()


def draw(path: Path, *, page: int, width: int) -> bytes:
    """A PNG by its first bytes, with what was asked for."""
    return b"\x89PNG\r\n\x1a\n" + f"{page} {width} {path.read_text()}".encode()


def draw_missing(path: Path, *, page: int, width: int) -> bytes:
    """No such page."""
    raise PageNotFoundError(f"no page {page}")


def draw_script(path: Path, *, page: int, width: int) -> bytes:
    """No picture."""
    return b"<svg onload=alert(1)>"


def draw_large(path: Path, *, page: int, width: int) -> bytes:
    """A picture of 40 MB."""
    return b"\x89PNG\r\n\x1a\n" + bytes(40 * _MEGABYTE)
