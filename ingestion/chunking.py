"""Sections to chunks of a size that the embedding model takes whole, with page, heading and place kept.

The document's text is its sections' texts joined by a blank line; a chunk's `start` and `end` count in it.
Knows no index and no model: the caller brings the counting of tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from ingestion.parsing.base import ParsedDocument, Section

if TYPE_CHECKING:
    from llama_index.core.node_parser import SentenceSplitter

CountTokens = Callable[[str], int]

SECTION_SEPARATOR = "\n\n"
_CHUNK_NAMESPACE = UUID("6f1b0d4e-6a0e-5d0c-9a64-0f6f3a3b7c11")
# A section below this share of a chunk is a fragment: it joins its neighbour on the page.
_FRAGMENT_SHARE = 1 / 3
# The splitter counts the tokens of whatever it is given, over and over: it gets a bounded block at a time.
_BLOCK_CHARS = 20_000
# WordPiece makes one unknown token of a 'word' of any length; a chunk must not hide a megabyte in it.
_CHARS_A_TOKEN_AT_MOST = 12
_LONG_RUN = re.compile(r"([!-~]{240})(?=[!-~])|[!-~]++")


@dataclass(frozen=True)
class ChunkText:
    """A passage. `document_text[start:end] == text`; `page` and `heading` as in Section."""

    ordinal: int
    text: str
    page: int | None
    heading: str
    start: int
    end: int


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
    chunks: list[ChunkText] = []
    for placed in _merged(parsed.sections, tokens=tokens, cost=cost):
        section = placed.section
        for start, text in _split(section.text, splitter=splitter, most_shared=overlap * _CHARS_A_TOKEN_AT_MOST):
            place = placed.start + start
            chunks.append(
                ChunkText(len(chunks), text, section.page, section.heading, start=place, end=place + len(text))
            )
    return chunks


def _merged(sections: Sequence[Section], *, tokens: int, cost: CountTokens) -> Iterator[_Placed]:
    """Neighbours on a page become one section where one of them is a fragment and both fit a chunk."""
    fragment = int(tokens * _FRAGMENT_SHARE)
    start = position = size = 0
    held: Section | None = None
    for section in sections:
        own = cost(section.text[:_BLOCK_CHARS])
        joins = held is not None and held.page == section.page and size + own <= tokens
        if held is not None and joins and (size < fragment or own < fragment):
            held, size = _joined(held, section), size + own
        else:
            if held is not None:
                yield _Placed(held, start)
            held, size, start = section, own, position
        position += len(section.text) + len(SECTION_SEPARATOR)
    if held is not None:
        yield _Placed(held, start)


def _joined(first: Section, second: Section) -> Section:
    return Section(
        text=first.text + SECTION_SEPARATOR + second.text,
        page=first.page,
        heading=_common_heading(first.heading, second.heading),
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
