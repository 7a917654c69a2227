"""The media types that are read, with the word that a person uses for each. The one list of formats."""

from collections.abc import Mapping

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"
RTF = "application/rtf"
CSV = "text/csv"
JSON = "application/json"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
ZIP = "application/zip"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"
WEBP = "image/webp"
BMP = "image/bmp"
GIF = "image/gif"
HEIC = "image/heic"

IMAGES = frozenset({PNG, JPEG, TIFF, WEBP, BMP, GIF, HEIC})

FORMAT_NAMES: Mapping[str, str] = {
    PDF: "PDF",
    DOCX: "Word",
    PPTX: "PowerPoint",
    XLSX: "Excel",
    ODT: "OpenDocument text",
    EPUB: "EPUB",
    RTF: "RTF",
    CSV: "CSV",
    JSON: "JSON",
    HTML: "HTML",
    MARKDOWN: "Markdown",
    TEXT: "Text",
    EML: "E-mail",
    MSG: "Outlook message",
    ZIP: "ZIP archive",
    PNG: "Image",
    JPEG: "Image",
    TIFF: "Image",
    WEBP: "Image",
    BMP: "Image",
    GIF: "Image",
    HEIC: "Image",
}
