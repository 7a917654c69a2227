"""What must be found as it is written, and not word by word: identifiers and quoted phrases, as terms of their own.

| written | terms of a passage | of a question |
|---|---|---|
| INV-2024-00417 | i:inv.2024.00417, i:inv202400417 | the same, also for 'inv 2024 00417' |
| DE89 3704 0044 | i:de89.3704.0044, i:de8937040044 | the same, also for 'DE8937040044' |
| any two words side by side | p:<one> <other> | within quotation marks alone |

Words, stems and their weights are BM25's business. Knows no engine.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

# A compound: letters and digits, held together by marks as identifiers are.
_COMPOUND = re.compile(r"[^\W_]+(?:[-\u2010\u2011\u2013/._:@#+\\]+[^\W_]+)*")
_PIECE = re.compile(r"[^\W_]+")
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|»([^«]+)«")
# Longer numbers are no years, and short ones are everywhere.
_LEAST_NUMBER = 5
_LEAST_MIXED = 3
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s)")
# What is written in groups: an IBAN has six, a telephone number seldom more than five.
_MOST_GROUPS = 7
_MOST_PREFIX = 5
# A question that is a whole page of text names nothing in particular.
_MOST_ASKED = 64


def passage_terms(text: str) -> list[int]:
    """Numbers of 32 bits of everything in the text that may be asked for literally; each once."""
    names = {name for run in _runs(text) for name in _names_in_run(run)}
    words = _WORD.findall(text.casefold())
    return _hashed({*names, *(f"p:{one} {other}" for one, other in pairwise(words))})


def question_terms(question: str) -> list[int]:
    """Of what the question asks for literally; [] where it names no identifier and quotes nothing."""
    phrases = ("".join(found) for found in _QUOTED.findall(question))
    words = [_WORD.findall(phrase.casefold()) for phrase in phrases]
    pairs = {f"p:{one} {other}" for each in words for one, other in pairwise(each)}
    return _hashed({*pairs, *_identifiers_asked(question)})


def identifiers_of(question: str) -> frozenset[int]:
    """Of `question_terms` those of identifiers alone, for `names_any`."""
    return frozenset(_hashed(_identifiers_asked(question)))


def names_any(identifiers: frozenset[int], text: str) -> bool:
    """Whether the text holds one of them, as it is written or grouped otherwise."""
    return bool(identifiers) and not identifiers.isdisjoint(passage_terms(text))


def _identifiers_asked(question: str) -> set[str]:
    """Neighbours are put together in every way: people leave marks out, and blanks."""
    compounds = _COMPOUND.findall(question)[:_MOST_ASKED]
    names = set()
    for start in range(len(compounds)):
        for end in range(start + 1, min(start + _MOST_GROUPS, len(compounds)) + 1):
            if _may_be_one(compounds[start:end]):
                names |= set(_names(compounds[start:end]))
    return names


def _may_be_one(compounds: Sequence[str]) -> bool:
    """Words of a sentence beside an identifier are no part of it: those of one are short, and it ends in its number."""
    *others, last = compounds
    return not others or (
        (_has_digit(last) or len(last) == 1) and all(_has_digit(each) or len(each) <= _MOST_PREFIX for each in others)
    )


def _runs(text: str) -> Iterator[list[str]]:
    """Compounds with one blank between them, as long as each has a digit; a short word in capitals may lead them."""
    run: list[str] = []
    last = -2
    for found in _COMPOUND.finditer(text):
        joins = found.start() == last + 1 and text[last].isspace()
        if run and not (joins and _has_digit(found[0])):
            yield run
            run = []
        run.append(found[0])
        last = found.end()
        if not _has_digit(found[0]) and not _is_prefix(found[0]):
            yield run
            run = []
    if run:
        yield run


def _names_in_run(run: Sequence[str]) -> Iterator[str]:
    for each in run:
        yield from _names([each])
    for start in (0, 1):
        if len(run) - start > 1:
            yield from _names(run[start : start + _MOST_GROUPS])


def _names(compounds: Sequence[str]) -> Iterator[str]:
    """With its groups apart and, where that says enough, together; nothing where it is no identifier."""
    pieces = [piece.casefold() for compound in compounds for piece in _PIECE.findall(compound)]
    together = "".join(pieces)
    if not _is_identifier(compounds, pieces=pieces, together=together):
        return
    yield "i:" + ".".join(pieces)
    if len(pieces) > 1 and len(together) >= _LEAST_NUMBER:
        yield "i:" + together


def _is_identifier(compounds: Sequence[str], *, pieces: Sequence[str], together: str) -> bool:
    if not _has_digit(together):
        # An address, a file, a name in a program; not 'full-time' or 'and/or'.
        return len(compounds) == 1 and len(pieces) > 1 and any(mark in compounds[0] for mark in "@_.")
    if len(pieces) > 1:
        # A decimal, a date without its year, '24/7': nobody's name.
        return not together.isdigit() or len(pieces) > 2 or len(together) >= _LEAST_NUMBER
    if _ORDINAL.fullmatch(together):
        return False
    return len(together) >= (_LEAST_NUMBER if together.isdigit() else _LEAST_MIXED)


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _is_prefix(text: str) -> bool:
    return text.isupper() and 1 < len(text) <= _MOST_PREFIX


def _hashed(terms: set[str]) -> list[int]:
    return sorted({zlib.crc32(term.encode()) for term in terms})
