"""Plain text: decoded, cleaned, one section."""

from dataclasses import dataclass
from pathlib import Path

from ingestion.errors import TooMuchTextError
from ingestion.parsing.base import ParsedDocument, ParseOptions, Section
from ingestion.parsing.encoding import clean, decode

# No encoding that is decoded here takes more bytes for one character.
_MOST_BYTES_A_CHAR = 4


def read_text_bytes(path: Path, *, max_chars: int) -> bytes:
    """The bytes of a text file. Raises TooMuchTextError by size alone, before anything is read."""
    if path.stat().st_size > max_chars * _MOST_BYTES_A_CHAR:
        raise TooMuchTextError(f"more than {max_chars} characters")
    return path.read_bytes()


@dataclass(frozen=True)
class TextParser:
    """text/plain."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """One section with all the text."""
        text = clean(decode(read_text_bytes(path, max_chars=self.options.max_chars)))
        return ParsedDocument(sections=(Section(text),))
