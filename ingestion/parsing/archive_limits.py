"""What is checked before a part of an archived document is read: bounds of the archive, and of the XML in it.

Knows no format. Nothing is ever unpacked to disk, and no DTD, entity or outside reference is ever followed.
"""

import contextlib
import gc
import io
import lzma
import posixpath
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element, XMLPullParser
from xml.etree.ElementTree import ParseError as XmlError
from zipfile import BadZipFile, ZipFile, ZipInfo

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import iterparse as defused_iterparse  # type: ignore[import-untyped]

from ingestion.errors import ArchiveLimitError, DamagedDocumentError, EncryptedDocumentError, ParseError
from ingestion.parsing.dates import from_text
from ingestion.parsing.elements import Event, local

_MOST_UNPACKED_BYTES = 500 * 1024 * 1024
_MOST_PARTS = 5_000
# Real parts of much repeated XML reach about 30 to 1, DEFLATE at most 1032 to 1.
_MOST_RATIO = 200
_RATIO_FROM_BYTES = 10 * 1024 * 1024
_ENCRYPTED_FLAG = 0x1
# Word and PowerPoint stay below 60. Beyond, whoever walks the tree would run out of stack.
_MOST_DEPTH = 200
# About 10 s of processor time. A workbook whose text is as long as is taken has some 3 million.
_MOST_ELEMENTS = 6_000_000
# An element in memory takes 150 to 400 bytes.
_MOST_IN_A_TREE = 2_000_000
_DTD_WITHIN = 64 * 1024
_BLOCK_BYTES = 16 * 1024
# What reading a broken archive raises, whichever compression its parts have.
_BROKEN = (BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, ValueError, KeyError)


@dataclass(frozen=True)
class Part:
    """A relation of a part of an Office file: the last word of its type, and the part it leads to."""

    kind: str
    name: str


class Archive:
    """A ZIP whose directory was checked. Parts are found whatever the case and the slashes of their names."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.broken_parts = 0
        self._names = {_plain_name(name): name for name in archive.namelist()}

    def __contains__(self, name: str) -> bool:
        return _plain_name(name) in self._names

    def names(self) -> list[str]:
        """All names as they are written in the archive."""
        return self._archive.namelist()

    def read(self, name: str, *, most_bytes: int) -> bytes:
        """The part's bytes. Raises DamagedDocumentError where it is missing, ArchiveLimitError where it is larger."""
        with self._open(name) as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ArchiveLimitError(f"a part of more than {most_bytes} bytes")
        return data

    def events(self, name: str, *, most: int = _MOST_ELEMENTS) -> Iterator[Event]:
        """The XML of a part as ('start' | 'end', element) in document order; the caller clears what it has read.

        Raises DamagedDocumentError (no such part, broken XML, too deep, a DTD) and ArchiveLimitError.
        """
        with self._open(name) as file:
            head = file.read(_DTD_WITHIN)
        refuse_dtd(head)
        with self._open(name) as file:
            yield from bounded_events(file, most=most)

    def root(self, name: str) -> Element:
        """The XML of a part as a tree."""
        root: Element | None = None
        for _, element in self.events(name, most=_MOST_IN_A_TREE):
            root = element
        if root is None:
            raise DamagedDocumentError("a part without XML")
        return root

    def optional_root(self, name: str) -> Element | None:
        """As `root`, of a part without which the document can be read: None where it is missing or broken."""
        if name not in self:
            return None
        try:
            return self.root(name)
        except DamagedDocumentError:
            self.broken_parts += 1
            return None

    def relations(self, name: str) -> dict[str, Part]:
        """What a part of an Office file refers to inside the archive, by id; outside references are left out."""
        folder, _, base = name.rpartition("/")
        listing = f"{folder}/_rels/{base}.rels".lstrip("/")
        if listing not in self:
            return {}
        found: dict[str, Part] = {}
        for relation in self.root(listing):
            target = relation.get("Target", "")
            if relation.get("TargetMode") != "External" and target:
                found[relation.get("Id", "")] = Part(
                    relation.get("Type", "").rpartition("/")[2], joined(folder, target)
                )
        return found

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        written = self._names.get(_plain_name(name))
        if written is None:
            raise DamagedDocumentError("a part is missing")
        try:
            with self._archive.open(written) as file:
                yield file
        except RuntimeError as exc:
            # zipfile's word for an entry that its own header calls encrypted.
            raise EncryptedDocumentError("a part of the archive needs a password") from exc
        except _BROKEN as exc:
            raise DamagedDocumentError(f"a part cannot be unpacked: {type(exc).__name__}") from exc


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive at `path`, its directory checked.

    Raises DamagedDocumentError, EncryptedDocumentError and ArchiveLimitError, also for what zipfile raises inside.
    """
    try:
        archive = ZipFile(path)
    except _BROKEN as exc:
        raise DamagedDocumentError(f"no readable archive: {type(exc).__name__}") from exc
    with archive, uncollected():
        _check(archive.infolist())
        yield Archive(archive)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Trees of XML or JSON hold no cycles, and looking for some among millions of objects takes longer than reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def refuse_dtd(data: bytes) -> None:
    """Raises DamagedDocumentError where XML that begins with `data` has a document type before its first element."""
    try:
        for _ in defused_iterparse(io.BytesIO(data), events=("start",), forbid_dtd=True):
            return
    except DefusedXmlException as exc:
        raise DamagedDocumentError("holds a DTD or entities") from exc
    except (XmlError, ValueError, LookupError) as exc:
        raise DamagedDocumentError("no XML") from exc
    raise DamagedDocumentError("no XML")


def bounded_events(file: IO[bytes], *, most: int) -> Iterator[Event]:
    """As `Archive.events`, of XML whose beginning was checked for a DTD; `most` elements."""
    parser: XMLPullParser[Element] = XMLPullParser(events=("start", "end"))
    depth = elements = 0
    try:
        while True:
            data = file.read(_BLOCK_BYTES)
            parser.feed(data) if data else parser.close()
            for event, element in cast(Iterator[Event], parser.read_events()):
                if event == "start":
                    depth += 1
                    elements += 1
                    if depth > _MOST_DEPTH:
                        raise DamagedDocumentError("nested too deeply")
                else:
                    depth -= 1
                yield event, element
            if elements > most:
                raise ArchiveLimitError("XML of too many elements")
            if not data:
                return
    except (XmlError, ValueError) as exc:
        raise DamagedDocumentError("broken XML") from exc


def joined(folder: str, target: str) -> str:
    """The name of the part that `target` means, seen from `folder`. What leads out of the archive ends at its root."""
    target = unquote(target.split("#", 1)[0]).replace("\\", "/")
    return posixpath.normpath("/" + target if target.startswith("/") else f"/{folder}/{target}").lstrip("/")


@dataclass(frozen=True)
class CoreProperties:
    """What an Office file says of itself in docProps/core.xml."""

    title: str = ""
    modified: datetime | None = None


def core_properties(archive: Archive) -> CoreProperties:
    """Empty where the part is missing or broken: it must not cost the document."""
    if "docProps/core.xml" not in archive:
        return CoreProperties()
    try:
        values = {local(element): element.text for element in archive.root("docProps/core.xml")}
    except ParseError:
        return CoreProperties()
    return CoreProperties(values.get("title") or "", from_text(values.get("modified") or values.get("created") or ""))


def main_part(archive: Archive, *, usual: str) -> str:
    """The name of the part with the document, by the package's relations, else the `usual` one."""
    parts = archive.relations("").values()
    return next((part.name for part in parts if part.kind == "officeDocument" and part.name in archive), usual)


def _check(parts: list[ZipInfo]) -> None:
    if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
        raise EncryptedDocumentError("parts of the archive need a password")
    if len(parts) > _MOST_PARTS:
        raise ArchiveLimitError(f"{len(parts)} parts")
    if sum(part.file_size for part in parts) > _MOST_UNPACKED_BYTES:
        raise ArchiveLimitError("unpacks to more than 500 MB")
    if any(_is_bomb(part) for part in parts):
        raise ArchiveLimitError("packed too densely to be a document")


def _is_bomb(part: ZipInfo) -> bool:
    return part.file_size > _RATIO_FROM_BYTES and part.file_size > part.compress_size * _MOST_RATIO


def _plain_name(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
