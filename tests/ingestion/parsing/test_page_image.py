"""Pages are drawn at the width that was asked for, whatever size they claim to have."""

import io
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from ingestion.errors import DamagedDocumentError, EncryptedDocumentError, PageNotFoundError
from ingestion.parsing.page_image import render_page
from tests.ingestion.parsing import files


def _drawn(path: Path, *, page: int = 1, width: int = 300) -> Image.Image:
    picture = Image.open(io.BytesIO(render_page(path, page=page, width=width)))
    assert picture.format == "PNG"
    return picture


def test_a_page_has_the_width_that_was_asked_for(tmp_path: Path) -> None:
    picture = _drawn(files.pdf(tmp_path / "a.pdf", [[("words", 11)]]))
    assert picture.width == 300
    # A4.
    assert picture.height == pytest.approx(424, abs=2)


def test_a_turned_page_is_drawn_as_it_is_read(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=files.pdf(tmp_path / "a.pdf", [[("words", 11)]]))
    writer.pages[0].rotate(90)
    writer.write(tmp_path / "b.pdf")
    picture = _drawn(tmp_path / "b.pdf")
    assert picture.width > picture.height


@pytest.mark.parametrize("box", [(1e9, 1e9), (1e9, 10), (10, 1e9)])
def test_a_page_of_any_size_is_a_bounded_picture(box: tuple[float, float], tmp_path: Path) -> None:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(*box)
    writer.write(tmp_path / "a.pdf")
    picture = _drawn(tmp_path / "a.pdf", width=2_400)
    assert picture.width * picture.height <= 6_100_000


def test_a_frame_of_an_image_is_drawn(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (600, 200), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    picture = _drawn(tmp_path / "a.tiff", page=2)
    assert picture.size == (300, 100)
    assert picture.getpixel((10, 10)) == (0, 0, 255)


def test_a_small_image_is_not_made_larger(tmp_path: Path) -> None:
    Image.new("RGB", (60, 20), "red").save(tmp_path / "a.png")
    assert _drawn(tmp_path / "a.png").size == (60, 20)


@pytest.mark.parametrize("number", [0, -1, 2])
def test_there_is_no_other_page(number: int, tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [[("words", 11)]])
    Image.new("RGB", (60, 20), "red").save(tmp_path / "a.png")
    for each in (path, tmp_path / "a.png"):
        with pytest.raises(PageNotFoundError):
            render_page(each, page=number, width=300)


def test_a_broken_file_is_damaged(tmp_path: Path) -> None:
    for name, data in (("a.pdf", b"%PDF-1.7\nnothing"), ("a.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DamagedDocumentError):
            render_page(tmp_path / name, page=1, width=300)


def test_a_password_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EncryptedDocumentError):
        render_page(files.encrypted_pdf(tmp_path / "a.pdf"), page=1, width=300)
