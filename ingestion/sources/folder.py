"""Files of a folder and what is below it. No link is followed, so nothing outside the folder is ever read."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingestion.errors import (
    SourceDeniedError,
    SourceFolderError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceListingError,
    SourceMissingError,
)
from ingestion.sources.base import Item, Kind

BLOCK = 256 * 1024
# A file changed less than this ago may still be written, in s.
SETTLE_S = 2.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a pipe put in a file's place must not hold the run.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".swp", ".lock", "~")
_TEMPORARY_PREFIXES = (".", "~$", "#", "$RECYCLE.BIN", "@eaDir", "System Volume Information")
_OF_THE_SYSTEM = {"thumbs.db", "desktop.ini"}


def _absolute(text: str) -> str:
    if not text.startswith("/") or "\x00" in text or ".." in Path(text).parts:
        raise ValueError("Type the whole path, from / on, without “..”.")
    return os.path.normpath(text)


class FolderSettings(BaseModel):
    """Which folder."""

    model_config = ConfigDict(frozen=True)

    path: Annotated[
        str,
        AfterValidator(_absolute),
        Field(
            title="Folder",
            description="Its path on the server. Files in folders below it are taken too; links are not followed.",
            max_length=1_000,
        ),
    ]


class FolderConnector:
    """A tree under one of the allowed folders. A key is the path from the source's folder on."""

    def __init__(self, settings: FolderSettings, *, roots: tuple[Path, ...]) -> None:
        wanted = Path(settings.path)
        root = next((root for root in roots if wanted.is_relative_to(root)), None)
        if root is None:
            raise SourceFolderError(f"{wanted} is under no allowed folder", field="path")
        self._root, self._below = root, wanted.relative_to(root).parts
        self._raw: dict[str, str] = {}

    def items(self) -> Iterator[Item]:
        """Every settled or unsettled file. A folder that cannot be read ends the listing with an error."""
        try:
            folder = self._open_folder(())
        except OSError as exc:
            raise _translated(exc) from exc
        try:
            yield from self._walk(folder)
        except OSError as exc:
            raise _unlisted(exc) from exc
        finally:
            os.close(folder)

    def content(self, item: Item) -> Iterator[bytes]:
        """The file's bytes, if it is the same before and after."""
        *above, name = self._raw.get(item.key, item.key).split("/")
        try:
            folder = self._open_folder(tuple(above))
            try:
                file = os.open(name, _FILE, dir_fd=folder)
            finally:
                os.close(folder)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise SourceItemGoneError(item.key) from exc
        except OSError as exc:
            raise _translated(exc) from exc
        with open(file, "rb") as opened:
            before = os.fstat(file)
            if not stat.S_ISREG(before.st_mode):
                raise SourceItemGoneError(f"{item.key} is no file")
            while block := opened.read(BLOCK):
                yield block
            if _fingerprint(os.fstat(file)) != _fingerprint(before):
                raise SourceItemBusyError(item.key)

    def _open_folder(self, parts: tuple[str, ...]) -> int:
        """A descriptor of a folder below the source's, reached without following a link below the allowed root."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in (*self._below, *parts):
            try:
                deeper = os.open(part, _FOLDER, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = deeper
        return descriptor

    def _walk(self, folder: int) -> Iterator[Item]:
        for path, folders, names, descriptor in os.fwalk(".", dir_fd=folder, onerror=_fail, follow_symlinks=False):
            folders[:] = sorted(name for name in folders if not is_temporary(name))
            for name in sorted(names):
                if is_temporary(name):
                    continue
                try:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield self._item(os.path.normpath(os.path.join(path, name)), name, status)

    def _item(self, path: str, name: str, status: os.stat_result) -> Item:
        key = _storable(path)
        if key != path:
            self._raw[key] = path
        return Item(
            key=key,
            name=_storable(name),
            fingerprint=_fingerprint(status),
            size=status.st_size,
            settled=abs(time.time() - status.st_mtime) >= SETTLE_S,
        )


def is_temporary(name: str) -> bool:
    """Hidden files, and what editors, browsers and file managers leave beside the real ones."""
    return (
        name.startswith(_TEMPORARY_PREFIXES)
        or name.lower().endswith(_TEMPORARY_SUFFIXES)
        or name.lower() in _OF_THE_SYSTEM
    )


def _fingerprint(status: os.stat_result) -> str:
    # The change time too: copying programs set the modification time back.
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _storable(text: str) -> str:
    """A name whose bytes are no UTF-8 is shown with them escaped; no database takes it otherwise."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _fail(error: OSError) -> None:
    raise error


def _translated(exc: OSError) -> Exception:
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        return SourceMissingError("the folder is not there")
    if isinstance(exc, PermissionError):
        return SourceDeniedError("the folder or file may not be read")
    return SourceListingError(f"{type(exc).__name__} {exc.errno}")


def _unlisted(exc: OSError) -> Exception:
    """Whatever went wrong below, the list is not whole."""
    return SourceDeniedError(str(exc)) if isinstance(exc, PermissionError) else SourceListingError(str(exc))


FOLDER = Kind(
    name="folder",
    title="Folder",
    hint="A folder on the server, such as a mounted file share.",
    switch="RAGAPP_SOURCE_ROOTS",
    settings=FolderSettings,
    is_on=lambda config: bool(config.roots),
    connect=lambda settings, config: FolderConnector(settings, roots=config.roots),
)
