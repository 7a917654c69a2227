"""The answer's text with its sources. Decided here, not by the model: small models cite badly or not at all.

Each sentence gets the passages that support it, whatever the model wrote, or a mark that none does.
"""

import re
from dataclasses import dataclass

from ragapp.answering.base import Passage, Source
from ragapp.answering.sentences import sentences_of
from ragapp.answering.support import Support, words_of

UNSUPPORTED = "[?]"
"""Follows a sentence that no passage supports."""

QUOTE_LIMIT = 320
# The second kind is ours: a model that writes it would mark its own sentence.
_MARKER = re.compile(r"\s*\[(?:\d{1,2}(?:\s*,\s*\d{1,2})*|\?)\](?!\()")
# '1.' before a list's item is no number of it.
_ITEM = re.compile(r"^\s*(?:\d{1,3}[.)](?:\s+|$))")
_FIRST_CELL = re.compile(r"\s*\|(?:\\.|[^|\\\n])*(?=\|)")
# 'Yes.' and 'These are the steps:' state nothing that could be looked up.
_FEWEST_WORDS = 2
_ADDRESS = re.compile(r"://|\w@\w|\bwww\.")
# A heading, or the rule under a table's head, at the beginning of a span.
_SAYS_NOTHING = re.compile(r"^(?:\s*(?:#[^\n]*|\|[-:| ]+\|)(?:\n|$))+")
_REFUSAL = re.compile(
    r"^\W*(i\s+(do\s+not|don['\u2019]?t)\s+know|(the|these)\s+(given\s+|provided\s+)?(passages?|documents?)\s+(do|does)\s+not\s+"
    r"(contain|mention|provide|say|state|specify|include))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claim:
    """A sentence of the answer, without markers, and the passages that support it, the best first."""

    sentence: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class CitedAnswer:
    """The answer's text with markers [1], [2], … in order of first use and [?] after what nothing supports, the sources
    behind them, and how many of its sentences could be supported and are. `claims` are the supported ones.
    """

    text: str
    sources: tuple[Source, ...]
    statements: int = 0
    supported: int = 0
    claims: tuple[Claim, ...] = ()


def is_refusal(text: str) -> bool:
    """True where the model says that the passages do not hold the answer."""
    return bool(_REFUSAL.match(text.strip()))


def cite(text: str, support: Support) -> CitedAnswer:
    """Attribute each sentence of the answer to the passages, numbered from 1, that support it.

    Raises EmbedderUnavailableError.
    """
    passages = support.passages
    numbers: dict[int, int] = {}
    quotes: dict[int, str] = {}
    parts: list[str] = []
    claims: list[Claim] = []
    statements = supported = 0
    for sentence, gap in sentences_of(text):
        # An image would be fetched by whoever renders the text.
        bare = without_markers(sentence).replace("![", "[")
        said = _ITEM.sub("", bare)
        chosen = support.supporters(said) if said else []
        for index in chosen:
            numbers.setdefault(index, len(numbers) + 1)
            quotes.setdefault(index, quote_for(bare, passages[index].text))
        if chosen:
            claims.append(Claim(said, tuple(passages[index] for index in chosen)))
        marks = [f"[{numbers[index]}]" for index in chosen]
        if is_statement(said):
            statements, supported = statements + 1, supported + bool(chosen)
            marks = marks or [UNSUPPORTED]
        parts.append(_marked(bare, marks) + gap)
    sources = tuple(Source(n=n, passage=passages[index], quote=quotes[index]) for index, n in numbers.items())
    return CitedAnswer("".join(parts).strip(), sources, statements, supported, tuple(claims))


def quote_for(sentence: str, text: str) -> str:
    """The exact span of a passage's text that shares most words with the sentence, at most 320 characters."""
    spans = [span for span in spans_of(text) if words_of(span)]
    if not spans:
        return text[:QUOTE_LIMIT]
    wanted = set(words_of(sentence))
    best = max(spans, key=lambda span: len(wanted & set(words_of(span))))
    return best.strip()[:QUOTE_LIMIT]


def spans_of(text: str) -> list[str]:
    """The sentences of a passage's text, without the headings and the rules of tables that they begin with."""
    return [_SAYS_NOTHING.sub("", span) for span, _ in sentences_of(text)]


def without_markers(text: str) -> str:
    """Without [1], [1, 2] and [?], until none is left: what stood around one may be another, as in '[[9]?]'."""
    while (less := _MARKER.sub("", text)) != text:
        text = less
    return text


def _marked(sentence: str, marks: list[str]) -> str:
    """In the first cell of a table's row, the only one that no table drops, and on a line of its own behind a fence:
    anywhere else they would break the Markdown.
    """
    told = " ".join(marks)
    if not told:
        return sentence
    if cell := _FIRST_CELL.match(sentence):
        return f"{cell.group().rstrip()} {told} {sentence[cell.end() :]}"
    return f"{sentence}\n{told}" if sentence.rstrip().endswith(("```", "~~~")) else f"{sentence} {told}"


def is_statement(sentence: str) -> bool:
    """What leads nowhere else: a lead-in or a question with an address in it is a request, and is marked."""
    leads_on = sentence.rstrip().endswith((":", "?")) and not _ADDRESS.search(sentence)
    return len(words_of(sentence)) >= _FEWEST_WORDS and not leads_on
