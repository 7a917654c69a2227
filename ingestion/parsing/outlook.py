"""Outlook's .msg: an OLE container ([MS-OXMSG]) whose streams are named by the properties that they hold.

olefile reads the container; a message that is attached to another is a storage in it, read the same way.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.errors import DamagedDocumentError, ParseError
from ingestion.parsing import media_types as types
from ingestion.parsing.attachments import Attachment, Budget, Nesting, ReadMessage, read_bytes
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.dates import in_utc
from ingestion.parsing.encoding import decode
from ingestion.parsing.html import decode_html
from ingestion.parsing.letters import Envelope, Letter, Passage, read_letter

if TYPE_CHECKING:
    from olefile import OleFileIO  # type: ignore[import-untyped]

Storage = tuple[str, ...]

# Properties by their numbers ([MS-OXPROPS]).
_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_SENDER_NAME, _SENDER_MAIL, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_AUTHOR_NAME, _AUTHOR_MAIL, _AUTHOR_SMTP = 0x0042, 0x0065, 0x5D02
_TO, _CC = 0x0E04, 0x0E03
_SENT, _RECEIVED, _CREATED = 0x0039, 0x0E06, 0x3007
_CODEPAGE, _HTML_CODEPAGE = 0x3FFD, 0x3FDE
_NAME, _MAIL, _SMTP, _RECIPIENT_KIND = 0x3001, 0x3003, 0x39FE, 0x0C15
_LONG_FILE_NAME, _FILE_NAME, _DATA, _MIME = 0x3707, 0x3704, 0x3701, 0x370E
_UNICODE, _STRING8, _BINARY, _OBJECT, _TIME = 0x001F, 0x001E, 0x0102, 0x000D, 0x0040

_PROPERTIES = "__properties_version1.0"
_RECIPIENT, _ATTACHMENT = "__recip_version1.0_#", "__attach_version1.0_#"
# What stands before the entries of the stream of properties, by what it belongs to.
_TOP_HEADER, _MESSAGE_HEADER, _PART_HEADER = 32, 24, 8
_ENTRY = struct.Struct("<LL8s")
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TO_KIND, _CC_KIND = 1, 2
_MOST_RECIPIENTS = 500
_MOST_ATTACHMENTS = 101
_UTF8_CODEPAGE = 65001


@dataclass(frozen=True)
class MsgParser:
    """application/vnd.ms-outlook. `within` is what it is attached to."""

    options: ParseOptions
    within: Nesting = field(default_factory=lambda: Nesting(Budget()))

    def parse(self, path: Path) -> ParsedDocument:
        """The message and what is attached to it. Raises DamagedDocumentError."""
        from olefile import OleFileIO

        try:
            with OleFileIO(str(path)) as container:
                message = _Properties(_Container(container), (), header=_TOP_HEADER)
                return _document(message, options=self.options, within=self.within)
        except ParseError:
            raise
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as exc:
            # olefile checks much, and not all, of what a broken directory can say.
            raise DamagedDocumentError(f"no readable message: {type(exc).__name__}") from exc


class _Container:
    """The streams and storages by name, whatever their case."""

    def __init__(self, file: "OleFileIO") -> None:
        self._file = file
        names = file.listdir(streams=True, storages=True)
        self._names = {tuple(part.lower() for part in name): tuple(name) for name in names}

    def read(self, name: Storage) -> bytes:
        """The stream's bytes, b'' where there is none or it is cut off."""
        found = self._names.get(tuple(part.lower() for part in name))
        if found is None:
            return b""
        try:
            with self._file.openstream(list(found)) as stream:
                return bytes(stream.read())
        except OSError:
            return b""

    def has(self, name: Storage) -> bool:
        return tuple(part.lower() for part in name) in self._names

    def children(self, storage: Storage, prefix: str) -> Iterator[Storage]:
        """The storages right below whose names begin so, in the order of their numbers."""
        depth = len(storage)
        lower = tuple(part.lower() for part in storage)
        for name in sorted(self._names):
            if len(name) == depth + 1 and name[:depth] == lower and name[depth].startswith(prefix.lower()):
                yield self._names[name]


class _Properties:
    """The properties of a message, a recipient or an attachment."""

    def __init__(self, container: _Container, storage: Storage, *, header: int) -> None:
        self.container = container
        self.storage = storage
        self._fixed: dict[int, tuple[int, bytes]] = {}
        data = container.read((*storage, _PROPERTIES))[header:]
        for tag, _, value in _ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]):
            self._fixed[tag >> 16] = (tag & 0xFFFF, value)

    def text(self, number: int) -> str:
        wide = self._stream(number, _UNICODE)
        if wide:
            return wide.decode("utf-16-le", errors="replace")
        narrow = self._stream(number, _STRING8)
        return decode(narrow, declared=self.codec(_CODEPAGE)) if narrow else ""

    def binary(self, number: int) -> bytes:
        return self._stream(number, _BINARY)

    def number(self, number: int) -> int:
        _, value = self._fixed.get(number, (0, b"\0" * 8))
        return int.from_bytes(value[:4], "little")

    def moment(self, number: int) -> datetime | None:
        kind, value = self._fixed.get(number, (0, b""))
        if kind != _TIME:
            return None
        try:
            return in_utc(_FILETIME_EPOCH + timedelta(microseconds=int.from_bytes(value, "little") // 10))
        except OverflowError:
            return None

    def codec(self, number: int) -> str | None:
        page = self.number(number)
        return None if not page else "utf-8" if page == _UTF8_CODEPAGE else f"cp{page}"

    def _stream(self, number: int, kind: int) -> bytes:
        return self.container.read((*self.storage, f"__substg1.0_{number:04X}{kind:04X}"))


def _document(message: _Properties, *, options: ParseOptions, within: Nesting) -> ParsedDocument:
    passage, notes = _passage(message), list[str]()
    packed = message.binary(_RTF)
    if packed and not passage.text.strip() and not passage.html.strip():
        text = _rich_text(packed, options=options, within=within)
        passage = Passage(text=text)
        notes += [] if text else ["The text of the message could not be read."]
    letter = Letter(_envelope(message), passages=(passage,), attachments=_attachments(message), notes=tuple(notes))
    return read_letter(letter, options=options, within=within)


def _envelope(message: _Properties) -> Envelope:
    dated = message.moment(_SENT) or message.moment(_RECEIVED) or message.moment(_CREATED)
    sender = _address(message.text(_AUTHOR_NAME), message.text(_AUTHOR_SMTP) or message.text(_AUTHOR_MAIL))
    own = _address(message.text(_SENDER_NAME), message.text(_SENDER_SMTP) or message.text(_SENDER_MAIL))
    recipients = _recipients(message)
    return Envelope(
        sender=sender or own,
        to=", ".join(recipients.get(_TO_KIND, [])) or message.text(_TO),
        cc=", ".join(recipients.get(_CC_KIND, [])) or message.text(_CC),
        date=f"{dated:%Y-%m-%d %H:%M} UTC" if dated else "",
        subject=message.text(_SUBJECT),
        dated=dated,
    )


def _recipients(message: _Properties) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    storages = list(message.container.children(message.storage, _RECIPIENT))[:_MOST_RECIPIENTS]
    for storage in storages:
        one = _Properties(message.container, storage, header=_PART_HEADER)
        address = _address(one.text(_NAME), one.text(_SMTP) or one.text(_MAIL))
        if address:
            found.setdefault(one.number(_RECIPIENT_KIND), []).append(address)
    return found


def _address(name: str, mail: str) -> str:
    # An address of the Exchange directory ('/o=…') tells a person nothing.
    mail = mail if "@" in mail else ""
    name = name.strip().strip("'\"")
    return f"{name} <{mail}>" if name and mail and name != mail else name or mail


def _passage(message: _Properties) -> Passage:
    page = message.binary(_HTML)
    codec = message.codec(_HTML_CODEPAGE)
    html = decode(page, declared=codec) if page and codec else decode_html(page) if page else message.text(_HTML)
    return Passage(text=message.text(_BODY), html=html)


def _rich_text(packed: bytes, *, options: ParseOptions, within: Nesting) -> str:
    """The body that some programs store in no other way: RTF, compressed ([MS-OXRTFCP]); '' where it is broken."""
    from compressed_rtf import decompress  # type: ignore[import-untyped]

    try:
        parsed = read_bytes(decompress(packed), media_type=types.RTF, options=options, within=within)
    except Exception:
        # The library says of a broken stream by the root of all exceptions.
        return ""
    return "\n\n".join(section.text for section in parsed.sections)


def _attachments(message: _Properties) -> tuple[Attachment, ...]:
    storages = list(message.container.children(message.storage, _ATTACHMENT))[:_MOST_ATTACHMENTS]
    return tuple(_attachment(message.container, storage) for storage in storages)


def _attachment(container: _Container, storage: Storage) -> Attachment:
    one = _Properties(container, storage, header=_PART_HEADER)
    name = one.text(_LONG_FILE_NAME) or one.text(_FILE_NAME) or one.text(_NAME)
    inner = (*storage, f"__substg1.0_{_DATA:04X}{_OBJECT:04X}")
    if container.has((*inner, _PROPERTIES)):
        return Attachment(name=name or "message", message=_reader(container, inner))
    return Attachment(name=name, media_type=one.text(_MIME).lower(), content=lambda: one.binary(_DATA))


def _reader(container: _Container, storage: Storage) -> ReadMessage:
    def read(options: ParseOptions, within: Nesting) -> ParsedDocument:
        message = _Properties(container, storage, header=_MESSAGE_HEADER)
        return _document(message, options=options, within=within)

    return read
