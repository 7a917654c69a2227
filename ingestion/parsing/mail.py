"""E-mail as it travels (RFC 5322, MIME). The standard library takes it apart; every header may be malformed."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path
from typing import BinaryIO, cast

from ingestion.parsing.attachments import Attachment, Budget, Nesting
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.charsets import decode_as
from ingestion.parsing.dates import from_text
from ingestion.parsing.encoding import decode
from ingestion.parsing.html import decode_html
from ingestion.parsing.letters import Envelope, Letter, Passage, read_letter

# The modern policy reads each header by a grammar, which takes seconds for a long one and raises on a malformed one.
_POLICY = policy.compat32
# What the library raises on one header or part or another that it does not understand.
_MALFORMED = (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError)
_MOST_HEADER_CHARS = 20_000
_MOST_PARTS = 10_000
_SHAPE_BYTES = 4096
_WIDE_NULS = 0.2
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
_TEXT, _HTML = "text/plain", "text/html"


@dataclass(frozen=True)
class EmlParser:
    """message/rfc822. `within` is what it is attached to."""

    options: ParseOptions
    within: Nesting = field(default_factory=lambda: Nesting(Budget()))

    def parse(self, path: Path) -> ParsedDocument:
        """The message and what is attached to it; one that is no message is its text."""
        notes: tuple[str, ...] = ()
        try:
            with _opened(path) as file:
                message = BytesParser(policy=_POLICY).parse(file)
        except (RecursionError, *_MALFORMED):
            with _opened(path) as file:
                message = BytesHeaderParser(policy=_POLICY).parse(file)
            notes = ("The message is malformed or nested too deeply; its parts were not told apart.",)
        return _document(message, notes=notes, options=self.options, within=self.within)


def _opened(path: Path) -> BinaryIO:
    """The message from its first header on; one that was saved as UTF-16 or UTF-32, or with a mark, as UTF-8."""
    file = path.open("rb")
    head = file.read(_SHAPE_BYTES)
    if head.startswith(_MARKS) or head.count(0) > len(head) * _WIDE_NULS:
        with file:
            file.seek(0)
            return io.BytesIO(decode(file.read()).lstrip("\ufeff\r\n").encode("utf-8", errors="replace"))
    file.seek(len(head) - len(head.lstrip(b"\r\n")))
    return file


def _document(message: Message, *, notes: tuple[str, ...], options: ParseOptions, within: Nesting) -> ParsedDocument:
    body: dict[int, list[_Part]] = {}
    attachments: list[Attachment] = []
    for part in _leaves(message):
        attached = _attachment(part)
        if attached is not None:
            attachments.append(attached)
        elif part.message.get_content_maintype() != "text" or part.message.get_content_type() in (_TEXT, _HTML):
            body.setdefault(id(part.message) if part.choice is None else part.choice, []).append(part)
    passages = tuple(_passage(parts) for parts in body.values())
    letter = Letter(_envelope(message), passages=passages, attachments=tuple(attachments), notes=notes)
    return read_letter(letter, options=options, within=within)


# ------------------------------------------------------------------------------------------------------------- headers
def _envelope(message: Message) -> Envelope:
    date = _header(message, "Date")
    return Envelope(
        sender=_header(message, "From") or _header(message, "Sender"),
        to=_header(message, "To"),
        cc=_header(message, "Cc"),
        date=date,
        subject=_header(message, "Subject"),
        dated=from_text(date),
    )


def _header(message: Message, name: str) -> str:
    """The header's text with encoded words (RFC 2047) decoded; as it stands where they are malformed."""
    return _decoded(_raw_header(message, name))


def _raw_header(message: Message, name: str) -> str:
    raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    # Bytes beyond ASCII come as lone surrogates.
    return decode(str(raw)[:_MOST_HEADER_CHARS].encode("utf-8", errors="surrogateescape"))


def _decoded(text: str) -> str:
    if "=?" not in text:
        return text
    try:
        return "".join(_word(value, charset) for value, charset in decode_header(text))
    except _MALFORMED:
        return text


def _word(value: str | bytes, charset: str | None) -> str:
    if isinstance(value, str):
        return value
    return decode_as(value, charset=charset) if charset else value.decode("raw-unicode-escape", errors="replace")


# --------------------------------------------------------------------------------------------------------------- parts
@dataclass(frozen=True)
class _Part:
    """A part without parts. `choice` tells parts of which one is to be chosen (multipart/alternative), else None."""

    message: Message
    choice: int | None


def _leaves(message: Message) -> Iterator[_Part]:
    """All parts in their order; attached messages are not taken apart."""
    waiting: list[tuple[Message, int | None]] = [(message, None)]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        part, choice = waiting.pop()
        if not part.is_multipart() or part.get_content_maintype() == "message":
            yield _Part(part, choice)
            continue
        if part.get_content_type() == "multipart/alternative":
            choice = id(part)
        waiting += [(child, choice) for child in reversed(_parts(part))]


def _attachment(part: _Part) -> Attachment | None:
    """What the part is attached as; None for a part of the body."""
    message = part.message
    kind = message.get_content_type()
    name = _name(message)
    if kind == "message/rfc822" and message.is_multipart():
        return _attached_message(message, name=name)
    is_text = kind in (_TEXT, _HTML) or (message.get_content_maintype() == "text" and part.choice is not None)
    if is_text and message.get_content_disposition() != "attachment" and not name:
        return None
    if message.get_content_maintype() in ("message", "multipart"):
        return None
    return Attachment(name=name, media_type=kind, content=lambda: _taken(message))


def _attached_message(message: Message, *, name: str) -> Attachment:
    inner = _parts(message)[0]

    def read(options: ParseOptions, within: Nesting) -> ParsedDocument:
        return _document(inner, notes=(), options=options, within=within)

    return Attachment(name=name or _header(inner, "Subject") or "message", message=read)


def _name(message: Message) -> str:
    """The name that the part was given, '' where it has none or one that cannot be read."""
    # The library reads no header with bytes beyond ASCII; decoded it does.
    readable = Message(policy=_POLICY)
    for header in ("Content-Disposition", "Content-Type"):
        raw = _raw_header(message, header)
        if raw:
            readable[header] = raw
    try:
        return _decoded(readable.get_filename() or "")
    except _MALFORMED:
        return ""


def _bytes(message: Message) -> bytes:
    """The part's content with its transfer encoding undone as far as it goes."""
    if message.is_multipart():
        return _reported(_parts(message))
    try:
        return bytes(message.get_payload(decode=True))
    except _MALFORMED:
        return b""


def _parts(message: Message) -> list[Message]:
    return cast(list[Message], message.get_payload())


def _taken(message: Message) -> bytes:
    """As `_bytes`, once: two copies of a large attachment are one too many."""
    data = _bytes(message)
    message.set_payload("")
    return data


def _reported(parts: list[Message]) -> bytes:
    """What a mail server says of a delivery: blocks of header lines."""
    blocks = ("\n".join(f"{name}: {value}" for name, value in part.raw_items()) for part in parts[:_MOST_PARTS])
    return "\n\n".join(blocks).encode("utf-8", errors="surrogateescape")


def _charset(message: Message) -> str | None:
    try:
        return message.get_content_charset()
    except _MALFORMED:
        return None


def _passage(parts: list[_Part]) -> Passage:
    """The parts of one choice: what of them is text, and what is HTML."""
    texts: list[str] = []
    pages: list[str] = []
    for part in parts:
        data, charset = _bytes(part.message), _charset(part.message)
        if part.message.get_content_type() != _HTML:
            texts.append(decode_as(data, charset=charset).strip("\r\n"))
        else:
            pages.append(decode_as(data, charset=charset) if charset else decode_html(data))
    return Passage(text="\n\n".join(texts), html="\n".join(pages))
