"""Parsers that misbehave, for the child to run."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ingestion.parsing.base import ParsedDocument, Section


@dataclass(frozen=True)
class _Hostile:
    max_chars: int

    def parse(self, path: Path) -> ParsedDocument:
        return ParsedDocument(sections=(Section(self.act(path)),))

    def act(self, path: Path) -> str:
        raise NotImplementedError


class Hog(_Hostile):
    """Takes memory without end."""

    def act(self, path: Path) -> str:
        held = []
        while True:
            held.append(bytearray(16 * 1024 * 1024))


class Loop(_Hostile):
    """Never ends, and uses no processor."""

    def act(self, path: Path) -> str:
        (Path.cwd() / "pid").write_text(str(os.getpid()))
        while True:
            time.sleep(1)


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
        return "word " * self.max_chars


class Many(_Hostile):
    """Answers with more sections than may be."""

    def parse(self, path: Path) -> ParsedDocument:
        return ParsedDocument(sections=tuple(Section("x") for _ in range(50_001)))


class _Leaving(_Hostile):
    """Answers by itself, past the child."""

    def parse(self, path: Path) -> ParsedDocument:
        self.leave(Path.cwd() / "answer.json")
        os._exit(0)

    def leave(self, out: Path) -> None:
        raise NotImplementedError


class Nested(_Leaving):
    """An answer too deep to be read."""

    def leave(self, out: Path) -> None:
        out.write_text("[" * 200_000)


class Objects(_Leaving):
    """An answer of two million objects."""

    def leave(self, out: Path) -> None:
        out.write_text("[" + "{}," * 2_000_000 + "{}]")


class OtherShape(_Leaving):
    """An answer that is none."""

    def leave(self, out: Path) -> None:
        out.write_text('{"document": {"sections": [["x", "1", 2]], "pages": [], "title": null}}')


class Pipe(_Leaving):
    """A pipe to which nobody writes."""

    def leave(self, out: Path) -> None:
        os.mkfifo(out)


class Silent(_Leaving):
    """No answer."""

    def leave(self, out: Path) -> None:
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


class Writing(_Hostile):
    """Writes beside the document."""

    def act(self, path: Path) -> str:
        path.with_suffix(".stolen").write_text("x")
        return "written"


class Environment(_Hostile):
    """Gives away what it can see of its surroundings."""

    def act(self, path: Path) -> str:
        return "\n".join(f"{key}={value}" for key, value in os.environ.items())
