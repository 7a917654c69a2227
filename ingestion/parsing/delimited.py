"""Tables as text: CSV with commas, semicolons, bars or tabs, whichever of them evenly gives columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from ingestion.errors import DamagedDocumentError, TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.encoding import decode
from ingestion.parsing.tables import Flow
from ingestion.parsing.text import read_text_bytes

_Quoting = Literal[0, 3]
_DELIMITERS = ("\t", ";", ",", "|")
_SAMPLE_CHARS = 64 * 1024
_SAMPLE_ROWS = 100
# Excel's own word in the first line for what parts the values.
_SAID = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
# A quote that is never closed makes one value of the rest of the file.
_MOST_LINES_A_VALUE = 500
_MOST_LABEL_CHARS = 200
_MOST_NAME_CHARS = 120
_NUMBER = re.compile(r"[-+]?[\d.,' ]*\d[\d.,' ]*%?$")
_YEAR = re.compile(r"(19|20)\d\d$")


@dataclass(frozen=True)
class DelimitedParser:
    """text/csv. One table; single values above it are its caption."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises TooMuchTextError, and DamagedDocumentError where the bytes are no text."""
        text = decode(read_text_bytes(path, max_chars=self.options.max_chars)).replace("\x00", "").lstrip("\ufeff")
        said = _SAID.match(text)
        text = text[said.end() :] if said else text
        delimiter = said.group(1) if said else _delimiter(text)
        flow = Flow(max_chars=self.options.max_chars)
        rows = self._rows(text, delimiter=delimiter)
        captions: list[str] = []
        while len(rows) > 1 and len(_filled(rows[0])) == 1 and _is_wide(rows):
            captions.append(_filled(rows.pop(0))[0])
        caption = captions.pop(0) if captions and len(captions[0]) <= _MOST_LABEL_CHARS else ""
        for line in captions:
            flow.prose(line)
        flow.table(rows, head_rows=int(_is_head(rows)), caption=caption)
        return ParsedDocument(sections=flow.sections(), title=caption, notes=flow.notes())

    def _rows(self, text: str, *, delimiter: str) -> list[list[str]]:
        """Rows with values. Quotes that are never closed are taken for signs as any other."""
        ways: tuple[_Quoting, ...] = (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)
        for quoting in ways:
            try:
                return list(self._bounded(_read(text, delimiter=delimiter, quoting=quoting), quoting=quoting))
            except (csv.Error, _OpenQuoteError):
                continue
        raise DamagedDocumentError("no rows")

    def _bounded(self, rows: Iterator[list[str]], *, quoting: _Quoting) -> Iterator[list[str]]:
        chars = 0
        for row in rows:
            if quoting != csv.QUOTE_NONE and any(value.count("\n") > _MOST_LINES_A_VALUE for value in row):
                raise _OpenQuoteError
            chars += sum(len(value) + 3 for value in row)
            if chars > self.options.max_chars:
                raise TooMuchTextError(f"more than {self.options.max_chars} characters")
            if any(row):
                yield row


class _OpenQuoteError(Exception):
    """A value of hundreds of lines."""


def _read(text: str, *, delimiter: str, quoting: _Quoting = csv.QUOTE_MINIMAL) -> Iterator[list[str]]:
    csv.field_size_limit(len(text) + 1)
    return csv.reader(_lines(text), delimiter=delimiter, quoting=quoting, skipinitialspace=delimiter != "\t")


def _lines(text: str) -> Iterator[str]:
    """With their ends, of any kind, and without blank ones; nothing is copied at once."""
    start = 0
    for end in re.finditer(r"[\r\n]++", text):
        yield text[start : end.start()] + "\n"
        start = end.end()
    if start < len(text):
        yield text[start:]


def _delimiter(text: str) -> str:
    """What most evenly parts the first rows into the most columns; a comma where nothing does."""
    sample = text[:_SAMPLE_CHARS]
    if len(text) > _SAMPLE_CHARS and "\n" in sample:
        sample = sample[: sample.rindex("\n")]
    scored = [(_evenness(sample, delimiter), -place) for place, delimiter in enumerate(_DELIMITERS)]
    (score, place) = max(scored)
    return _DELIMITERS[-place] if score > 0 else ","


def _evenness(sample: str, delimiter: str) -> float:
    try:
        widths = [len(row) for row in islice(_read(sample, delimiter=delimiter), _SAMPLE_ROWS) if any(row)]
    except csv.Error:
        return 0
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return 0
    width, rows = counts.most_common(1)[0]
    # One more column is worth less than one more row that has them all.
    return rows / len(widths) * (2 - 1 / width)


def _filled(row: list[str]) -> list[str]:
    return [value for value in row if value.strip()]


def _is_wide(rows: list[list[str]]) -> bool:
    return any(len(_filled(row)) > 1 for row in islice(rows, _SAMPLE_ROWS))


def _is_head(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: no sentences, and no numbers with numbers below them but years."""
    if len(rows) < 2:
        return False
    return not any(
        len(value) > _MOST_NAME_CHARS or (_is_number(value) and _is_number(below) and not _YEAR.match(value.strip()))
        for value, below in zip(rows[0], rows[1], strict=False)
    )


def _is_number(value: str) -> bool:
    return len(value) < 40 and bool(_NUMBER.match(value.strip()))
