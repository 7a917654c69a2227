"""Where documents contradict what an answer says: found and told by the server, not left to the model.

A sentence's source is compared with the statements of other documents. One that says the same in nearly the same words,
with another value or denied, is told below the answer. A word that may name another subject (a group, a site, a plan)
rules a statement out: a missed contradiction costs less than a false alarm.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from ragapp.answering.base import Passage, Passages, Reason, Source
from ragapp.answering.citing import QUOTE_LIMIT, CitedAnswer, Claim, spans_of
from ragapp.answering.selection import Selection
from ragapp.answering.support import NUMERALS, Support, numbers_in, words_of

_MOST_TOLD = 2
_MOST_SIDES = 3
# A longer statement is no short one with one value in it, and would not fit a quote.
_LONGEST = QUOTE_LIMIT
_EXCERPT = 120
_FEWEST_SHARED = 2
_NEAR = 0.5
# Words decide nearly always: of the pairs in benchmarks.differing that contradict, the lowest has .73.
_COSINE = 0.7

_REFERENCE = re.compile(
    r"^\s*(?:[-*•>]\s+|\(?\d{1,3}(?:\.\d{1,3})*[.)]\s+|\d{1,3}(?:\.\d{1,3})+\s+)"
    r"|(?:\b(?:sections?|sec|pages?|pp?|chapters?|articles?|clauses?|paragraphs?|appendix|annex|tables?|figures?|fig|"
    r"notes?)\b\.?|§+)\s*\d+(?:\.\d+)*(?:\s*(?:[-\u2013]|to|and|of)\s*\d+)?",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:no|not) (?:later|earlier|sooner|less|more|fewer|longer than|only|matter|exceed|to exceed)\b"
    r"|\bwhether or not\b|\bif not\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no longer|not|never|no|cannot|neither|nor|forbidden|prohibited|banned|(?:ca|wo)n['\u2019]t)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# 'May' alone is the verb, and 'may 5' its words; with a day or a year it is the month.
_TOLD_ALONE = tuple(month for month in _MONTHS if month != "may")
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_DAYS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365 / 12, "year": 365.0}
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_CURRENCIES = {"€": "eur", "euro": "eur", "euros": "eur", "$": "usd", "us$": "usd", "dollar": "usd", "dollars": "usd"}
_CURRENCIES |= {"£": "gbp", "pound": "gbp", "pounds": "gbp", "eur": "eur", "usd": "usd", "gbp": "gbp", "chf": "chf"}
# Between units: 30 days are a month, and 90 are three.
_SAME_TIME = 0.02

_MONTH = rf"(?P<month_{{}}>{'|'.join(_MONTHS)}|{'|'.join(month[:3] for month in _TOLD_ALONE)})\b\.?"
_YEAR = r"(?:,?\ (?P<year_{}>\d{{4}})\b)?"
_DASH = "-\u2013\u2014"
_NUMBER = rf"\d+(?:[.,]\d+)*|\b(?:{'|'.join(NUMERALS)})\b"
_MONEY = r"us\$|[€$£]|(?:eur|usd|gbp|chf|euros?|dollars?|pounds?)\b"
_VALUE = re.compile(
    rf"""
    (?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}\b)
    | (?P<numeric>\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b)
    | \b(?P<day_a>\d{{1,2}})(?:st|nd|rd|th)?\ (?:of\ )?{_MONTH.format("a")}{_YEAR.format("a")}
    | \b{_MONTH.format("b")}\ (?P<day_b>\d{{1,2}})(?:st|nd|rd|th)?\b{_YEAR.format("b")}
    | \b{_MONTH.format("c")}\ (?P<year_c>\d{{4}})\b
    | \b(?-i:(?P<month_d>{"|".join(_TOLD_ALONE).title()}))\b
    | \b(?P<weekday>{_WEEKDAYS})s?\b
    | \b(?P<hour>\d{{1,2}})(?:[:.](?P<minute>\d{{2}}))?\s?(?P<half>[ap])\.?m\b\.?
    | \b(?P<clock>\d{{1,2}}:\d{{2}})\b
    | (?:(?P<before>{_MONEY})\s?)?(?<![\w.,-])(?P<low>{_NUMBER})(?:\s\(\d+\))?
      (?:\s?(?:[{_DASH}]|\bto\b|\band\b|\bor\b)\s?(?P<high>{_NUMBER})(?![\w-]))?
      (?:\ (?P<scale>thousand|million|billion)\b)?
      (?:
        \s?(?P<percent>%|per\ ?cent\b) | \s?(?P<after>{_MONEY})
        | [\s-]?(?:(?:working|calendar|business|consecutive|full|paid|whole|additional|extra)\ )*
          (?P<unit>minute|hour|day|week|month|year)s?\b
        | (?!\w)
      )
    """,
    re.IGNORECASE | re.VERBOSE,
)
# They name no subject: 'staff get' and 'employees are entitled to' say the same.
_EMPTY = frozenset(
    words_of(
        "staff employee employees person people everyone everybody all each every any worker workers colleague "
        "colleagues member members get gets receive receives received entitle entitled entitlement give given grant "
        "granted allow allowed permit permitted eligible amount amounts total set sets provide provided offer offered "
        "up maximum max most per within currently now also our we us work year day month week hour annum calendar "
        "long stand equal equals"
    )
)
# A kind of document, or which version of it: neither is what the document is about.
_OF_DOCUMENTS = frozenset(
    words_of(
        "policy policies handbook manual guide guidelines guideline rules rule regulation regulations agreement faq "
        "memo mail note notes notice newsletter announcement overview summary document documents intranet wiki page "
        "circular minutes information info sheet leaflet brochure procedure procedures terms text file copy "
        "draft final old new current previous former updated update revised revision version edition rev staff "
        "employee employees company internal general pdf docx md html txt"
    )
)
_UNSAFE = re.compile(r"[\\`*_~|#<>&\[\]{}\"\u201c\u201d\u00ab\u00bb]")


@dataclass(frozen=True)
class _Value:
    """What can be another: a number with its unit, a date or a time of day. `low` and `high` differ for a range.

    `written` is a date as 'year|month|day' or what else is no number, `at` where it begins in its statement.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    written: str = ""
    unit: str = ""
    around: tuple[str, str] = ("", "")
    at: int = field(default=0, compare=False)

    def is_same(self, other: "_Value") -> bool:
        """However it is written; a value in a range is no other than the range."""
        if self.kind != other.kind:
            return False
        if self.kind == "date":
            parts = zip(self.written.split("|"), other.written.split("|"), strict=True)
            return all(a == b for a, b in parts if a and b)
        if self.written or other.written:
            return self.written == other.written
        spread = _SAME_TIME if self.unit != other.unit else 0.0
        if self.is_range != other.is_range:
            within, outer = (other, self) if self.is_range else (self, other)
            return outer.low * (1 - spread) <= within.low <= outer.high * (1 + spread)
        return all(abs(a - b) <= spread * max(a, b) for a, b in ((self.low, other.low), (self.high, other.high)))

    @property
    def is_range(self) -> bool:
        """From one number to another."""
        return self.low != self.high

    def is_like(self, other: "_Value") -> bool:
        """Of the same kind, so that one may stand in the other's place."""
        if self.kind != other.kind or self.kind != "number":
            return self.kind == other.kind
        return any(a == b for a, b in zip(self.around, other.around, strict=True))


@dataclass(frozen=True)
class _Statement:
    """A span of a text: its values, whether it denies, and the words that are left."""

    text: str
    values: tuple[_Value, ...]
    words: frozenset[str]
    denies: bool

    @property
    def subject(self) -> frozenset[str]:
        """The words that may tell what it is about."""
        return self.words - _EMPTY

    def has(self, value: _Value) -> bool:
        """It states this value."""
        return any(value.is_same(own) for own in self.values)

    def is_near(self, other: "_Statement") -> bool:
        """It has at least half of the other's words."""
        return len(self.subject & other.subject) >= _NEAR * len(other.subject)


@dataclass(frozen=True)
class _Side:
    """What one document states, and the value in question where it is one."""

    passage: Passage
    statement: _Statement
    value: _Value | None


_Stated = Sequence[tuple[Passage, _Statement]]


def considered(chosen: Selection) -> tuple[Passage, ...]:
    """The passages that an answer is compared with: the given ones, and those dropped for other reasons than room."""
    return (*chosen.given, *(each.passage for each in chosen.dropped if each.reason is not Reason.NO_ROOM))


def told(cited: CitedAnswer, passages: Passages, *, support: Support) -> CitedAnswer:
    """The answer with a paragraph below it for each difference, at most two, and the sources that these quote.

    `passages` are what it is compared with. Raises EmbedderUnavailableError.
    """
    sources = list(cited.sources)
    paragraphs = []
    for sides in _differences(cited.claims, passages, support=support):
        paragraphs.append("**Your documents differ:** " + " · ".join(_shown(side, sources) for side in sides))
        if len(paragraphs) == _MOST_TOLD:
            break
    return replace(cited, text="\n\n".join([cited.text, *paragraphs]), sources=tuple(sources))


def _differences(claims: Iterable[Claim], passages: Passages, *, support: Support) -> Iterator[list[_Side]]:
    """Newest first, those without a date last."""
    stated = [(passage, statement) for passage in passages for statement in _statements(passage)]
    seen: set[str] = set()
    for claim in claims:
        for ours in _relied_on(claim, stated, question=support.question):
            sides = [ours, *_others(ours, claim, stated, support=support)][:_MOST_SIDES]
            if len(sides) > 1 and seen.isdisjoint(side.statement.text for side in sides):
                seen.update(side.statement.text for side in sides)
                yield sorted(sides, key=_newest_first)
                break


def _newest_first(side: _Side) -> float:
    return -side.passage.dated.timestamp() if side.passage.dated else 0.0


def _relied_on(claim: Claim, stated: _Stated, *, question: str) -> Iterator[_Side]:
    """What the sentence takes from its sources: a value, or that something is or is not so."""
    said = _read(claim.sentence)
    wanted = said.subject | _read(question).subject
    for source in claim.passages:
        able = [each for passage, each in stated if passage is source and each.is_near(said)]
        able.sort(key=lambda each: -len(wanted & each.subject))
        for statement in able:
            for value in statement.values:
                if any(value.is_same(own) and value.kind == own.kind for own in said.values):
                    yield _Side(source, statement, value)
            if statement.denies == said.denies:
                yield _Side(source, statement, None)


def _others(ours: _Side, claim: Claim, stated: _Stated, *, support: Support) -> Iterator[_Side]:
    """One of each other document that contradicts, and nowhere agrees."""
    asked = _read(support.question)
    named = asked.words | _read(claim.sentence).words
    of_document: dict[str, list[_Statement]] = {}
    for passage, statement in stated:
        of_document.setdefault(passage.document_id, []).append(statement)
    own = of_document.get(ours.passage.document_id, [])
    done = {ours.passage.document_id}
    for passage, statement in stated:
        if passage.document_id in done or not _is_same_subject(ours, passage, statement, named=named):
            continue
        theirs = _Side(passage, statement, _other_value(ours, statement, asked=asked))
        contradicts = theirs.value is not None if ours.value else _denies(ours.statement, statement)
        if (
            contradicts
            and not any(_agrees(each, ours) for each in of_document[passage.document_id])
            and not any(_agrees(each, theirs) for each in own)
            and support.cosine(ours.statement.text, statement.text) >= _COSINE
        ):
            done.add(passage.document_id)
            yield theirs


def _is_same_subject(ours: _Side, passage: Passage, statement: _Statement, *, named: frozenset[str]) -> bool:
    """Nearly the same words, under titles and headings that do not tell them apart."""
    mine, other = ours.statement.subject, statement.subject
    shared = mine & other
    is_copy = ours.statement.words == statement.words and len(statement.words) > _FEWEST_SHARED
    if not shared or len(shared) < _NEAR * len(mine) or (len(shared) < _FEWEST_SHARED and not is_copy):
        return False
    if other - mine or (mine - other) & named:
        return False
    mine_known = mine | _words_about(ours.passage)
    other_known = other | _words_about(passage)
    for my_name, other_name in (
        (_title_words(ours.passage), _title_words(passage)),
        (_last_heading(ours.passage), _last_heading(passage)),
    ):
        if my_name - other_known and other_name - mine_known:
            return False
    apart = (_words_about(ours.passage) - other_known) | (_words_about(passage) - mine_known)
    return not apart & named


def _other_value(ours: _Side, statement: _Statement, *, asked: _Statement) -> _Value | None:
    """The one value that stands in the place of ours, all others being the same. A date may be there or not."""
    if ours.value is None or ours.statement.denies != statement.denies:
        return None
    mine = [value for value in ours.statement.values if not statement.has(value)]
    other = [value for value in statement.values if not ours.statement.has(value)]
    dates = [[value for value in values if value.kind == "date"] for values in (mine, other)]
    if ours.value.kind != "date" and not all(dates) and not any(map(asked.has, chain(*dates))):
        mine, other = ([value for value in values if value.kind != "date"] for values in (mine, other))
    alone = len(mine) == len(other) == 1 and mine[0] == ours.value
    return other[0] if alone and other[0].is_like(ours.value) else None


def _denies(one: _Statement, other: _Statement) -> bool:
    """One says that it is so, the other that it is not, and all else is the same."""
    return (
        one.denies != other.denies
        and one.subject == other.subject
        and len(one.words) > _FEWEST_SHARED
        and all(map(other.has, one.values))
        and all(map(one.has, other.values))
    )


def _agrees(statement: _Statement, side: _Side) -> bool:
    """It says what that side says, perhaps in other words: then its document knows both."""
    if side.value is None:
        return statement.denies == side.statement.denies and side.statement.subject <= statement.subject
    return statement.has(side.value) and statement.is_near(side.statement)


def _words_about(passage: Passage) -> frozenset[str]:
    return _title_words(passage) | frozenset(words_of(passage.heading)) - _EMPTY


def _title_words(passage: Passage) -> frozenset[str]:
    return _bare(re.sub(r"\.\w{2,4}$", "", passage.title)) - _OF_DOCUMENTS


def _last_heading(passage: Passage) -> frozenset[str]:
    return _bare(passage.heading.rpartition(" > ")[2])


def _bare(name: str) -> frozenset[str]:
    """Its words without dates and numbers."""
    return frozenset(word for word in _read(name).subject if not any(c.isdigit() for c in word))


def _statements(passage: Passage) -> list[_Statement]:
    spans = map(str.strip, spans_of(passage.text))
    return [_read(span) for span in spans if span and len(span) <= _LONGEST]


def _read(span: str) -> _Statement:
    text = _REFERENCE.sub(lambda found: " " * len(found.group()), span)
    # Of equal length, so that a value is found again in the span.
    text = re.sub(r"\s", " ", text)
    values = tuple(_value(found, text) for found in _VALUE.finditer(text))
    rest = _BOUND.sub(" ", _VALUE.sub(" ", text))
    return _Statement(
        text=span,
        values=values,
        words=frozenset(words_of(_NEGATION.sub(" ", rest))),
        denies=bool(_NEGATION.search(rest)),
    )


def _value(found: re.Match[str], text: str) -> _Value:
    part = {name: value.lower() for name, value in found.groupdict().items() if value}
    at = found.start()
    if "weekday" in part:
        return _Value("weekday", written=part["weekday"], at=at)
    if "clock" in part or "hour" in part:
        return _Value("clock", written=_time_of_day(part), at=at)
    if "low" not in part:
        return _Value("date", written=_date(part), at=at)
    if re.fullmatch(r"(?:19|20)\d\d", found.group()):
        return _Value("date", written=f"{found.group()}||", at=at)
    low, high = _number(part["low"]), _number(part.get("high", part["low"]))
    around = ("".join(words_of(text[:at])[-1:]), "".join(words_of(text[found.end() :])[:1]))
    if low is None or high is None:
        return _Value("number", written=found.group(), around=around, at=at)
    scale = _SCALES.get(part.get("scale", ""), 1.0) * _DAYS.get(part.get("unit", ""), 1.0)
    money = part.get("before") or part.get("after")
    kinds = {"percent": "percent" in part, f"money {_CURRENCIES.get(money or '')}": money, "time": "unit" in part}
    kind = next((kind for kind, is_so in kinds.items() if is_so), "number")
    return _Value(kind, low * scale, high * scale, unit=part.get("unit", ""), around=around, at=at)


def _number(written: str) -> float | None:
    """None for '3.11.7'."""
    (number,) = numbers_in(written)
    try:
        return float(number)
    except ValueError:
        return None


def _time_of_day(part: Mapping[str, str]) -> str:
    """On the clock of 24 hours."""
    hour, minute = part["clock"].split(":") if "clock" in part else (part["hour"], part.get("minute", "0"))
    half = part.get("half")
    return f"{int(hour) % 12 + 12 * (half == 'p') if half else int(hour)}:{int(minute):02}"


def _date(part: Mapping[str, str]) -> str:
    """'year|month|day', each empty where it is not told. Of two numbers the first is the day, where it can be."""
    if "iso" in part:
        year, month, day = part["iso"].split("-")
    elif "numeric" in part:
        day, month, year = re.split(r"[./]", part["numeric"])
        if int(month) > len(_MONTHS):
            day, month = month, day
        year = f"20{year}"[-4:]
    else:
        name = next(part[key] for key in part if key.startswith("month"))
        month = str([each[:3] for each in _MONTHS].index(name[:3]) + 1)
        day = part.get("day_a") or part.get("day_b", "")
        year = next((part[key] for key in part if key.startswith("year")), "")
    return "|".join(each.lstrip("0") for each in (year, month, day))


def _shown(side: _Side, sources: list[Source]) -> str:
    """Quoted, with its document, date and marker. The passage becomes a source where it is none yet."""
    passage = side.passage
    numbers = {source.passage.chunk_id: source.n for source in sources}
    n = numbers.get(passage.chunk_id)
    if n is None:
        n = len(sources) + 1
        sources.append(Source(n=n, passage=passage, quote=side.statement.text))
    about = _plain(passage.title) + (f", {passage.dated:%Y-%m-%d}" if passage.dated else "")
    return f"\u201c{_excerpt(side)}\u201d ({about}) [{n}]"


def _excerpt(side: _Side) -> str:
    """The statement, or what stands around its value."""
    text = side.statement.text
    if len(text) <= _EXCERPT:
        return _plain(text)
    at = side.value.at if side.value else 0
    start = text.rfind(" ", 0, max(at - _EXCERPT // 2, 0)) + 1
    end = text.find(" ", start + _EXCERPT)
    end = len(text) if end < 0 else end
    return "…" * (start > 0) + _plain(text[start:end]) + "…" * (end < len(text))


def _plain(text: str) -> str:
    """One line of plain words that can neither be Markdown, nor a marker, nor end the quotation."""
    bare = _UNSAFE.sub(" ", text)
    return " ".join("".join(c if c.isprintable() else " " for c in bare).split())
