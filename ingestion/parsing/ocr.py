"""Text recognition inside the perimeter: PP-OCRv6 by RapidOCR on the CPU, models from its wheel, no network.

Reads Chinese, Japanese and languages in Latin letters. Loaded on first use, in the parsing child alone.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ingestion.parsing.places import Box, Word

if TYPE_CHECKING:
    from PIL.Image import Image

# A page at 200 dpi is 2,339 points high; the recogniser reads no better above, and takes more memory.
LONGEST_SIDE = 2_200
# Lines are found on a smaller copy: 8-point letters are still 11 pixels high on A4.
_DETECTION_SIDE = 1_280
# Where the picture is smaller than this, its letters are too.
_SMALL_SIDE = 700
_LEAST_SIDE = 4
# In shades of 255, how far ink is from paper.
_LEAST_INK = 40
_SPARSE = 0.03
_BANDS = 4
_OVERLAP = 0.2
_LEAST_SCORE = 0.5
# Below this mean score a page may lie on its side or its head. Good scans have 0.9 and more.
_UPRIGHT_SCORE = 0.8
_BETTER = 1.2
# Of the time that the child has; the rest is for reading and writing.
_SHARE_OF_TIME = 0.7
_USUAL_SECONDS = 120.0


# A text, its score, and its corners in pixels from the top left.
_Line = tuple[str, float, list[tuple[float, float]]]


@dataclass(frozen=True)
class Recognised:
    """Words with places in pixels, from the bottom left of the picture as it was given; `score` 0..1 is their mean."""

    words: tuple[Word, ...]
    score: float

    @property
    def chars(self) -> int:
        """How many letters and figures."""
        return sum(1 for word in self.words for char in word.text if char.isalnum())


@dataclass
class Budget:
    """The time for recognition in one file. What does not fit is left out and told, rather than failing it all."""

    clock: Callable[[], float] = time.monotonic
    seconds: float = field(default_factory=lambda: _seconds())
    _begun: float | None = None
    _slowest: float = 0.0

    def allows_another(self) -> bool:
        """Whether a page as slow as the slowest so far would be read in time."""
        if self._begun is None:
            self._begun = self.clock()
        return self.clock() - self._begun + self._slowest < self.seconds

    def read(self, picture: "Image") -> Recognised:
        """As `recognise`, and counts the time."""
        begun = self.clock()
        found = recognise(picture)
        self._slowest = max(self._slowest, self.clock() - begun)
        return found


def _seconds() -> float:
    """The child's limit of processor time, which follows its limit of time."""
    limit, _ = resource.getrlimit(resource.RLIMIT_CPU)
    return _SHARE_OF_TIME * (min(limit, _USUAL_SECONDS) if limit > 0 else _USUAL_SECONDS)


def recognise(picture: "Image") -> Recognised:
    """The words of a picture, turned upright first where it reads better so."""
    best = _read(picture, turn=0)
    if not best.words or best.score >= _UPRIGHT_SCORE:
        return best
    for turn in (90, 270) if _lies_on_its_side(best) else (180,):
        found = _read(picture, turn=turn)
        if found.score * found.chars > _BETTER * best.score * best.chars:
            best = found
        if best.score >= _UPRIGHT_SCORE:
            break
    return best


def _lies_on_its_side(found: Recognised) -> bool:
    tall = sum(1 for word in found.words if word.top - word.bottom > word.right - word.left)
    return tall * 2 > len(found.words)


def _read(picture: "Image", *, turn: int) -> Recognised:
    """`turn` is anticlockwise in degrees."""
    turned = picture.rotate(turn, expand=True) if turn else picture
    found = _lines(turned)
    if not found and not turn and _is_sparse(turned):
        # A line alone on a white page is not found; without most of the white around it, it is.
        found = [line for band in _bands(turned) for line in band]
    words, scores = [], []
    for text, score, corners in found:
        if score >= _LEAST_SCORE and text.strip():
            box = _box(corners, height=turned.height)
            words.append(Word(" ".join(text.split()), *_turned_back(box, turn=turn, size=picture.size)))
            scores += [score] * len(text)
    return Recognised(tuple(words), sum(scores) / len(scores) if scores else 0.0)


def _is_sparse(picture: "Image") -> bool:
    """Something is on the paper, and not much: no photograph."""
    import numpy

    grey = numpy.asarray(picture.convert("L"), dtype=numpy.int16)
    ink = float((numpy.abs(grey - numpy.median(grey)) > _LEAST_INK).mean())
    return 0.0 < ink < _SPARSE


def _bands(picture: "Image") -> Iterator[list[_Line]]:
    """The lines of each of some strips across the picture. What two strips share belongs to the upper one."""
    step = picture.height / _BANDS
    covered = 0.0
    for number in range(_BANDS):
        top, bottom = round(number * step), min(picture.height, round((number + 1 + _OVERLAP) * step))
        lines = [_lowered(line, by=top) for line in _lines(picture.crop((0, top, picture.width, bottom)))]
        yield [line for line in lines if min(y for _, y in line[2]) >= covered]
        covered = max([covered, *(y for line in lines for _, y in line[2])])


def _lowered(line: _Line, *, by: int) -> _Line:
    text, score, corners = line
    return text, score, [(x, y + by) for x, y in corners]


def _scaled(picture: "Image") -> tuple[float, "Image"]:
    longest = max(picture.size)
    scale = LONGEST_SIDE / longest if longest > LONGEST_SIDE else 2.0 if longest < _SMALL_SIDE else 1.0
    if scale == 1.0:
        return scale, picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return scale, picture.resize((width, height))


def _box(corners: Sequence[tuple[float, float]], *, height: int) -> Box:
    xs = [corner[0] for corner in corners]
    ys = [height - corner[1] for corner in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _turned_back(box: Box, *, turn: int, size: tuple[int, int]) -> Box:
    width, height = size
    if turn == 180:
        return Box(width - box.right, height - box.top, width - box.left, height - box.bottom)
    if turn == 90:
        return Box(box.bottom, height - box.right, box.top, height - box.left)
    if turn == 270:
        return Box(width - box.top, box.left, width - box.bottom, box.right)
    return box


def _lines(picture: "Image") -> list[_Line]:
    import numpy

    scale, scaled = _scaled(picture)
    if min(scaled.size) < _LEAST_SIDE:
        return []
    pixels = numpy.asarray(scaled.convert("RGB"))[:, :, ::-1]
    found = _engine()(numpy.ascontiguousarray(pixels))
    if found.txts is None or found.boxes is None:
        return []
    corners = [[(x / scale, y / scale) for x, y in box] for box in found.boxes.tolist()]
    return list(zip(found.txts, found.scores, corners, strict=True))


@cache
def _engine() -> Any:
    """One thread and one line at a time: memory stays below half a gigabyte, and nothing is padded in vain."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            # It takes upright lines of small letters for lines on their head.
            "Global.use_cls": False,
            "Global.max_side_len": LONGEST_SIDE,
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTION_SIDE,
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
