"""The names of what lies inside a ZIP or an OLE container, from its directory alone: nothing is unpacked.

It runs in the server's own process on bytes nobody has checked, so everything that is read has a bound.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_DIRECTORY_BYTES = 4 * 1024 * 1024
_MOST_ENTRIES = 20_000
# The end record, and a comment of at most 65,535 bytes after it.
_END_WITHIN = 22 + 65_535
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_ENTRY = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"
_STORED_NAME = b"mimetype"
_LONGEST_TYPE = 100

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENTRY_BYTES = 128
_MOST_OLE_SECTORS = 4_096
# Each names a hundred parts of the allocation table or more: enough for any upload.
_MOST_TABLE_SECTORS = 1_000
_LAST_SECTOR = 0xFFFFFFFA
_HEADER_FAT_SECTORS = 109


class UnreadableContainerError(Exception):
    """The directory is missing, cut off or contradicts itself. Stays inside the package."""


@dataclass(frozen=True)
class ZipDirectory:
    """The names of the first entries, with '/' between folders, and how many entries the archive claims."""

    names: frozenset[str]
    claimed: int


def zip_directory(path: Path) -> ZipDirectory:
    """Read at most 4 MiB and 20,000 entries of the central directory. Raises UnreadableContainerError."""
    try:
        with path.open("rb") as file:
            claimed, start, size = _end_record(file, length=path.stat().st_size)
            file.seek(start)
            data = file.read(min(size, _DIRECTORY_BYTES))
    except (struct.error, OSError, ValueError, OverflowError) as exc:
        raise UnreadableContainerError("no central directory") from exc
    names = frozenset(_entry_names(data))
    if not names and claimed:
        raise UnreadableContainerError("the central directory has no entry")
    return ZipDirectory(names=names, claimed=claimed)


def _end_record(file: BinaryIO, *, length: int) -> tuple[int, int, int]:
    """Number of entries, and the place and size of the directory in the file."""
    tail_start = max(0, length - _END_WITHIN)
    file.seek(tail_start)
    tail = file.read(_END_WITHIN)
    at = tail.rfind(_END)
    if at < 0:
        raise UnreadableContainerError("no end record")
    claimed, size, start = struct.unpack("<HLL", tail[at + 10 : at + 20])
    directory_end = tail_start + at
    if 0xFFFFFFFF in (size, start) or claimed == 0xFFFF:
        claimed, size, start, directory_end = _end_record_64(file, tail[max(0, at - 20) : at], claimed, size, start)
    # What was put before the archive (a self-extractor) moves everything by the same number of bytes.
    real_start = directory_end - size
    return claimed, real_start if real_start >= 0 else start, size


def _end_record_64(file: BinaryIO, locator: bytes, claimed: int, size: int, start: int) -> tuple[int, int, int, int]:
    if not locator.startswith(_LOCATOR_64):
        return claimed, size, start, start + size
    (place,) = struct.unpack("<Q", locator[8:16])
    file.seek(place)
    record = file.read(56)
    if not record.startswith(_END_64):
        raise UnreadableContainerError("no 64-bit end record")
    claimed, size, start = struct.unpack("<QQQ", record[32:56])
    return claimed, size, start, place


def _entry_names(data: bytes) -> Iterator[str]:
    at = 0
    for _ in range(_MOST_ENTRIES):
        if data[at : at + 4] != _ENTRY or len(data) < at + 46:
            return
        name, extra, comment = struct.unpack("<HHH", data[at + 28 : at + 34])
        yield data[at + 46 : at + 46 + name].decode("utf-8", errors="replace").replace("\\", "/").lstrip("/")
        at += 46 + name + extra + comment


def declared_type(head: bytes) -> str:
    """What a ZIP says that it is by a first entry 'mimetype', stored as it is (ODF, EPUB); '' where it does not."""
    if not head.startswith(_LOCAL) or len(head) < 30:
        return ""
    method, _, _, _, _, size, name, extra = struct.unpack("<HHHLLLHH", head[8:30])
    start = 30 + name + extra
    if head[30 : 30 + name] != _STORED_NAME or method != 0:
        return ""
    # A size that is told after the content is 0 here; the next record begins with 'PK'.
    content = head[start : start + min(size or _LONGEST_TYPE, _LONGEST_TYPE)].partition(b"PK")[0]
    return content.decode("ascii", errors="replace").strip()


def ole_names(path: Path) -> frozenset[str]:
    """The names in the root storage of an OLE compound file ([MS-CFB]). Raises UnreadableContainerError."""
    try:
        with path.open("rb") as file:
            return frozenset(_root_names(_ole_directory(file)))
    except (struct.error, OSError, ValueError, OverflowError) as exc:
        raise UnreadableContainerError("no readable directory") from exc


def _ole_directory(file: BinaryIO) -> bytes:
    header = file.read(512)
    if not header.startswith(OLE_MAGIC):
        raise UnreadableContainerError("no OLE container")
    shift = struct.unpack("<H", header[30:32])[0]
    if shift not in (9, 12):
        raise UnreadableContainerError("no such sector size")
    size = 1 << shift
    sector = struct.unpack("<L", header[48:52])[0]
    fat = _fat_sectors(file, header, size=size)
    parts: list[bytes] = []
    while sector < _LAST_SECTOR and len(parts) < _MOST_OLE_SECTORS:
        parts.append(_sector(file, sector, size=size))
        sector = _next_sector(file, fat, sector, size=size)
    return b"".join(parts)


def _fat_sectors(file: BinaryIO, header: bytes, *, size: int) -> list[int]:
    """Where the parts of the allocation table are: 109 in the header, further ones in a chain of sectors."""
    found = list(struct.unpack(f"<{_HEADER_FAT_SECTORS}L", header[76:512]))
    sector = struct.unpack("<L", header[68:72])[0]
    seen: set[int] = set()
    while sector < _LAST_SECTOR:
        if sector in seen or len(seen) >= _MOST_TABLE_SECTORS:
            raise UnreadableContainerError("an allocation table without end")
        seen.add(sector)
        *more, sector = struct.unpack(f"<{size // 4}L", _sector(file, sector, size=size))
        found.extend(more)
    return found


def _next_sector(file: BinaryIO, fat: list[int], sector: int, *, size: int) -> int:
    part, place = divmod(sector, size // 4)
    if part >= len(fat) or fat[part] >= _LAST_SECTOR:
        raise UnreadableContainerError("a sector outside the allocation table")
    file.seek((fat[part] + 1) * size + place * 4)
    return int(struct.unpack("<L", file.read(4))[0])


def _sector(file: BinaryIO, number: int, *, size: int) -> bytes:
    file.seek((number + 1) * size)
    data = file.read(size)
    if len(data) < size:
        raise UnreadableContainerError("cut off")
    return data


def _root_names(directory: bytes) -> Iterator[str]:
    """The children of the root: a tree of siblings, walked once each whatever it claims."""
    if len(directory) < _OLE_ENTRY_BYTES:
        raise UnreadableContainerError("no root")
    waiting = [struct.unpack("<L", directory[76:80])[0]]
    seen: set[int] = set()
    while waiting:
        number = waiting.pop()
        entry = directory[number * _OLE_ENTRY_BYTES : (number + 1) * _OLE_ENTRY_BYTES]
        if number in seen or len(entry) < _OLE_ENTRY_BYTES:
            continue
        seen.add(number)
        length, left, right = struct.unpack("<H2xLL", entry[64:76])
        yield entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", errors="replace")
        waiting += [left, right]
