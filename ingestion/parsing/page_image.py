"""A page of a PDF, or a frame of an image, drawn as PNG for a person to look at. Runs in the child, like parsers."""

import io
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.errors import DamagedDocumentError, PageNotFoundError, ParseMemoryError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_WIDTH = 2_400
# Whatever shape a page claims to have: 24 MB as drawn.
_MOST_PIXELS = 6_000_000
_PDF_MARK = b"%PDF-"
# PDF readers accept a mark within the first kilobyte.
_HEAD_BYTES = 1024
# Pictures inside a page are decoded whole before they are made smaller.
_MOST_DECODED_PIXELS = 100_000_000


def render_page(path: Path, *, page: int, width: int) -> bytes:
    """PNG of page or frame `page`, counted from 1, `width` pixels wide, or smaller for an unusual shape.

    Raises PageNotFoundError, DamagedDocumentError, EncryptedDocumentError and ParseMemoryError.
    """
    width = min(max(width, 16), MOST_WIDTH)
    with path.open("rb") as file:
        is_pdf = _PDF_MARK in file.read(_HEAD_BYTES)
    picture = _of_pdf(path, page=page, width=width) if is_pdf else _of_image(path, page=page, width=width)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=6)
    return out.getvalue()


def _of_pdf(path: Path, *, page: int, width: int) -> "Image":
    import pypdfium2

    from ingestion.parsing.pdf import opening_error
    from ingestion.parsing.pdf_page import read_page

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        raise opening_error(exc) from exc
    with closing(document):
        if not 1 <= page <= len(document):
            raise PageNotFoundError(f"page {page} of {len(document)}")
        if read_page(document, number=page).largest_picture > _MOST_DECODED_PIXELS:
            raise ParseMemoryError("a picture on the page is too large to be decoded")
        try:
            shown = document[page - 1]
            scale = _scale(*shown.get_size(), width=width)
            picture: Image = shown.render(scale=scale).to_pil()
        except (pypdfium2.PdfiumError, ValueError) as exc:
            raise DamagedDocumentError(f"page {page} cannot be drawn: {exc}") from exc
        return picture


def _of_image(path: Path, *, page: int, width: int) -> "Image":
    from ingestion.parsing.image import frame, frame_count, opened

    with opened(path) as picture:
        count = frame_count(picture)
        if not 1 <= page <= count:
            raise PageNotFoundError(f"frame {page} of {count}")
        shown = frame(picture, number=page)
        scale = min(1.0, _scale(*shown.size, width=width))
        return shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))


def _scale(wide: float, high: float, *, width: int) -> float:
    """Pixels a point, so that the page is `width` wide and never has more pixels than are drawn."""
    wide, high = max(wide, 1e-3), max(high, 1e-3)
    return min(width / wide, math.sqrt(_MOST_PIXELS / (wide * high)), _MOST_PIXELS / 100 / max(wide, high))
