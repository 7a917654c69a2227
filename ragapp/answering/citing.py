"""The answer's text with its sources. Decided here, not by the model: small models cite badly or not at all.

Each sentence gets the passages that support it, whatever the model wrote, or a mark that none does.
"""

import re
from dataclasses import dataclass

from ragapp.answering.base import Passages, Source
from ragapp.answering.sentences import sentences_of
from ragapp.answering.support import Support, TextEmbedder, words_of

UNSUPPORTED = "[?]"
"""Follows a sentence that no passage supports."""

_QUOTE_LIMIT = 320
# The second kind is ours: a model that writes it would mark its own sentence.
_MARKER = re.compile(r"\s*(?:\[(\d{1,2})\]|\[\?\])")
# 'Yes.' and 'These are the steps:' state nothing that could be looked up.
_FEWEST_WORDS = 2
# A heading, or the rule under a table's head, at the beginning of a span.
_SAYS_NOTHING = re.compile(r"^(?:\s*(?:#[^\n]*|\|[-:| ]+\|)(?:\n|$))+")
_REFUSAL = re.compile(
    r"^\W*(i\s+(do\s+not|don['\u2019]?t)\s+know|(the|these)\s+(given\s+|provided\s+)?(passages?|documents?)\s+(do|does)\s+not\s+"
    r"(contain|mention|provide|say|state|specify|include))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class CitedAnswer:
    """The answer's text with markers [1], [2], … in order of first use and [?] after what nothing supports, the sources
    behind them, and how many of its sentences could be supported and are.
    """

    text: str
    sources: tuple[Source, ...]
    statements: int = 0
    supported: int = 0


def is_refusal(text: str) -> bool:
    """True where the model says that the passages do not hold the answer."""
    return bool(_REFUSAL.match(text.strip()))


def cite(text: str, passages: Passages, *, question: str, embedder: TextEmbedder | None) -> CitedAnswer:
    """Attribute each sentence of the answer to the passages, numbered from 1, that support it.

    Raises EmbedderUnavailableError.
    """
    support = Support(passages, question=question, embedder=embedder)
    numbers: dict[int, int] = {}
    quotes: dict[int, str] = {}
    parts, statements, supported = [], 0, 0
    for sentence, gap in sentences_of(text):
        bare = _MARKER.sub("", sentence)
        chosen = support.supporters(bare)
        for index in chosen:
            numbers.setdefault(index, len(numbers) + 1)
            quotes.setdefault(index, quote_for(bare, passages[index].text))
        marks = [f"[{numbers[index]}]" for index in chosen]
        if _is_statement(bare):
            statements, supported = statements + 1, supported + bool(chosen)
            marks = marks or [UNSUPPORTED]
        parts.append(" ".join([bare, *marks]) + gap)
    sources = tuple(Source(n=n, passage=passages[index], quote=quotes[index]) for index, n in numbers.items())
    return CitedAnswer("".join(parts).strip(), sources, statements, supported)


def quote_for(sentence: str, text: str) -> str:
    """The exact span of a passage's text that shares most words with the sentence, at most 320 characters."""
    spans = [_SAYS_NOTHING.sub("", span) for span, _ in sentences_of(text)]
    spans = [span for span in spans if words_of(span)]
    if not spans:
        return text[:_QUOTE_LIMIT]
    wanted = set(words_of(sentence))
    best = max(spans, key=lambda span: len(wanted & set(words_of(span))))
    return best.strip()[:_QUOTE_LIMIT]


def _is_statement(sentence: str) -> bool:
    return len(words_of(sentence)) >= _FEWEST_WORDS and not sentence.rstrip().endswith((":", "?"))
