"""Media type by content. The name only breaks the tie among text types, and convicts a false .pdf or .docx.

Unpacks nothing and runs no parser: it runs in the server's own process, on bytes nobody has checked.
"""

import json
import re
from pathlib import Path

from ingestion.errors import (
    DamagedDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    UnsupportedTypeError,
)
from ingestion.parsing import media_types as types
from ingestion.parsing.containers import OLE_MAGIC, UnreadableContainerError, declared_type, ole_names, zip_directory
from ingestion.parsing.encoding import decode

_HEAD_BYTES = 16 * 1024
# Readers take a PDF header that begins within the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
_PDF_HEADER_WITHIN = 1024

# ---- containers
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OFFICE_FOLDERS = {"word/": types.DOCX, "ppt/": types.PPTX, "xl/": types.XLSX}
_OFFICE_MARKS = ("[content_types].xml", "_rels/.rels")
_BINARY_WORKBOOK = "xl/workbook.bin"
_ODF = "application/vnd.oasis.opendocument."
_ODF_TEXTS = frozenset({_ODF + "text", _ODF + "text-template", _ODF + "text-master", _ODF + "text-web"})
_ODF_MARK, _EPUB_MARK = "meta-inf/manifest.xml", "meta-inf/container.xml"

# ---- names: of these a different content is a mistake that the person should hear of
_CONVICTED = frozenset(
    {
        *(".pdf", ".docx", ".docm", ".dotx", ".pptx", ".pptm", ".ppsx", ".potx", ".xlsx", ".xlsm", ".xltx"),
        *(".odt", ".epub", ".msg", ".zip", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"),
        *(".heic", ".heif"),
    }
)
_BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd"), types.MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), types.HTML),
    **dict.fromkeys((".csv", ".tsv", ".tab"), types.CSV),
    ".eml": types.EML,
}
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".geojson"})
# With these, what looks like an e-mail or like JSON may well be a page about one.
_PROSE_SUFFIXES = frozenset({".txt", ".text", ".log", ".rst", ".asc"})
# Text by its bytes, but a format of its own that would be stored as noise.
_FOREIGN_TEXT_SUFFIXES = frozenset({".mbox", ".svg", ".ps", ".eps", ".ics", ".vcf"})

# ---- content of texts
# Possessive throughout: a file of comments must not be read in every way in which they can be told apart.
_HTML_START = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s++html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_MBOX_START = re.compile(r"From \S{1,300} .{0,60}\d\d:\d\d:\d\d.{0,20}\d{4}\s", re.DOTALL)
_HEADER_LINE = re.compile(r"([!-9;-~]{1,80}):[ \t\r\n]")
_MOST_HEADER_LINES = 300
# Those that no person types, and those that a memo has too.
_MACHINE_HEADERS = frozenset(
    {
        *("received", "return-path", "message-id", "mime-version", "content-type", "delivered-to", "dkim-signature"),
        *("content-transfer-encoding", "x-mailer", "x-received", "references", "in-reply-to"),
    }
)
_LETTER_HEADERS = frozenset({"from", "to", "cc", "bcc", "subject", "date", "sent", "reply-to", "sender"})
_JSON_START = re.compile(r"\s*+(?:[\[{\"\d-]|true|false|null)")
_FOREIGN_STARTS = ("<?xml", "<svg", "%!PS", "BEGIN:VCALENDAR", "BEGIN:VCARD")
_BINARY_STARTS = (
    *(b"RIFF", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"MZ", b"\xfd7zXZ", b"\x5d\x00\x00"),
    *(b"\x28\xb5\x2f\xfd", b"\x01\x00\x00\x00", b"ID3", b"OggS", b"fLaC", b"\xca\xfe\xba\xbe", b"SQLite format 3"),
)
_CONTROL_SHARE = 0.05
_FEW_CONTROLS = 4
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")

# ---- images
_IMAGE_STARTS = (
    (b"\x89PNG\r\n\x1a\n", types.PNG),
    (b"\xff\xd8\xff", types.JPEG),
    (b"GIF87a", types.GIF),
    (b"GIF89a", types.GIF),
    (b"II*\x00", types.TIFF),
    (b"MM\x00*", types.TIFF),
    (b"II+\x00", types.TIFF),
    (b"MM\x00+", types.TIFF),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_HEIF_BRANDS = frozenset({b"mif1", b"msf1"})
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})


def sniff(path: Path, *, name: str) -> str:
    """The media type of the file at `path`, one of media_types; `name` is what the person called it.

    Raises EmptyDocumentError, EncryptedDocumentError (an Office file behind a password),
    DamagedDocumentError (named .pdf, .docx and the like, and is none) and UnsupportedTypeError.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise EmptyDocumentError("the file has no bytes")
    suffix = Path(name).suffix.lower()
    if _is_pdf(head, suffix=suffix):
        return types.PDF
    if head.startswith(_ZIP_STARTS):
        return _zip_type(path, head, suffix=suffix)
    if head.startswith(OLE_MAGIC):
        return _ole_type(path, suffix=suffix)
    if head.lstrip().startswith(b"{\\rtf"):
        return types.RTF
    image = _image_type(head)
    if image:
        return image
    _refuse_false_name(suffix)
    return _text_type(head, path=path, suffix=suffix)


def _is_pdf(head: bytes, *, suffix: str) -> bool:
    if head.lstrip().startswith(b"%PDF-"):
        return True
    return suffix == ".pdf" and b"%PDF-" in head[:_PDF_HEADER_WITHIN]


def _refuse_false_name(suffix: str) -> None:
    if suffix in _CONVICTED:
        raise DamagedDocumentError(f"named {suffix} but is no {suffix[1:].upper()}")


# --------------------------------------------------------------------------------------------------------- containers
def _zip_type(path: Path, head: bytes, *, suffix: str) -> str:
    declared = declared_type(head)
    if declared:
        return _declared(declared, suffix=suffix)
    try:
        names = {name.lower() for name in zip_directory(path).names}
    except UnreadableContainerError as exc:
        raise DamagedDocumentError("an archive, or an Office file, that is cut off") from exc
    found = _type_by_parts(names)
    if found != types.ZIP:
        return found
    if suffix != ".zip":
        _refuse_false_name(suffix)
    return types.ZIP


def _declared(declared: str, *, suffix: str) -> str:
    if declared in _ODF_TEXTS:
        return types.ODT
    if declared == types.EPUB:
        return types.EPUB
    if declared.startswith(_ODF):
        raise UnsupportedTypeError("OpenDocument, but no text")
    if suffix != ".zip":
        _refuse_false_name(suffix)
    return types.ZIP


def _type_by_parts(names: set[str]) -> str:
    if any(mark in names for mark in _OFFICE_MARKS):
        if _BINARY_WORKBOOK in names:
            raise UnsupportedTypeError("an Excel workbook of the binary kind")
        for folder, kind in _OFFICE_FOLDERS.items():
            if any(name.startswith(folder) for name in names):
                return kind
        raise UnsupportedTypeError("an Office package of another program")
    if _EPUB_MARK in names:
        return types.EPUB
    # Packed without 'mimetype' in its place; only the parser can tell which kind of OpenDocument it is.
    return types.ODT if _ODF_MARK in names and "content.xml" in names else types.ZIP


def _ole_type(path: Path, *, suffix: str) -> str:
    try:
        names = ole_names(path)
    except UnreadableContainerError as exc:
        if suffix == ".msg":
            raise DamagedDocumentError("an Outlook message that is cut off") from exc
        raise UnsupportedTypeError("an Office file of the old binary format, and cut off") from exc
    if "EncryptedPackage" in names:
        raise EncryptedDocumentError("an Office file behind a password")
    if any(name.startswith(("__properties_version1.0", "__substg1.0_")) for name in names):
        return types.MSG
    raise UnsupportedTypeError("an Office file of the old binary format")


# ------------------------------------------------------------------------------------------------------------- images
def _image_type(head: bytes) -> str | None:
    for start, kind in _IMAGE_STARTS:
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return types.WEBP
    # 'BM' alone begins many a text.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS and head[6:10] == b"\0" * 4:
        return types.BMP
    return types.HEIC if _is_heic(head) else None


def _is_heic(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    brands = {head[at : at + 4] for at in range(16, min(int.from_bytes(head[:4], "big"), 256), 4)}
    return head[8:12] in _HEIC_BRANDS or (head[8:12] in _HEIF_BRANDS and bool(brands & _HEIC_BRANDS))


# --------------------------------------------------------------------------------------------------------------- text
def _text_type(head: bytes, *, path: Path, suffix: str) -> str:
    text = _head_text(head, suffix=suffix).lstrip("\ufeff")
    if suffix in _FOREIGN_TEXT_SUFFIXES or (suffix != ".eml" and _MBOX_START.match(text)):
        raise UnsupportedTypeError("text of a format that no parser takes")
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if _HTML_START.match(text):
        return types.HTML
    if text.lstrip("\ufeff \r\n\t").startswith(_FOREIGN_STARTS):
        raise UnsupportedTypeError("text of a format that no parser takes")
    if suffix in _JSON_SUFFIXES:
        return types.JSON if _JSON_START.match(text) else types.TEXT
    if _is_mail(text, suffix=suffix):
        return types.EML
    return types.JSON if suffix not in _PROSE_SUFFIXES and _is_json(text, whole=_is_whole(head, path)) else types.TEXT


def _is_whole(head: bytes, path: Path) -> bool:
    return len(head) < _HEAD_BYTES or path.stat().st_size == len(head)


def _head_text(head: bytes, *, suffix: str) -> str:
    # Attachments may be in a message as they are.
    if suffix == ".eml" and _is_mail(head.decode("latin-1"), suffix=suffix):
        return head.decode("latin-1")
    try:
        text = decode(head)
    except DamagedDocumentError as exc:
        raise UnsupportedTypeError("binary content") from exc
    # Random bytes are a tenth control characters; a stray NUL in a log is still text.
    controls = len(_CONTROL.findall(text))
    if head.startswith(_BINARY_STARTS) or controls > max(_FEW_CONTROLS, len(text) * _CONTROL_SHARE):
        raise UnsupportedTypeError("binary content")
    return text


def _is_mail(text: str, *, suffix: str) -> bool:
    """Begins with header lines, two of a message at least, and one that no person types where prose is likelier."""
    names = _header_names(text)
    machine, letter = names & _MACHINE_HEADERS, names & _LETTER_HEADERS
    if suffix in _PROSE_SUFFIXES:
        return bool(machine) and bool(letter)
    return len(machine) + len(letter) >= 2 and bool(machine or "from" in letter)


def _header_names(text: str) -> set[str]:
    """The names of the header lines that the text begins with; none where another line comes before the blank one."""
    names: set[str] = set()
    lines = text.lstrip("\r\n").split("\n", _MOST_HEADER_LINES)[:_MOST_HEADER_LINES]
    for number, line in enumerate(lines):
        if not line.strip():
            break
        if line[0] in " \t" or (number == 0 and line.startswith("From ")):
            continue
        match = _HEADER_LINE.match(line + "\n")
        if match is None:
            # The last line may be cut off by the bound of what was read.
            return names if number == len(lines) - 1 and number > 1 else set()
        names.add(match.group(1).lower())
    return names


def _is_json(text: str, *, whole: bool) -> bool:
    """Of a text without a telling name: only what parses from beginning to end, so that no prose is taken for it."""
    if not whole or not text.lstrip().startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
