"""Pictures of text: each frame of the file is a page, read by text recognition.

The decoders are Pillow's and libheif's; only the parsing child may run them on a foreign file.
"""

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ingestion.errors import DamagedDocumentError, IngestionError, NoTextError, ParseMemoryError
from ingestion.parsing import dates
from ingestion.parsing.base import Ocr, ParsedDocument, ParseOptions
from ingestion.parsing.layout import Page, sections
from ingestion.parsing.ocr import LONGEST_SIDE, Budget
from ingestion.parsing.pdf import as_page, with_tables
from ingestion.parsing.pdf_scans import of_one_size, page_numbers
from ingestion.parsing.places import TextLine, Word
from ingestion.parsing.reading_order import ordered_lines

if TYPE_CHECKING:
    from PIL.Image import Image

# 60 million pixels are 180 MB as colours. Larger photographs are JPEG, which is not decoded at its full size.
MOST_PIXELS = 60_000_000
_MOST_FRAMES = 500
# Nothing else is decoded, whatever Pillow knows.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "HEIF")
# In these, further frames are pages. In others they are a film, of which the first is read.
_PAGED = frozenset({"TIFF", "HEIF"})
_DATE_TIME, _DATE_TIME_ORIGINAL, _EXIF_IFD = 0x0132, 0x9003, 0x8769


@dataclass(frozen=True)
class ImageParser:
    """PNG, JPEG, TIFF, WebP, BMP, GIF and HEIC."""

    options: ParseOptions

    def parse(self, path: Path) -> ParsedDocument:
        """Raises NoTextError where recognition is off or finds nothing, DamagedDocumentError and ParseMemoryError."""
        if self.options.ocr is Ocr.NEVER:
            raise NoTextError("it is an image, and text recognition is off")
        with opened(path) as picture:
            count = frame_count(picture)
            dated = _dated(picture)
            pages, notes = _pages(picture, count=count)
        return ParsedDocument(sections=tuple(sections(pages, outline=[])), pages=count, dated=dated, notes=tuple(notes))


@contextmanager
def opened(path: Path) -> Iterator["Image"]:
    """The picture, with nothing of it decoded. What goes wrong inside is the file's damage."""
    from PIL import Image

    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with closing(Image.open(path, formats=_FORMATS)) as picture:
                yield picture
    except (IngestionError, MemoryError):
        raise
    except Image.DecompressionBombError as exc:
        raise ParseMemoryError(str(exc)) from exc
    except Exception as exc:
        # Decoders raise anything on a broken file: SyntaxError, struct.error, ValueError, EOFError, OSError …
        raise DamagedDocumentError(f"no readable image: {type(exc).__name__}: {exc}") from exc


def frame_count(picture: "Image") -> int:
    """How many pages it has."""
    if picture.format not in _PAGED:
        return 1
    return min(_MOST_FRAMES, int(getattr(picture, "n_frames", 1)))


def frame(picture: "Image", *, number: int) -> "Image":
    """The frame, counted from 1, upright and in colours or shades of grey. Raises ParseMemoryError for a bomb."""
    from PIL import Image, ImageOps

    if number > 1:
        picture.seek(number - 1)
    # A JPEG can be decoded at half its size, or a quarter, or an eighth, and need not be larger than is read.
    picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    if picture.width * picture.height > MOST_PIXELS:
        raise ParseMemoryError(f"{picture.width} x {picture.height} pixels")
    upright = ImageOps.exif_transpose(picture)
    if "A" in upright.getbands() or "transparency" in upright.info:
        # On white: letters on nothing are black on black otherwise.
        ground = Image.new("RGBA", upright.size, "white")
        ground.alpha_composite(upright.convert("RGBA"))
        return ground.convert("RGB")
    return _in_eight_bits(upright).convert("RGB")


def _in_eight_bits(picture: "Image") -> "Image":
    if picture.mode.startswith("I") or picture.mode == "F":
        low, high = cast(tuple[float, float], picture.getextrema())
        scale = 255.0 / max(1.0, high - low)
        return picture.convert("F").point(lambda value: value * scale - low * scale).convert("L")
    return picture


def _register_heif() -> None:
    import pi_heif  # type: ignore[import-untyped]

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = False
    pi_heif.register_heif_opener()


def _pages(picture: "Image", *, count: int) -> tuple[list[Page], list[str]]:
    budget = Budget()
    pages: list[Page] = []
    late: list[int] = []
    damaged: list[int] = []
    for number in range(1, count + 1):
        if not budget.allows_another():
            late = list(range(number, count + 1))
            break
        try:
            pages.append(_page(frame(picture, number=number), number=number, budget=budget))
        except (OSError, EOFError, SyntaxError, ValueError, ParseMemoryError):
            if number == 1:
                raise
            damaged.append(number)
    return pages, list(_notes(late=late, damaged=damaged))


def _page(shown: "Image", *, number: int, budget: Budget) -> Page:
    found = budget.read(shown)
    words: list[Word] = of_one_size(found.words)
    lines: list[TextLine] = ordered_lines(words)
    return with_tables(as_page(number, lines, width=shown.width, height=shown.height), rules=())


def _notes(*, late: list[int], damaged: list[int]) -> Iterator[str]:
    yield "The text was read by text recognition."
    if late:
        yield f"{page_numbers(late)} {_were(late)} not read: text recognition ran out of time."
    if damaged:
        yield f"{page_numbers(damaged)} {_were(damaged)} damaged and left out."


def _were(pages: list[int]) -> str:
    return "were" if len(pages) > 1 else "was"


def _dated(picture: "Image") -> datetime | None:
    """When the picture was taken, or else last changed, by its EXIF."""
    try:
        exif = picture.getexif()
        told = [exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL), exif.get(_DATE_TIME)]
    except Exception:
        # EXIF is foreign bytes to half a dozen parsers, and only a date.
        return None
    found = (exif_date(value) for value in told if isinstance(value, str))
    return next((moment for moment in found if moment is not None), None)


def exif_date(text: str) -> datetime | None:
    """'2024:05:31 12:00:00'; None where it is no date."""
    try:
        return dates.in_utc(datetime.strptime(text.strip("\x00 ")[:19], "%Y:%m:%d %H:%M:%S"))
    except ValueError:
        return None
