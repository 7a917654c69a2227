"""What e-mails of every format share: who, when and about what stands above the text; attachments follow it."""

from dataclasses import dataclass, replace
from datetime import datetime

from ingestion.parsing.attachments import Attachment, Nesting, read_attachments, shown_names
from ingestion.parsing.base import MOST_SECTIONS, ParsedDocument, ParseOptions
from ingestion.parsing.encoding import clean
from ingestion.parsing.html import read_html
from ingestion.parsing.tables import Flow

_MOST_HEADER_CHARS = 2_000
_MOST_TITLE_CHARS = 200
# A text with so much less than its HTML twin only says that there is one.
_TWIN_SHARE = 0.25
# Cells that reach over others are repeated; more than this is no table.
_MOST_TWIN = 10


@dataclass(frozen=True)
class Envelope:
    """The lines above a message, as they are shown; '' for one that is missing."""

    sender: str = ""
    to: str = ""
    cc: str = ""
    date: str = ""
    subject: str = ""
    dated: datetime | None = None


@dataclass(frozen=True)
class Passage:
    """A part of the message's own text. Where it is there both ways, one of the two is read."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True)
class Letter:
    """A message of any format; `notes` are its reader's."""

    envelope: Envelope
    passages: tuple[Passage, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()


def read_letter(letter: Letter, *, options: ParseOptions, within: Nesting) -> ParsedDocument:
    """The message's own sections, then those of what is attached. Raises TooMuchTextError for its own text alone."""
    flow = Flow(max_chars=options.max_chars)
    flow.prose(_heading_lines(letter))
    notes = [*letter.notes]
    for passage in letter.passages:
        notes += _read_passage(passage, flow=flow)
    own = flow.sections()
    left = options.max_chars - sum(len(section.text) for section in own)
    attached = read_attachments(letter.attachments, options=replace(options, max_chars=left), within=within)
    return ParsedDocument(
        sections=(own + attached.sections)[:MOST_SECTIONS],
        title=_one_line(letter.envelope.subject)[:_MOST_TITLE_CHARS],
        dated=letter.envelope.dated,
        notes=(*notes, *flow.notes(), *attached.notes),
    )


def _heading_lines(letter: Letter) -> str:
    lines = {
        "From": letter.envelope.sender,
        "To": letter.envelope.to,
        "Cc": letter.envelope.cc,
        "Date": letter.envelope.date,
        "Subject": letter.envelope.subject,
        "Attachments": ", ".join(shown_names(letter.attachments)),
    }
    shown = ((word, _one_line(value)[:_MOST_HEADER_CHARS]) for word, value in lines.items())
    return "\n".join(f"{word}: {value}" for word, value in shown if value)


def _read_passage(passage: Passage, *, flow: Flow) -> tuple[str, ...]:
    """The text, or the HTML where that says much more; gives the notes on it."""
    if not passage.html.strip() or _says_as_much(passage):
        flow.prose(passage.text)
        return ()
    return read_html(passage.html, flow=flow).notes


def _says_as_much(passage: Passage) -> bool:
    if not passage.text.strip():
        return False
    seen = Flow(max_chars=_MOST_TWIN * len(passage.html) + _MOST_HEADER_CHARS)
    read_html(passage.html, flow=seen)
    return len(passage.text) >= _TWIN_SHARE * sum(len(section.text) for section in seen.sections())


def _one_line(value: str) -> str:
    return " ".join(clean(value).split())
