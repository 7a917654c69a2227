"""Whether bare identifiers and quoted phrases are found exactly: a question set is made, and asked through the product.

    python -m benchmarks.identifiers [--folder DIR] [--groups 16] [--asked 4] [--arms hybrid,rerank] [--seed 1]

Each identifier stands in a passage of business prose; seven others have the same words around, and an identifier of
which one digit or letter differs (of a phrase, the order of its words). It is asked for bare, inside a question, within
quotation marks, and as people type it from memory: in lower case, with blanks for its marks. The folder is a set for
`manage.py evaluate retrieval` as well. The table gives R@5 by kind and way of asking; of R@1 the mean by kind.
"""

import argparse
import json
import random
import re
import statistics
import string
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ingestion.config import IngestionConfig
from ingestion.factory import embedder_for
from ragapp.evaluation import question_set
from ragapp.evaluation.retrieval import ARMS, ArmResult, evaluate

NEAR_MISSES = 7
WAYS = ("bare", "question", "quoted", "typed")
Draw = Callable[[random.Random], str]


@dataclass(frozen=True)
class Kind:
    """A shape of identifier: how one is drawn, and the sentence and the question that it stands in."""

    draw: Draw
    sentence: str
    question: str


def digits(source: random.Random, count: int) -> str:
    """So many, the first of them no zero."""
    return str(source.randint(1, 9)) + "".join(source.choices(string.digits, k=count - 1))


def letters(source: random.Random, count: int) -> str:
    """So many capitals."""
    return "".join(source.choices(string.ascii_uppercase, k=count))


def _of(pattern: str) -> Draw:
    """A pattern's N digits as {N}, its N capitals as {AN}."""

    def draw(source: random.Random) -> str:
        def part(found: re.Match[str]) -> str:
            return letters(source, int(found[2])) if found[1] else digits(source, int(found[2]))

        return re.sub(r"\{(A?)(\d+)\}", part, pattern)

    return draw


def _date(source: random.Random) -> str:
    year, month, day = source.randint(2015, 2026), source.randint(1, 12), source.randint(1, 28)
    return f"{year}-{month:02}-{day:02}" if source.random() < 0.5 else f"{day:02}.{month:02}.{year}"


def _address(source: random.Random) -> str:
    return f"{source.choice(FIRST)}.{source.choice(LAST)}{source.randint(1, 99)}@{source.choice(PLACES)}.example.com"


def _file(source: random.Random) -> str:
    return f"{source.choice(THINGS)}_{source.choice(PLACES)}-v{source.randint(2, 40)}.{source.choice(ENDINGS)}"


def _phrase(source: random.Random) -> str:
    first, second = source.sample(QUALITIES, k=2)
    one, other = source.sample(THINGS, k=2)
    return f"{first} {one} of {second} {other}"


FIRST = ("anna", "bernd", "carla", "deepa", "emil", "fatima", "george", "hana")
LAST = ("meier", "novak", "okafor", "perez", "quist", "rossi", "schmidt", "tanaka")
PLACES = ("leeds", "lyon", "porto", "graz", "turin", "gent", "malmo", "brno")
ENDINGS = ("pdf", "xlsx", "docx", "csv", "log", "cfg")
THINGS = ("report", "budget", "invoice", "contract", "schedule", "forecast", "manifest", "ledger", "audit", "tender")
QUALITIES = ("annual", "revised", "partial", "joint", "final", "regional", "interim", "standard", "internal", "binding")
KINDS: Mapping[str, Kind] = {
    "invoice": Kind(_of("INV-20{2}-{5}"), "The supplier sent invoice {} for it.", "When was {} paid?"),
    "part": Kind(_of("{1}{A1}-{4}/{A1}"), "The part to use is {}, in stock.", "Which part is {}?"),
    "ticket": Kind(_of("{A3}-{4}"), "Progress is tracked under {} by the team.", "What is the state of {}?"),
    "section": Kind(_of("§ {1}.{2}.{1}"), "This is ruled by {} of the agreement.", "What does {} say?"),
    "iban": Kind(_of("DE{2} {4} {4} {4} {4} {2}"), "Pay into account {} only.", "Whose account is {}?"),
    "order": Kind(_of("45{8}"), "It was ordered as {} last quarter.", "Who placed order {}?"),
    "error": Kind(_of("E_{A4}_0x{8}"), "The controller then stops with {} on its panel.", "How do I get rid of {}?"),
    "version": Kind(_of("{1}.{2}.{1}"), "The fix came with release {} of the firmware.", "What changed in {}?"),
    "ip": Kind(_of("10.{2}.{2}.{2}"), "The gateway is reached at {} from inside.", "What runs on {}?"),
    "mail": Kind(_address, "Questions go to {} during office hours.", "What is {} responsible for?"),
    "file": Kind(_file, "All figures are in {} on the share.", "What is in {}?"),
    "norm": Kind(_of("ISO {5}:20{2} A.{1}.{2}"), "Certified according to {} by an auditor.", "What does {} require?"),
    "phone": Kind(_of("+49 {2} {4}-{3}"), "The hotline is {} at any hour.", "Who answers {}?"),
    "date": Kind(_date, "The handover took place on {} in the hall.", "What happened on {}?"),
    "serial": Kind(_of("SN{A2}{6}{A1}"), "The unit with serial number {} was replaced.", "Where is {} installed?"),
    "phrase": Kind(_phrase, "It is called the {} from now on.", 'Where is the "{}" mentioned?'),
}
PROSE = (
    "The {} team in {} reviews the {} every month and writes down what has changed since.",
    "Colleagues of {} in {} keep a copy of the {} for seven years.",
    "For {} in {}, the {} is signed by two people before anything is shipped.",
    "Whenever {} in {} finds a mistake in the {}, the manager on duty is told on the same day.",
)


def main() -> None:
    """Make the set, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="kept there; otherwise it is made anew and removed")
    parser.add_argument("--model", type=Path, default=Path(".cache/models/all-MiniLM-L6-v2"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--groups", type=int, default=16, help="identifiers of each kind, each with its near misses")
    parser.add_argument("--asked", type=int, default=4, help="so many of each kind's identifiers are asked for")
    parser.add_argument("--arms", default="hybrid,rerank", help=f"some of {','.join(ARMS)}")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        make(folder, groups=given.groups, asked=given.asked, seed=given.seed)
        for arm in measure(folder, model=given.model, threads=given.threads, arms=given.arms.split(",")):
            report(arm)


def make(folder: Path, *, groups: int, asked: int, seed: int) -> None:
    """Write the set's three files."""
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)  # noqa: S311 - the same data at every run, and no secret
    corpus, queries, right = [], [], []
    for kind, number in ((kind, number) for kind in KINDS for number in range(groups)):
        key = f"{kind}-{number}"
        same = near_misses(KINDS[kind], source)
        around = prose(source)
        for at, identifier in enumerate(same):
            text = f"{around[0]} {KINDS[kind].sentence.format(identifier)} {around[1]}"
            corpus.append({"id": f"{key}-{at}", "text": text})
        for way, text in ways_to_ask(same[0], kind=kind).items() if number < asked else ():
            queries.append({"id": f"{key}/{way}", "text": text})
            right.append(f"{key}/{way}\t{key}-0\t1")
    source.shuffle(corpus)
    _write(folder / "corpus.jsonl", map(json.dumps, corpus))
    _write(folder / "queries.jsonl", map(json.dumps, queries))
    _write(folder / "qrels.tsv", ["query_id\ttarget\trelevance", *right])


def near_misses(kind: Kind, source: random.Random) -> list[str]:
    """The identifier, then those that are almost it."""
    first = kind.draw(source)
    found = [first]
    while len(found) <= NEAR_MISSES:
        other = _shuffled(first, source) if kind.draw is _phrase else _mistyped(first, source)
        if other not in found:
            found.append(other)
    return found


def _mistyped(text: str, source: random.Random) -> str:
    """One digit, or where there are few one letter, is another."""
    places = [at for at, char in enumerate(text) if char.isdigit()]
    if len(places) < NEAR_MISSES or source.random() < 0.2:
        places = [at for at, char in enumerate(text) if char.isalnum()]
    at = source.choice(places)
    among = string.digits if text[at].isdigit() else string.ascii_letters
    among = "".join(char for char in among if char.isupper() == text[at].isupper())
    return text[:at] + source.choice(among) + text[at + 1 :]


def _shuffled(text: str, source: random.Random) -> str:
    first, one, _, second, other = text.split()
    words = source.sample((first, one, second, other), k=4)
    return "{} {} of {} {}".format(*words)


def prose(source: random.Random) -> tuple[str, str]:
    """The sentences before and after."""

    def sentence(shape: str) -> str:
        about = f"{source.choice(QUALITIES)} {source.choice(THINGS)}"
        return shape.format(source.choice(LAST).title(), source.choice(PLACES).title(), about)

    before, after = source.sample(PROSE, k=2)
    return sentence(before), sentence(after)


def ways_to_ask(identifier: str, *, kind: str) -> dict[str, str]:
    """The question by way of asking. Nobody types a phrase otherwise; bare, it is no phrase but its words."""
    if kind == "phrase":
        return {"question": KINDS[kind].question.format(identifier), "quoted": f'"{identifier}"'}
    return {
        "bare": identifier,
        "question": KINDS[kind].question.format(identifier),
        "quoted": f'"{identifier}"',
        "typed": re.sub(r"[-/_:§+]+", " ", identifier).strip().lower(),
    }


def measure(folder: Path, *, model: Path, threads: int, arms: Sequence[str]) -> tuple[ArmResult, ...]:
    """Every question of every arm, in a throw-away index."""
    config = IngestionConfig(files_dir=folder, index_dir=folder, embedding_path=model, embedding_threads=threads)
    bars: dict[str, tqdm[Any]] = {}

    def progress(step: str, done: int, total: int) -> None:
        bar = bars.setdefault(step, tqdm(total=total, desc=step, disable=not sys.stderr.isatty(), leave=False))
        bar.update(done - bar.n)

    return evaluate(
        question_set.load(folder),
        arms={name: ARMS[name] for name in arms},
        config=config,
        embedder=embedder_for(config),
        whole_passages=False,
        progress=progress,
    ).arms


def report(arm: ArmResult) -> None:
    """Print one arm's table."""
    median, p95 = arm.latency_ms["total"]
    print(f"\n{arm.arm}: {len(arm.judged)} questions, {median:.1f} / {p95:.1f} ms\n")
    print("| kind | " + " | ".join(WAYS) + " | all R@5 | all R@1 |\n|" + "---|" * (len(WAYS) + 3))
    for kind in (*KINDS, "all"):
        cells = [_mean(arm, "R@5", kind=kind, way=way) for way in (*WAYS, "")] + [_mean(arm, "R@1", kind=kind)]
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def _mean(arm: ArmResult, measure: str, *, kind: str, way: str = "") -> str:
    values = [
        value[measure]
        for key, value in arm.judged.items()
        if (kind == "all" or key.startswith(f"{kind}-")) and key.endswith(way)
    ]
    return f"{statistics.fmean(values):.3f}" if values else ""


def _write(path: Path, lines: Iterator[str] | Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
