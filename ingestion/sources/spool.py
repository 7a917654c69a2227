"""An item's bytes on disk before anything is decided: a slow or broken source never holds a transaction open."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings

from ingestion.errors import NO_ROOM, StorageFullError
from ingestion.files import bounded

BLOCK = 256 * 1024


@dataclass(frozen=True)
class Spooled:
    """A whole item, in a file without a name that ends with it."""

    sha256: str
    file: IO[bytes]

    def blocks(self) -> Iterator[bytes]:
        """The bytes, from the start."""
        self.file.seek(0)
        while block := self.file.read(BLOCK):
            yield block


@contextmanager
def spooled(content: Iterable[bytes], *, on_block: Callable[[], None]) -> Iterator[Spooled]:
    """Read it all. Raises UploadTooLargeError, EmptyDocumentError, StorageFullError, and what `content` raises."""
    folder: Path = settings.INGESTION.files_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            sha256 = _written(content, file, on_block=on_block)
        except OSError as exc:
            if exc.errno in NO_ROOM:
                raise StorageFullError(str(exc)) from exc
            raise
        yield Spooled(sha256=sha256, file=file)


def _written(content: Iterable[bytes], file: IO[bytes], *, on_block: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    for block in bounded(content, digest=digest):
        file.write(block)
        on_block()
    file.flush()
    return digest.hexdigest()
