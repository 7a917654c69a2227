"""What is attached to a message, read by the parser of its own format, here in the same child.

One that cannot be read costs a note, never the message. Names of attachments are shown and never used as paths.
"""

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingestion.errors import NO_ROOM, ArchiveLimitError, NoTextError, ParseError, ParseMemoryError, TooMuchTextError
from ingestion.parsing import media_types as types
from ingestion.parsing.base import MOST_SECTIONS, ParsedDocument, ParseOptions, Parser, Section
from ingestion.parsing.encoding import clean
from ingestion.parsing.registry import PARSERS, loaded
from ingestion.parsing.sniff import sniff
from ingestion.parsing.unpack import NOT_IN_NAMES, ArchiveLimits, unpack

MOST_DEPTH = 3
_MOST_ATTACHMENTS = 100
# Text recognition takes seconds for a picture; the message itself must not be lost to the time limit of the child.
_MOST_SECONDS = 60.0
_MOST_BYTES = 200 * 1024 * 1024
# As files beside each other they must fit the folder that a child may fill.
_ARCHIVE_LIMITS = ArchiveLimits(entries=200, unpacked_bytes=24 * 1024 * 1024)
_MOST_NAME_CHARS = 100
_MOST_SUFFIX_CHARS = 10
_MOST_PLACE_CHARS = 200
# Smaller pictures are rules, icons and pixels that tell the sender who has read the message.
_LEAST_PICTURE_BYTES = 4 * 1024
_SUFFIXES = {
    "text/html": ".html", "text/csv": ".csv", "text/markdown": ".md", "application/json": ".json",
    "message/rfc822": ".eml", "text/plain": ".txt",
}  # fmt: skip


@dataclass
class Budget:
    """What a message and all that is attached to it may take together."""

    attachments: int = 0
    bytes: int = 0
    files: int = 0
    ends: float = field(default_factory=lambda: time.monotonic() + _MOST_SECONDS)

    def is_spent(self) -> bool:
        """Whether no further attachment may be begun."""
        return self.attachments >= _MOST_ATTACHMENTS or time.monotonic() > self.ends


@dataclass(frozen=True)
class Nesting:
    """How deep a message lies in others, and the budget that it shares with them."""

    budget: Budget
    depth: int = 0


ReadMessage = Callable[[ParseOptions, Nesting], ParsedDocument]


@dataclass(frozen=True)
class Attachment:
    """`content` gives the bytes; for a message that is part of this one, `message` reads it instead."""

    name: str
    media_type: str = ""
    content: Callable[[], bytes] = bytes
    message: ReadMessage | None = None


@dataclass(frozen=True)
class _Found:
    """The sections of one attachment, or the notes on why there are none."""

    sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()


def shown_names(attachments: Sequence[Attachment]) -> list[str]:
    """What the attachments are called, fit to be shown on a line, each at most 100 characters."""
    return [_shown_name(each.name, number=number) for number, each in enumerate(attachments, 1)]


def read_attachments(
    attachments: Sequence[Attachment], *, options: ParseOptions, within: Nesting, word: str = "Attachment"
) -> ParsedDocument:
    """All sections with their places, at most `options.max_chars` of text, and notes on what could not be read.

    `word` is what one of them is called in the notes.
    """
    if attachments and within.depth >= MOST_DEPTH:
        return ParsedDocument(sections=(), notes=(f"What is attached {MOST_DEPTH} levels deep was not read.",))
    sections: list[Section] = []
    notes: list[str] = []
    left = options.max_chars
    for number, (name, attachment) in enumerate(zip(shown_names(attachments), attachments, strict=True), 1):
        if within.budget.is_spent():
            notes.append(f"{len(attachments) - number + 1} attachments more were not read: too many, or too slow.")
            break
        within.budget.attachments += 1
        own = replace(options, name=name, max_chars=left)
        found = _read(attachment, called=f"{word} {number}", options=own, within=within)
        notes += found.notes
        sections += found.sections[: MOST_SECTIONS - len(sections)]
        left -= sum(len(section.text) for section in found.sections)
    return ParsedDocument(sections=tuple(sections), notes=tuple(notes))


def read_bytes(data: bytes, *, media_type: str, options: ParseOptions, within: Nesting) -> ParsedDocument:
    """Have the parser of this type read the bytes. Raises ParseError, and OSError for more than a file may have."""
    with _as_file(lambda: data, budget=within.budget) as path:
        return _parsed_file(path, media_type=media_type, options=options, within=within)


def _read(attachment: Attachment, *, called: str, options: ParseOptions, within: Nesting) -> _Found:
    try:
        parsed = _parsed(attachment, options=options, within=replace(within, depth=within.depth + 1))
    except Exception as exc:
        # Whatever a broken file makes a parser raise: the message is worth more.
        return _Found(notes=(f"{called} could not be read: {_reason(exc)}.",))
    return _Found(
        sections=tuple(_placed(section, name=options.name) for section in parsed.sections),
        notes=tuple(f"{called}: {note}" for note in parsed.notes),
    )


def _reason(error: Exception) -> str:
    match error:
        case ParseError():
            return error.code.replace("_", " ")
        case MemoryError():
            return ParseMemoryError.code.replace("_", " ")
        case OSError() if error.errno in NO_ROOM:
            # Not the file's fault, and it passes: the whole message is to be read again.
            raise error
        case OSError() if error.errno == errno.EFBIG:
            return "too large"
    return "damaged document"


def _parsed(attachment: Attachment, *, options: ParseOptions, within: Nesting) -> ParsedDocument:
    if options.max_chars <= 0:
        raise TooMuchTextError("nothing is left of what the message may hold")
    if attachment.message is not None:
        return attachment.message(options, within)
    with _as_file(attachment.content, budget=within.budget) as path:
        name = options.name if Path(options.name).suffix else options.name + _SUFFIXES.get(attachment.media_type, "")
        media_type = sniff(path, name=name)
        if media_type == types.ZIP:
            return _read_archive(path, options=options, within=within)
        if media_type in types.IMAGES and path.stat().st_size < _LEAST_PICTURE_BYTES:
            return ParsedDocument(sections=())
        parsed = _parsed_file(path, media_type=media_type, options=options, within=within)
    if media_type not in types.IMAGES and not any(section.text.strip() for section in parsed.sections):
        raise NoTextError("no text was found")
    return parsed


def _parsed_file(path: Path, *, media_type: str, options: ParseOptions, within: Nesting) -> ParsedDocument:
    nested = {"within": within} if media_type in (types.EML, types.MSG) else {}
    parser: Parser = loaded(PARSERS[media_type])(options, **nested)
    return parser.parse(path)


def _read_archive(path: Path, *, options: ParseOptions, within: Nesting) -> ParsedDocument:
    """Its files as attachments of the archive."""
    if within.depth >= MOST_DEPTH:
        raise ArchiveLimitError("nested too deeply")
    folder = path.with_suffix(".unpacked")
    folder.mkdir()
    try:
        members = unpack(path, folder, limits=_ARCHIVE_LIMITS)
        inner = [Attachment(name=each.name, content=(folder / each.file).read_bytes) for each in members]
        return read_attachments(inner, options=options, within=within, word="File")
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@contextmanager
def _as_file(content: Callable[[], bytes], *, budget: Budget) -> Iterator[Path]:
    """The bytes as a file with a number for a name in the working folder, for as long as it is needed."""
    budget.files += 1
    path = Path.cwd() / f"attachment-{budget.files}"
    try:
        _write(path, content(), budget=budget)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes, *, budget: Budget) -> None:
    budget.bytes += len(data)
    if budget.bytes > _MOST_BYTES:
        raise TooMuchTextError("the attachments are too large")
    path.write_bytes(data)


def _placed(section: Section, *, name: str) -> Section:
    """The section as it is cited: the attachment has no page of the message, and nothing of it can be drawn."""
    inner = section.place or (f"page {section.page}" if section.page is not None else "")
    place = f"attachment {name}" + (f", {inner}" if inner else "")
    heading = f"{name} > {section.heading}" if section.heading else name
    return replace(section, page=None, place=place[:_MOST_PLACE_CHARS], heading=heading, lines=())


def _shown_name(name: str, *, number: int) -> str:
    """The last part of the name, without what could turn it round or break its line."""
    words = " ".join(NOT_IN_NAMES.sub("", clean(name)).replace("\\", "/").rsplit("/", 1)[-1].split())
    if not words.strip(". "):
        return f"number {number}"
    stem, dot, suffix = words.rpartition(".")
    if len(words) > _MOST_NAME_CHARS and dot and len(suffix) < _MOST_SUFFIX_CHARS:
        return f"{stem[: _MOST_NAME_CHARS - len(suffix) - 1]}.{suffix}"
    return words[:_MOST_NAME_CHARS]
