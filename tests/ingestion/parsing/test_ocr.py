"""Text is recognised in whichever way the page lies, and within its time."""

import threading

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingestion.parsing.ocr import Budget, recognise

LINES = ("The budget of the project", "is 4711 euro in this year", "and a little more later on")


def _page(*lines: str, size: tuple[int, int] = (640, 300)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 60 * number), line, fill="black", font=ImageFont.load_default(size=32))
    return picture


def test_lines_are_found_with_their_places() -> None:
    found = recognise(_page(*LINES))
    assert [word.text for word in sorted(found.words, key=lambda word: -word.y)] == list(LINES)
    first = max(found.words, key=lambda word: word.y)
    assert first.left == pytest.approx(40, abs=8)
    assert first.top == pytest.approx(300 - 46, abs=12)
    assert found.score > 0.9


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_lies_on_its_side_or_head_is_turned(turn: int) -> None:
    upright = recognise(_page(*LINES))
    found = recognise(_page(*LINES).rotate(turn, expand=True))
    assert sorted(word.text for word in found.words) == sorted(word.text for word in upright.words)


def test_a_turned_pages_places_are_on_the_page_as_it_was_given() -> None:
    found = recognise(_page("The budget of the project").rotate(180))
    assert len(found.words) == 1
    # On its head, the line is at the bottom right.
    assert found.words[0].top < 100
    assert found.words[0].right == pytest.approx(600, abs=10)


def test_a_line_alone_on_a_large_page_is_found() -> None:
    picture = _page("This is a test.", size=(1654, 2339))
    ImageDraw.Draw(picture).rectangle((1500, 2200, 1503, 2203), fill="black")
    assert [word.text for word in recognise(picture).words] == ["This is a test."]


def test_a_blank_page_has_no_words() -> None:
    assert recognise(Image.new("RGB", (1654, 2339), "white")).words == ()


def test_a_strip_of_a_few_pixels_has_no_words() -> None:
    assert recognise(Image.new("RGB", (3_000, 2), "white")).words == ()


def test_recognition_starts_no_threads_of_its_own() -> None:
    before = threading.active_count()
    recognise(_page(*LINES))
    assert threading.active_count() == before


def test_time_that_the_slowest_page_would_overrun_is_not_begun() -> None:
    moments = iter([0.0, 0.0, 0.0, 40.0, 40.0])
    budget = Budget(clock=lambda: next(moments), seconds=70.0)
    assert budget.allows_another()
    budget.read(Image.new("RGB", (10, 10), "white"))
    assert not budget.allows_another()
