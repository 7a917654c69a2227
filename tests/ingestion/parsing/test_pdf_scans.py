"""Recognition is for pages whose text layer says nothing, and what was not read is told."""

from pathlib import Path

import pypdfium2
import pytest

from ingestion.parsing.base import Ocr
from ingestion.parsing.ocr import Budget
from ingestion.parsing.pdf_page import PdfPage, read_page
from ingestion.parsing.pdf_scans import Scans, has_usable_text, page_numbers
from ingestion.parsing.places import Box, TextLine, Word
from tests.ingestion.parsing import files
from tests.ingestion.parsing.test_image import drawn

WHOLE = Box(0.0, 0.0, 600.0, 800.0)


def _page(words: int, *, pictures: tuple[Box, ...] = (), unmapped: int = 0, drawings: int = 1) -> PdfPage:
    line = TextLine("words", tuple(Word("words", 60.0 + number, 700.0, 90.0, 710.0) for number in range(words)))
    return PdfPage(1, 600.0, 800.0, (line,) if words else (), pictures=pictures, unmapped=unmapped, drawings=drawings)


@pytest.mark.parametrize(
    ("page", "usable"),
    [
        (_page(100), True),
        (_page(100, pictures=(WHOLE,)), True),
        (_page(0, pictures=(WHOLE,)), False),
        # A stamp on a scan.
        (_page(3, pictures=(WHOLE,)), False),
        # Letters as mere outlines.
        (_page(0, drawings=300), False),
        # 'Chapter 3' between two rules.
        (_page(2, drawings=2), True),
        # A font that does not say what its glyphs mean.
        (_page(100, unmapped=90), False),
    ],
)
def test_a_text_layer_is_usable_if_it_says_what_the_page_says(page: PdfPage, usable: bool) -> None:
    assert has_usable_text(page) is usable


@pytest.mark.parametrize(
    ("pages", "words"),
    [([3], "Page 3"), ([3, 4, 5], "Pages 3-5"), ([1, 2, 3, 7], "Pages 1-3, 7"), (range(1, 41, 2), "Pages 1, 3, 5")],
)
def test_pages_are_told_in_runs(pages: list[int], words: str) -> None:
    assert page_numbers(pages).startswith(words)


def test_pages_beyond_the_time_are_left_out_and_told(tmp_path: Path) -> None:
    drawn("Budget 4711", size=(600, 800)).save(tmp_path / "a.pdf", save_all=True, append_images=[drawn("b")] * 2)
    document = pypdfium2.PdfDocument(tmp_path / "a.pdf")
    moments = iter([0.0, 0.0, 0.0, 50.0, 50.0, 50.0])
    scans = Scans(document, ocr=Ocr.AUTO, budget=Budget(clock=lambda: next(moments), seconds=70.0))
    pages = scans.with_recognised([read_page(document, number=number) for number in (1, 2, 3)])
    document.close()
    assert [len(page.lines) for page in pages] == [1, 0, 0]
    assert list(scans.notes()) == [
        "Page 1 was read by text recognition.",
        "Pages 2-3 were not read: text recognition ran out of time.",
    ]


def test_every_page_is_recognised_where_that_is_asked_for(tmp_path: Path) -> None:
    document = pypdfium2.PdfDocument(files.pdf(tmp_path / "a.pdf", [[("Everybody has thirty days of leave.", 14)]]))
    scans = Scans(document, ocr=Ocr.ALWAYS)
    (page,) = scans.with_recognised([read_page(document, number=1)])
    document.close()
    assert page.lines[0].text == "Everybody has thirty days of leave."
    assert list(scans.notes()) == ["Page 1 was read by text recognition."]
