"""Bytes to clean text: which encoding, and which characters never belong in stored text.

Knows no format: the parsers for text, Markdown and HTML, and the sniffer, share it.
"""

import codecs
import re

from charset_normalizer import from_bytes

from ingestion.errors import DamagedDocumentError

# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# charset-normalizer reads slowly, and one encoding holds for a whole file.
_DETECTION_BYTES = 64 * 1024
# With fewer bytes beyond ASCII, detection guesses Chinese for a price list with two umlauts.
_DETECTABLE_BYTES = 12
# Told by their shape before; and the old Macintosh's, which differ from Windows' by a letter and always win.
_NOT_DETECTED = [
    *("utf_7", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"),
    *("mac_cyrillic", "mac_greek", "mac_iceland", "mac_latin2", "mac_roman", "mac_turkish"),
]
# Invisible, and able to carry hidden instructions or to turn the reading direction round: zero-width, bidirectional
# overrides, invisible operators, Hangul fillers, annotations, musical controls, tag characters and the variation
# selectors beyond them. What writing needs stays: joiners (U+200C, U+200D), direction marks, emoji's selectors.
_HIDING = (
    "\u180e\u200b\u2060-\u2064\u202a-\u202e\u2066-\u206f\u3164\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_HIDING}]")
# PostgreSQL refuses NUL, UTF-8 refuses lone surrogates; soft hyphens would part the words that are searched for.
_UNWANTED = re.compile(f"[\x00-\x08\x0b\x0e-\x1f\x7f\xad\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff{_HIDING}]")
_LINE_END = re.compile("\r\n?|\x0c|\x85|\u2028|\u2029")
# Each run of blanks is looked at once, from its beginning: a line of a million blanks must not take a million squared.
_TRAILING_BLANKS = re.compile(r"(?<![ \t])[ \t]++(?=\n|$)")
# Browsers never decode UTF-7: it hides markup from every check (WHATWG Encoding, 'replacement'). Those of host names
# are no encodings of documents, and take quadratic time.
_NEVER_DECLARED = {"utf-7", "unicode-escape", "raw-unicode-escape", "punycode", "idna"}


def clean(text: str) -> str:
    """Text that every store takes: line ends as \\n, no invisible controls, no trailing blanks on lines."""
    if text.isascii() and text.isprintable():
        # One line of nothing special, as most cells and paragraphs are.
        return text.rstrip(" ")
    plain = _UNWANTED.sub("", _LINE_END.sub("\n", text)).replace("\xa0", " ")
    return _TRAILING_BLANKS.sub("", plain)


def hidden_characters(text: str) -> int:
    """How many characters nobody sees `clean` takes out of the text: a document full of them hides something."""
    return 0 if text.isascii() else len(_HIDDEN.findall(text))


def decode(data: bytes, *, declared: str | None = None) -> str:
    """Decode by byte-order mark, UTF-16/32 shape, declaration, UTF-8, then by detection; never fails on text.

    A declaration that cannot decode the bytes is not believed. Raises DamagedDocumentError for a
    byte-order mark that the rest contradicts.
    """
    encoding = _marked(data) or _wide(data)
    if encoding:
        return _strictly(data, encoding=encoding)
    for candidate in ("utf-8", declared):
        text = _attempt(data, encoding=candidate)
        if text is not None:
            return text
    return data.decode(_detected(data), errors="replace")


def _strictly(data: bytes, *, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        # One broken character must not cost the document, a file of them is no text.
        text = data.decode(encoding, errors="replace")
    if text.count("\ufffd") > len(text) // 20:
        raise DamagedDocumentError(f"the bytes are no {encoding}")
    return text


def _marked(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def _wide(data: bytes) -> str | None:
    """UTF-16/32 without a mark: mostly-ASCII text has NULs at fixed places."""
    head = data[:4096]
    head = head[: len(head) // 4 * 4]
    if len(head) < 8 or head.count(0) < len(head) // 4:
        return None
    share = [head[i::4].count(0) / (len(head) // 4) for i in range(4)]
    shapes = {
        "utf-32-le": share[1] > 0.8 and share[2] > 0.9 and share[3] > 0.9,
        "utf-32-be": share[0] > 0.9 and share[1] > 0.9 and share[2] > 0.8,
        "utf-16-le": share[1] > 0.6 and share[3] > 0.6 and share[0] < 0.2,
        "utf-16-be": share[0] > 0.6 and share[2] > 0.6 and share[1] < 0.2,
    }
    return next((name for name, fits in shapes.items() if fits), None)


def _attempt(data: bytes, *, encoding: str | None) -> str | None:
    if not encoding or encoding.lower().replace("_", "-") in _NEVER_DECLARED:
        return None
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _detected(data: bytes) -> str:
    """For bytes that are no UTF-8. Short runs tell nothing, and a few bad bytes do not unmake UTF-8."""
    replaced = data[:_DETECTION_BYTES].decode("utf-8", errors="replace")
    bad = replaced.count("\ufffd")
    if sum(1 for char in replaced if char > "\x7f") - bad > bad:
        return "utf-8"
    if bad < _DETECTABLE_BYTES:
        return "cp1252"
    best = from_bytes(data[:_DETECTION_BYTES], cp_exclusion=_NOT_DETECTED).best()
    return best.encoding if best else "cp1252"
