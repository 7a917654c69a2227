"""Rich Text Format: paragraphs, headings by their style, tables and notes; what nobody sees is left out.

Reads the file token by token, in time and memory that grow with its length alone (RTF 1.9.1).
"""

import codecs
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from ingestion.errors import DamagedDocumentError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.dates import in_utc
from ingestion.parsing.tables import Flow

# A control word, bytes in hex, a control sign, a brace, text. Line breaks of the file mean nothing.
_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|((?:\\'[0-9a-fA-F]{2})++)|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]++)|[\r\n]++|\\"
)
_MOST_BYTES = 200 * 1024 * 1024
_MOST_DEPTH = 2_000
_TINY_HALF_POINTS = 2
_MOST_CELLS = 1_000
_HEADING_NAME = re.compile(r"heading (\d)\b", re.IGNORECASE)

# Groups that hold no text of the document.
_SKIPPED = frozenset(
    {
        *("pict", "objdata", "object", "themedata", "colorschememapping", "datastore", "generator", "xmlnstbl"),
        *("listtable", "listoverridetable", "rsidtbl", "fldinst", "nonshppict", "bkmkstart", "bkmkend", "filetbl"),
        *("revtbl", "sp", "template", "latentstyles", "pgptbl", "mmathPr", "private", "xe", "tc", "ftnsep", "aftnsep"),
        *("ftnsepc", "aftnsepc", "ftncn", "aftncn", "annotation", "atnid", "atnauthor", "htmltag", "pntxta", "pntxtb"),
        *("author", "operator", "company", "doccomm", "keywords", "subject", "manager", "category", "comment"),
        *("hlinkbase", "creatim", "printim", "buptim", "userprops", "docvar", "falt", "panose", "fontemb", "do"),
    }
)
# Of the groups that say 'skip me if you do not know me', these hold text.
_KNOWN = frozenset({"shpinst", "shptxt", "shppict", "ud", "footnote"})
_ASIDE = frozenset({"header", "footer", "headerl", "headerr", "headerf", "footerl", "footerr", "footerf"})
_TABLES = frozenset({"fonttbl", "colortbl", "stylesheet"})
_SIGNS = {
    **{
        "tab": " ",
        "line": "\n",
        "emdash": "—",
        "endash": "\u2013",
        "bullet": "•",
        "lquote": "\u2018",
        "rquote": "\u2019",
    },
    **{"ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "nestcell": ", "},
    **{"nestrow": "; "},
}
_ESCAPED = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\", "\n": "\n", "\r": "\n"}
_CHARSETS = {
    **{0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253"},
    **{162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874"},
    **{238: "cp1250", 254: "cp437", 255: "cp850"},
}


@dataclass(frozen=True)
class _State:
    """What holds within a group. `into` is where its text goes: '' is the document."""

    into: str = ""
    encoding: str = ""
    skips: int = 1
    hidden: bool = False
    tiny: bool = False
    color: int = 0
    ground: int = 0

    def is_unseen(self, *, white: set[int]) -> bool:
        return self.hidden or self.tiny or (self.color in white and not self.ground)


@dataclass
class _Tables:
    """The fonts' encodings, the colors that are white, and the styles that are headings."""

    fonts: dict[int, str] = field(default_factory=dict)
    white: set[int] = field(default_factory=set)
    colors: int = 0
    color: list[int] = field(default_factory=list)
    styles: dict[int, int] = field(default_factory=dict)
    current: int = 0
    level: int | None = None
    name: str = ""


@dataclass(frozen=True)
class RtfParser:
    """application/rtf."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises DamagedDocumentError and TooMuchTextError."""
        if path.stat().st_size > _MOST_BYTES:
            raise TooMuchTextError("the RTF is too large")
        flow = Flow(max_chars=self.options.max_chars)
        reader = _Reader(flow)
        reader.read(path.read_bytes().decode("latin-1"))
        return ParsedDocument(
            sections=flow.sections(),
            title=" ".join(reader.title.split()) or flow.first_heading,
            dated=reader.dated(),
            notes=(*reader.remarks(), *flow.notes()),
        )


class _Reader:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._stack: list[_State] = []
        self._state = _State()
        self._tables = _Tables()
        self._default_encoding = "cp1252"
        self._default_font = 0
        self._bytes = bytearray()
        self._to_skip = 0
        self._starred = False
        self._pieces: dict[str, list[str]] = {"": []}
        self._level: int | None = None
        self._label = ""
        self._in_table = False
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._notes: list[str] = []
        self._asides: dict[str, None] = {}
        self._hidden_chars = 0
        self._time: dict[str, int] = {}
        self.title = ""

    def read(self, text: str) -> None:
        if not text.lstrip("\ufeff\x00 \r\n\t").startswith("{\\rtf"):
            raise DamagedDocumentError("no RTF")
        place = text.index("{\\rtf")
        while match := _TOKEN.match(text, place):
            place = match.end()
            word, number, byte, sign, brace, run = match.groups()
            if word == "bin":
                place += max(0, int(number or 0))
            elif byte or run:
                self._characters(bytes.fromhex(byte.replace("\\'", "")) if byte else run.encode("latin-1"))
            else:
                self._decode()
                if brace and not self._brace(brace):
                    break
                if sign:
                    self._sign(sign)
                elif word:
                    self._word(word, int(number) if number else None)
        self._decode()
        self._paragraph()
        self._end_table()
        self._flow.move()
        for line in self._asides:
            if any(char.isalpha() for char in line):
                self._flow.prose(line)

    def remarks(self) -> tuple[str, ...]:
        return (f"{self._hidden_chars} characters of hidden text were dropped.",) if self._hidden_chars else ()

    def dated(self) -> datetime | None:
        time = self._time
        try:
            return in_utc(datetime(time["yr"], time["mo"], time["dy"], time.get("hr", 0), time.get("min", 0)))
        except (KeyError, ValueError, OverflowError):
            return None

    # ---- tokens

    def _brace(self, brace: str) -> bool:
        """Opens or closes a group; False where the last one closes: what follows is no document."""
        self._to_skip = 0
        self._starred = False
        if brace == "{":
            if len(self._stack) >= _MOST_DEPTH:
                raise DamagedDocumentError("nested too deeply")
            self._stack.append(self._state)
            return True
        if not self._stack:
            return False
        closed, self._state = self._state, self._stack.pop()
        if closed.into != self._state.into:
            self._end_group(closed.into)
        return bool(self._stack)

    def _sign(self, sign: str) -> None:
        if sign == "*":
            self._starred = True
        elif sign in _ESCAPED:
            self._say(_ESCAPED[sign])
            if sign in "\r\n":
                self._paragraph()

    def _word(self, word: str, number: int | None) -> None:
        starred, self._starred = self._starred, False
        self._to_skip = 0
        into = self._destination(word, starred=starred)
        if into is not None:
            if self._state.into not in ("skip", *_TABLES):
                self._state = replace(self._state, into=into)
        elif word in ("u", "uc", "ansicpg", "deff", "f"):
            self._encoding(word, number)
        elif self._state.into in _TABLES:
            self._table_word(word, number)
        elif word in ("yr", "mo", "dy", "hr", "min") and self._state.into == "revtim":
            self._time[word] = number or 0
        elif word in _SIGNS:
            self._say(_SIGNS[word])
        elif self._state.into != "skip":
            self._look(word, number)
            self._structure(word, number)

    def _destination(self, word: str, *, starred: bool) -> str | None:
        """Where the text of a group goes that begins with this word; None where it is no such word."""
        if word in _TABLES or word in ("title", "revtim", "footnote"):
            return word
        if word in ("pntext", "listtext"):
            return "label"
        if word in _ASIDE:
            return "aside"
        if word in _SKIPPED or (starred and word not in _KNOWN):
            return "skip"
        return None

    def _encoding(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._say(chr(number % 0x10000))
            self._to_skip = self._state.skips
        elif word == "uc":
            self._state = replace(self._state, skips=min(max(number or 0, 0), 16))
        elif word == "ansicpg":
            self._default_encoding = _codec(f"cp{number}") or self._default_encoding
        elif word == "deff":
            self._default_font = number or 0
        elif self._state.into == "fonttbl":
            self._tables.current = number or 0
        else:
            self._state = replace(self._state, encoding=self._tables.fonts.get(number or 0, ""))

    def _look(self, word: str, number: int | None) -> None:
        """What makes characters seen or unseen."""
        if word == "plain":
            self._state = replace(self._state, hidden=False, tiny=False, color=0, ground=0)
        elif word == "v":
            self._state = replace(self._state, hidden=number != 0)
        elif word == "fs":
            self._state = replace(self._state, tiny=0 <= (24 if number is None else number) <= _TINY_HALF_POINTS)
        elif word == "cf":
            self._state = replace(self._state, color=number or 0)
        elif word in ("cb", "highlight", "chcbpat", "cbpat"):
            self._state = replace(self._state, ground=number or 0)

    def _structure(self, word: str, number: int | None) -> None:
        if word == "par" or word in ("sect", "page"):
            self._paragraph()
        elif word == "pard":
            self._level, self._in_table = None, False
        elif word in ("intbl", "itap"):
            self._in_table = number != 0
        elif word == "outlinelevel":
            self._level = (number or 0) + 1 if 0 <= (number or 0) < 9 else None
        elif word == "s":
            self._level = self._tables.styles.get(number or 0, self._level)
        elif word == "cell":
            self._cell()
        elif word == "row":
            self._rows.append(self._cells)
            self._cells = []
            self._in_table = False

    def _table_word(self, word: str, number: int | None) -> None:
        tables = self._tables
        if word == "fcharset":
            tables.fonts[tables.current] = _CHARSETS.get(number or 0, "")
        elif word == "s":
            tables.current, tables.level, tables.name = number or 0, None, ""
        elif word == "outlinelevel":
            tables.level = (number or 0) + 1 if 0 <= (number or 0) < 9 else None
        elif word in ("red", "green", "blue"):
            tables.color.append(number or 0)

    # ---- text

    def _characters(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._state.into != "skip":
            self._bytes += data

    def _decode(self) -> None:
        """The bytes so far, in the encoding of their font: characters of two bytes come as two tokens."""
        if self._bytes:
            font = self._state.encoding or self._tables.fonts.get(self._default_font, "")
            data, self._bytes = bytes(self._bytes), bytearray()
            self._say(data.decode(font or self._default_encoding, errors="replace"))

    def _say(self, text: str) -> None:
        into = self._state.into
        if into == "skip":
            return
        if into in _TABLES:
            self._table_text(text)
        elif self._state.is_unseen(white=set() if self._in_table else self._tables.white):
            self._hidden_chars += len(text)
        else:
            self._pieces.setdefault(into, []).append(text)

    def _table_text(self, text: str) -> None:
        tables = self._tables
        if self._state.into == "colortbl":
            for _ in range(text.count(";")):
                if len(tables.color) == 3 and min(tables.color) >= 250:
                    tables.white.add(tables.colors)
                tables.color = []
                tables.colors += 1
        elif self._state.into == "stylesheet":
            tables.name = (tables.name + text)[:100]
            heading = _HEADING_NAME.match(tables.name)
            level = int(heading.group(1)) if heading else tables.level
            if level and ";" in text:
                tables.styles[tables.current] = level
                tables.name = ""

    def _taken(self, into: str = "") -> str:
        text = "".join(self._pieces.pop(into, ()))
        if text.isascii():
            return text
        # Halves of one character beyond the first 65,536.
        return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")

    def _end_group(self, into: str) -> None:
        text = self._taken(into).strip() if into in self._pieces else ""
        if into == "title":
            self.title = self.title or text[:500]
        elif into == "aside":
            self._asides.update(dict.fromkeys(" ".join(line.split()) for line in text.split("\n")))
        elif into == "footnote" and text:
            self._notes.append(text)
        elif into == "label":
            self._label = text

    def _paragraph(self) -> None:
        if self._state.into == "skip":
            return
        if self._state.into:
            self._pieces.setdefault(self._state.into, []).append("\n")
            return
        if self._in_table:
            self._pieces.setdefault("", []).append("\n")
            return
        text, label = self._taken().strip(), self._label
        self._label = ""
        if not text:
            return
        self._end_table()
        if self._level is not None:
            self._flow.heading(f"{label} {text}" if label and label[0].isalnum() else text, level=self._level)
        elif label:
            self._flow.item(f"{label if label[0].isalnum() else '-'} {' '.join(text.split())}")
        else:
            self._flow.prose(text)
        self._say_notes()

    def _cell(self) -> None:
        text = " ".join((self._label, self._taken())).strip()
        self._label = ""
        if len(self._cells) >= _MOST_CELLS:
            raise DamagedDocumentError("a row of more cells than a table has")
        self._cells.append(text)

    def _end_table(self) -> None:
        if self._cells:
            self._rows.append(self._cells)
        if self._rows:
            self._flow.table(self._rows)
            self._say_notes()
        self._rows, self._cells = [], []

    def _say_notes(self) -> None:
        for note in self._notes:
            self._flow.prose(note)
        self._notes = []


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
