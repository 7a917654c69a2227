"""Pictures of text are read, each frame a page, and bombs are not decoded."""

import base64
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingestion.errors import DamagedDocumentError, NoTextError, ParseMemoryError
from ingestion.parsing.base import Ocr, ParsedDocument, ParseOptions
from ingestion.parsing.image import ImageParser, exif_date

Parse = Callable[[Path], ParsedDocument]

# 'Budget 4711' as HEIC, made with libheif: the decoder that is used has no encoder.
_HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVVtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABeQABAAAAAAAAA1IAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1WlwcnAAAAC2aXBjbwAAAHdodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoAoIEFlupJKa5uAhoMCAAAAMgAAAAwCEYgABAAdEAcFysCJAAAAAE2NvbHJu"
    "Y2x4AAEADQAGgAAAABRpc3BlAAAAAAAAAUAAAABAAAAAEHBpeGkAAAAAAwgICAAAABdpcG1hAAAAAAAAAAEAAQSBAgMEAAADWm1k"
    "YXQAAANOKAGvC2Azy+K5Q0MvG2Os5Jf//Bj7g9LGkHx/E0f1ivclAXgodSmJXGjPPPwsRd7H/eYzo6OnqraUeeWuCmyjtQtpWXg3"
    "071M8RSxJyD7uwPSRpYA5ko6Wl12EWlfmMAWKaVVuCb09C6SuQ6B0Q5qZsR+aenxEQDNpiT/tQmskgbbabbQQuGsH1ZF2h7rb9YR"
    "XajBXioyf0tG+eQiEOkaSx4REeI9QNXaononj+QGJu1pVZduC4pPibKdJT3MPIp024KfnCR3HEFRq6iYyMYj8POycxxmGKCKsHTJ"
    "3s0BJd6cA2DA9gQebj5A6D4mOQqP2IKC7VESdLwRgSfpQYIJW/RP/28gF/oN2YK+nJBLXSmnl7BNppIkDfRL02qR0X+mlj6aijC6"
    "T1ztZPTA+9BoWwk8sbqVyjrhRaJHC39ZU2/Cy6ty/qLyXzZ3HEupuw7rFvv/hskOjvVTg7NMqI+CoS/j4PLDCBQ2tSqixcsnNs79"
    "NdCJ9l7fFz9dHdv7nPySJbOt73v6ObryxC3T6C4EnEZq3CpCO8Mh8A7yULzvnAVWGEek2llekln5s8RZ16XxQEXjkdMa0g02/Ny7"
    "Zpk3UfByWvdOPb6qpTxdxs0CeUjS9MU8sfnrlu/a3CKLXFXgCOff5xWNppvCj8x7NKMhBHF9qaz8a1IbLlvdCGwQvhFr7Lm+VcJL"
    "0h0Y+Sh9YPD7ZUG+Qw2PyXTTD2mOt3RxvJM9cTMmLiDJx2Fdx9yQA35jEYvK4ACDypHXY69Nt+RoE19xESKO1Ukou6mxdk7GBSGl"
    "q7GOibdzTi9YfX2qJTu0QpYz9diT6nTCZEBE2vwHmUOmraIHWxn9n6gBwXU/8Rl2CdrZVa19nC2mGnpbdpWyABOCs/mBcmM+Nps2"
    "9+qEpUP2QBnu7djZTt/dNSc/2Rvermig3IdzujRL7OR/U7vzxk1RNP1pZHdwx2t96AicAuhVEBiHTE6Cz4kgOX7Orp/VVZ9MEcW2"
    "WmLICVxWHDEMSVTMMigLbTwPkwyKIox5Vya8xpOvHKU5FxA1LzJC2ox9O5tN9E5lSGRQ3gtnrATCGMUqHpBLDoigAAYrlUs79xKs"
    "8c2GiIIG+Sv3qXfIzB75J2Uj5ZqTtqwygSug"
)
_ORIENTATION, _DATE_TIME = 0x0112, 0x0132


def drawn(text: str, *, size: tuple[int, int] = (420, 80)) -> Image.Image:
    """A white picture with black letters."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((20, 16), text, fill="black", font=ImageFont.load_default(size=32))
    return picture


def _parsed(path: Path, *, ocr: Ocr = Ocr.AUTO) -> ParsedDocument:
    return ImageParser(ParseOptions(max_chars=10_000, ocr=ocr)).parse(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_an_image_is_read(suffix: str, tmp_path: Path) -> None:
    drawn("Budget 4711").save(tmp_path / f"a.{suffix}")
    document = _parsed(tmp_path / f"a.{suffix}")
    assert (document.sections[0].text, document.sections[0].page, document.pages) == ("Budget 4711", 1, 1)


def test_heic_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(base64.b64decode(_HEIC))
    assert _parsed(tmp_path / "a.heic").sections[0].text == "Budget 4711"


def test_an_image_is_read_in_the_sandbox(parse: Parse, tmp_path: Path) -> None:
    drawn("Budget 4711").save(tmp_path / "a.png")
    assert parse(tmp_path / "a.png").sections[0].text == "Budget 4711"


def test_the_place_of_a_line_is_in_shares_of_the_picture(tmp_path: Path) -> None:
    drawn("Budget", size=(600, 400)).save(tmp_path / "a.png")
    (line,) = _parsed(tmp_path / "a.png").sections[0].lines
    assert line.left == pytest.approx(20 / 600, abs=0.02)
    assert line.top == pytest.approx(24 / 400, abs=0.05)
    assert line.bottom < 0.2


def test_each_frame_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    first, second = drawn("Budget 4711"), drawn("Leave 30 days")
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    document = _parsed(tmp_path / "a.tiff")
    assert document.pages == 2
    assert [(section.page, section.text) for section in document.sections] == [(1, "Budget 4711"), (2, "Leave 30 days")]


def test_a_photograph_is_turned_and_dated_by_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    exif[_DATE_TIME] = "2024:05:31 12:30:00"
    drawn("Budget 4711").rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    document = _parsed(tmp_path / "a.jpg")
    assert document.sections[0].text == "Budget 4711"
    assert document.dated == datetime(2024, 5, 31, 12, 30, tzinfo=UTC)


def test_letters_on_nothing_are_read(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (420, 80), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((20, 16), "Budget 4711", fill=(0, 0, 0, 255), font=ImageFont.load_default(size=32))
    picture.save(tmp_path / "a.png")
    assert _parsed(tmp_path / "a.png").sections[0].text == "Budget 4711"


def test_an_image_without_text_is_no_text(parse: Parse, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "red").save(tmp_path / "a.png")
    with pytest.raises(NoTextError):
        parse(tmp_path / "a.png")


def test_an_image_is_not_read_where_recognition_is_off(tmp_path: Path) -> None:
    drawn("Budget 4711").save(tmp_path / "a.png")
    with pytest.raises(NoTextError):
        _parsed(tmp_path / "a.png", ocr=Ocr.NEVER)


def test_half_an_image_is_damaged(tmp_path: Path) -> None:
    drawn("Budget 4711").save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedDocumentError):
        _parsed(tmp_path / "a.png")


def test_a_bomb_is_told_by_its_size_and_not_decoded(tmp_path: Path) -> None:
    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + part(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(ParseMemoryError):
        _parsed(tmp_path / "a.png")


def test_what_is_no_image_that_is_taken_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n")
    with pytest.raises(DamagedDocumentError):
        _parsed(tmp_path / "a.png")


@pytest.mark.parametrize("text", ["", "0000:00:00 00:00:00", "yesterday", "2024:13:01 00:00:00"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert exif_date(text) is None
