"""Sections to chunks of a size that the embedding model takes whole, with page, heading and place kept.

The document's text is its sections' texts joined by a blank line; a chunk's `start` and `end` count in it.
Knows no index and no model: the caller brings the counting of tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from ingestion.parsing.base import Line, ParsedDocument, Section

if TYPE_CHECKING:
    from llama_index.core.node_parser import SentenceSplitter

CountTokens = Callable[[str], int]

SECTION_SEPARATOR = "\n\n"
_CHUNK_NAMESPACE = UUID("6f1b0d4e-6a0e-5d0c-9a64-0f6f3a3b7c11")
# A section below this share of a chunk is a fragment: it joins its neighbour on the page.
_FRAGMENT_SHARE = 1 / 3
# The splitter counts the tokens of whatever it is given, over and over: it gets a bounded block at a time.
_BLOCK_CHARS = 20_000
# A row stays whole up to there, though the model does not read its end.
_MOST_ROW_CHUNKS = 3
# WordPiece makes one unknown token of a 'word' of any length; a chunk must not hide a megabyte in it.
_CHARS_A_TOKEN_AT_MOST = 12
# Lines of a page are joined to fewer boxes; what is left beyond is not drawn.
_MOST_BOXES = 60
_PLACES = 4
_LONG_RUN = re.compile(r"([!-~]{240})(?=[!-~])|[!-~]++")


Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ChunkText:
    """A passage; `page`, `place` and `heading` as in Section.

    `document_text[start:end] == text`, but for a passage of a table, which begins with the table's header.
    `boxes` are left, top, right, bottom in shares of the page.
    """

    ordinal: int
    text: str
    page: int | None
    heading: str
    start: int
    end: int
    place: str = ""
    is_table: bool = False
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class _Placed:
    section: Section
    start: int


def document_text(parsed: ParsedDocument) -> str:
    """The text in which chunks have their places."""
    return SECTION_SEPARATOR.join(section.text for section in parsed.sections)


def chunk_id(document_id: str, version: int, ordinal: int) -> str:
    """The same UUID for the same place of the same version: writing twice replaces."""
    return str(uuid5(_CHUNK_NAMESPACE, f"{document_id}:{version}:{ordinal}"))


def chunk(parsed: ParsedDocument, *, tokens: int, overlap: int, count_tokens: CountTokens) -> list[ChunkText]:
    """Chunks of at most `tokens` tokens in reading order, `overlap` shared by neighbours. None is blank.

    Splits by LlamaIndex's SentenceSplitter: between paragraphs first, then sentences, phrases, words.
    """

    def cost(text: str) -> int:
        return max(count_tokens(text), -(-len(text) // _CHARS_A_TOKEN_AT_MOST)) if len(text) > 1 else 1

    splitter = _splitter(tokens=tokens, overlap=overlap, cost=cost)
    most_shared = overlap * _CHARS_A_TOKEN_AT_MOST
    chunks: list[ChunkText] = []
    for placed in _merged(parsed.sections, tokens=tokens, cost=cost):
        section = placed.section
        if section.is_table:
            pieces = _rows(section, tokens=tokens, cost=cost, splitter=splitter, most_shared=most_shared)
        else:
            pieces = _split(section.text, splitter=splitter, most_shared=most_shared)
        for start, text in pieces:
            chunks.append(_chunk(section, text, ordinal=len(chunks), start=start, offset=placed.start))
    return chunks


def _chunk(section: Section, text: str, *, ordinal: int, start: int, offset: int) -> ChunkText:
    shown = f"{section.header}\n{text}" if section.header else text
    return ChunkText(
        ordinal=ordinal,
        text=shown,
        page=section.page,
        heading=section.heading,
        start=offset + start,
        end=offset + start + len(text),
        place=section.place,
        is_table=section.is_table,
        boxes=_boxes(section.lines, start=start, end=start + len(text)),
    )


def _boxes(lines: Sequence[Line], *, start: int, end: int) -> tuple[Box, ...]:
    """Of the lines that the passage touches; lines of one width that follow each other become one box."""
    boxes: list[Box] = []
    for line in lines:
        if line.end <= start or line.start >= end:
            continue
        box = (line.left, line.top, line.right, line.bottom)
        if boxes and _continues(boxes[-1], box):
            last = boxes.pop()
            box = (min(last[0], box[0]), last[1], max(last[2], box[2]), max(last[3], box[3]))
        boxes.append(box)
    return tuple(_rounded(box) for box in boxes[:_MOST_BOXES])


def _continues(above: Box, below: Box) -> bool:
    """Below it, near it, and in the same column."""
    height = max(below[3] - below[1], 0.001)
    return below[1] - above[1] >= 0 and below[1] - above[3] < height and abs(below[0] - above[0]) < 2 * height


def _rounded(box: Box) -> Box:
    left, top, right, bottom = (round(side, _PLACES) for side in box)
    return left, top, right, bottom


def _rows(
    section: Section, *, tokens: int, cost: CountTokens, splitter: "SentenceSplitter", most_shared: int
) -> Iterator[tuple[int, str]]:
    """Whole rows, as many as fit under the header. A row that is larger than a passage is split like prose."""
    room = max(tokens - (cost(section.header) if section.header else 0), tokens // 3)
    start = position = used = 0
    for row in section.text.splitlines(keepends=True):
        size = cost(row)
        if used and used + size > room:
            yield start, section.text[start:position].rstrip("\n")
            start, used = position, 0
        if size > _MOST_ROW_CHUNKS * tokens:
            for place, piece in _split(row.rstrip("\n"), splitter=splitter, most_shared=most_shared):
                yield position + place, piece
            start, used = position + len(row), 0
        else:
            used += size
        position += len(row)
    if used:
        yield start, section.text[start:position].rstrip("\n")


def _merged(sections: Sequence[Section], *, tokens: int, cost: CountTokens) -> Iterator[_Placed]:
    """Neighbours on a page become one section where one of them is a fragment and both fit a chunk."""
    fragment = int(tokens * _FRAGMENT_SHARE)
    start = position = size = 0
    held: Section | None = None
    for section in sections:
        own = cost(section.text[:_BLOCK_CHARS])
        joins = held is not None and _may_join(held, section) and size + own <= tokens
        if held is not None and joins and (size < fragment or own < fragment):
            held, size = _joined(held, section), size + own
        else:
            if held is not None:
                yield _Placed(held, start)
            held, size, start = section, own, position
        position += len(section.text) + len(SECTION_SEPARATOR)
    if held is not None:
        yield _Placed(held, start)


def _may_join(first: Section, second: Section) -> bool:
    tables = first.is_table or second.is_table
    return not tables and first.page == second.page and first.place == second.place


def _joined(first: Section, second: Section) -> Section:
    shift = len(first.text) + len(SECTION_SEPARATOR)
    moved = (replace(line, start=line.start + shift, end=line.end + shift) for line in second.lines)
    return Section(
        text=first.text + SECTION_SEPARATOR + second.text,
        page=first.page,
        heading=_common_heading(first.heading, second.heading),
        place=first.place,
        lines=(*first.lines, *moved),
    )


def _common_heading(first: str, second: str) -> str:
    common: list[str] = []
    for ours, theirs in zip(first.split(" > "), second.split(" > "), strict=False):
        if ours != theirs:
            break
        common.append(ours)
    return " > ".join(common) or first or second


def _split(text: str, *, splitter: "SentenceSplitter", most_shared: int) -> Iterator[tuple[int, str]]:
    """Pieces with their places. They are cut in order and share at most `most_shared` characters with the next.

    A short one may be shared whole, and then both begin at one place.
    """
    for start, block in _blocks(text):
        position = 0
        for piece in splitter.split_text(block):
            position = block.index(piece, position)
            yield start + position, piece
            position += max(0, len(piece) - most_shared)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = min(start + _BLOCK_CHARS, len(text))
        if end < len(text):
            end = _break_before(text, start=start, end=end)
        yield start, text[start:end]
        start = end


def _break_before(text: str, *, start: int, end: int) -> int:
    """The last paragraph, line or word end in the second half of the block; else its end."""
    middle = start + _BLOCK_CHARS // 2
    found = (text.rfind(separator, middle, end) for separator in ("\n\n", "\n", ". ", " "))
    return next((position + 1 for position in found if position >= 0), end)


def _without_long_runs(sentence: str) -> Iterator[str]:
    start = 0
    for run in _LONG_RUN.finditer(sentence):
        if run.group(1):
            yield sentence[start : run.end()]
            start = run.end()
    yield sentence[start:]


def _sentences(text: str, *, tokenizer: Any) -> Iterator[str]:
    """Joined they are the text again: blanks, which the tokenizer drops, stay with the sentence before them."""
    starts = [start for start, _ in tokenizer.span_tokenize(text)]
    for start, end in pairwise([0, *starts[1:], len(text)]):
        if start < end:
            yield text[start:end]


def _splitter(*, tokens: int, overlap: int, cost: CountTokens) -> "SentenceSplitter":
    from llama_index.core.node_parser import SentenceSplitter
    from nltk.tokenize.punkt import PunktSentenceTokenizer  # type: ignore[import-untyped]

    # The tokenizer that LlamaIndex makes itself, but made here: its own way there looks for NLTK's data, which nothing
    # reads, and downloads them where NLTK_DATA names a folder without.
    tokenizer = PunktSentenceTokenizer()
    whole: set[str] = set()

    def pieces(text: str) -> list[str]:
        # The splitter asks again for a piece that is too large. Of a run of '!' each asking would take off the last.
        if text in whole:
            return [text]
        # Keys, hashes and base64 have no sentence, phrase or word to split by; single characters are too slow.
        found = [piece for part in _sentences(text, tokenizer=tokenizer) for piece in _without_long_runs(part)]
        whole.update(piece for piece in found if len(piece) > tokens)
        return found

    return SentenceSplitter(
        chunk_size=tokens,
        chunk_overlap=overlap,
        tokenizer=lambda text: range(cost(text)),
        paragraph_separator="\n\n",
        chunking_tokenizer_fn=pieces,
    )
