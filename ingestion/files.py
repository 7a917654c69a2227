"""The files folder: originals under random names, durable before their row. A name from outside never reaches it."""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ingestion.errors import NO_ROOM, EmptyDocumentError, StorageFullError, UploadTooLargeError

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """`name` is the path in the files folder."""

    name: str
    sha256: str
    size: int


def path_of(name: str) -> Path:
    """Where a stored file lies."""
    folder: Path = settings.INGESTION.files_dir
    return folder / name


def store(content: Iterable[bytes]) -> StoredFile:
    """Write the bytes; on return they survive a power cut.

    Raises UploadTooLargeError, EmptyDocumentError or StorageFullError; then nothing is left.
    """
    key = uuid.uuid4().hex
    name = f"{key[:2]}/{key}"
    path = path_of(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _written(content, path=path, name=name)
    except OSError as exc:
        path.unlink(missing_ok=True)
        if exc.errno in NO_ROOM:
            raise StorageFullError(str(exc)) from exc
        raise
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def bounded(content: Iterable[bytes], *, digest: "hashlib._Hash") -> Iterator[bytes]:
    """The blocks, each told to the digest. Raises UploadTooLargeError, and EmptyDocumentError at the end of nothing."""
    limit: int = settings.INGESTION.max_upload_bytes
    size = 0
    for block in content:
        size += len(block)
        if size > limit:
            raise UploadTooLargeError(f"more than {limit} bytes")
        digest.update(block)
        yield block
    if size == 0:
        raise EmptyDocumentError("no bytes")


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes in blocks of 1 MiB."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def discard(name: str) -> bool:
    """Remove a stored file; True where there was one."""
    try:
        path_of(name).unlink()
    except FileNotFoundError:
        return False
    return True


def _written(content: Iterable[bytes], *, path: Path, name: str) -> StoredFile:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        for block in bounded(content, digest=digest):
            file.write(block)
        size = file.tell()
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)
    return StoredFile(name=name, sha256=digest.hexdigest(), size=size)


def _sync_folder(folder: Path) -> None:
    """The entry in the folder must survive as well as the bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
