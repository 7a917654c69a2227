"""What is in a ZIP archive, each file under a number: names in the archive are shown and never used as paths.

Limits hold for the bytes that come out, whatever the archive's directory says of them. Knows no parser.
"""

import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from ingestion.errors import ArchiveLimitError, DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.containers import UnreadableContainerError, zip_directory
from ingestion.parsing.encoding import clean

_COPIED_BYTES = 1024 * 1024
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_MOST_NAME_CHARS = 255
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u061c]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_NOBODYS = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_BROKEN = (BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, ValueError, KeyError, IndexError)


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds of an archive: files in it, their bytes unpacked, and how densely a file of `ratio_from` may be packed."""

    entries: int = 2_000
    unpacked_bytes: int = 1024 * 1024 * 1024
    ratio: int = 200
    ratio_from: int = 10 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """A file of an archive: what it is called there, folders before it, and its name in the folder of what came out."""

    name: str
    file: str


LIMITS = ArchiveLimits()


def unpack(path: Path, into: Path, *, limits: ArchiveLimits = LIMITS) -> tuple[Member, ...]:
    """Write the files of the archive into the folder `into`, which exists; no empty ones, and none of a system.

    Raises ArchiveLimitError, EncryptedDocumentError and DamagedDocumentError; what was written by then stays.
    """
    _refuse_many(path, limits=limits)
    try:
        with ZipFile(path) as archive:
            parts = [part for part in archive.infolist() if _is_wanted(part)]
            if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
                raise EncryptedDocumentError("the archive needs a password")
            return tuple(_unpacked(archive, parts, into=into, limits=limits))
    except RuntimeError as exc:
        # zipfile's word for an entry that its own header calls encrypted.
        raise EncryptedDocumentError("a part of the archive needs a password") from exc
    except _BROKEN as exc:
        raise DamagedDocumentError(f"the archive is broken: {type(exc).__name__}") from exc


def _refuse_many(path: Path, *, limits: ArchiveLimits) -> None:
    """Before zipfile makes an object of every entry."""
    try:
        directory = zip_directory(path)
    except UnreadableContainerError as exc:
        raise DamagedDocumentError("the archive is cut off") from exc
    # Folders are entries too.
    if max(directory.claimed, len(directory.names)) > 2 * limits.entries:
        raise ArchiveLimitError(f"{directory.claimed} entries")


def _is_wanted(part: ZipInfo) -> bool:
    kind = stat.S_IFMT(part.external_attr >> 16)
    folders = re.split(r"[/\\]", part.filename)
    is_file = not part.is_dir() and kind in (0, stat.S_IFREG)
    # Apple's copy of what a file system could not hold.
    is_shadow = folders[-1].startswith("._")
    return is_file and not is_shadow and _NOBODYS.isdisjoint(folders) and bool(folders[-1])


def _unpacked(archive: ZipFile, parts: list[ZipInfo], *, into: Path, limits: ArchiveLimits) -> Iterator[Member]:
    if len(parts) > limits.entries:
        raise ArchiveLimitError(f"{len(parts)} files")
    left = limits.unpacked_bytes
    for number, part in enumerate(parts, 1):
        target = into / str(number)
        with archive.open(part) as source, target.open("xb") as file:
            size = _copy(source, file, part=part, left=left, limits=limits)
        left -= size
        if size:
            yield Member(name=_shown_name(part, number=number), file=target.name)
        else:
            target.unlink()


def _copy(source: IO[bytes], target: IO[bytes], *, part: ZipInfo, left: int, limits: ArchiveLimits) -> int:
    """Copy to the end, and count what really comes."""
    size = 0
    while block := source.read(_COPIED_BYTES):
        size += len(block)
        if size > left:
            raise ArchiveLimitError(f"unpacks to more than {limits.unpacked_bytes} bytes")
        if size > limits.ratio_from and size > part.compress_size * limits.ratio:
            raise ArchiveLimitError("packed too densely")
        target.write(block)
    return size


def _shown_name(part: ZipInfo, *, number: int) -> str:
    """The path in the archive without what leads out of it, and without what could turn its line round."""
    name = part.filename if part.flag_bits & _UTF8_FLAG else _without_codepage(part.filename)
    words = _DRIVE.sub("", NOT_IN_NAMES.sub("", clean(name))).replace("\\", "/").split("/")
    kept = [" ".join(word.split()) for word in words if word.strip() not in ("", ".", "..")]
    shown = "/".join(kept) or f"file {number}"
    # The end of a long path tells more than its beginning.
    return shown[-_MOST_NAME_CHARS:].lstrip("/")


def _without_codepage(name: str) -> str:
    """Without a word on the encoding zipfile takes code page 437; many programs write UTF-8 all the same."""
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
