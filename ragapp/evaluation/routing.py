"""What the gate says of texts that may leave and of texts that must stay. Nothing is searched, sent or stored.

A set is a folder of folders: the texts in `generic` may leave, all others must stay. The files are JSON, JSON lines or
YAML; a record's text is under the first of TEXT that it has, and one that lists its sensitive `spans` must have some.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ragapp.evaluation import measures, question_set
from ragapp.evaluation.errors import InvalidQuestionSetError, NothingToMeasureError
from ragapp.gateway.base import Finding
from ragapp.gateway.gate import Gate, Look

TEXT: Final = ("text", "full_text", "prompt", "question", "value")
MAY_LEAVE: Final = "generic"
_SUFFIXES: Final = frozenset({".json", ".jsonl", ".yaml", ".yml"})
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Prompt:
    """A text; `group` is its file without suffix, under its folder."""

    group: str
    text: str

    @property
    def may_leave(self) -> bool:
        """Whether it stands with the generic ones."""
        return self.group.split("/")[0] == MAY_LEAVE


@dataclass(frozen=True)
class Passed:
    """How many of a group no signal held back; `low` and `high` are the 95 % interval of the share (Clopper, Pearson).

    `held` are the shares that each signal alone holds back, and `unknown` the share of texts with a signal in doubt.
    """

    group: str
    texts: int
    passed: int
    low: float
    high: float
    held: Mapping[str, float]
    unknown: float


@dataclass(frozen=True)
class Without:
    """An ablation: what passes where one signal is left out, of the texts that must stay and of those that may go."""

    signal: str
    leaked: float
    covered: float


@dataclass(frozen=True)
class RoutingReport:
    """Everything that was measured. `milliseconds` are median and 95th percentile of a look at one text."""

    groups: Sequence[Passed]
    ablation: Sequence[Without]
    milliseconds: tuple[float, float]


def load(folder: Path, *, limit: int | None = None) -> list[Prompt]:
    """The first `limit` texts of each file. Raises InvalidQuestionSetError."""
    files = [path for path in sorted(folder.glob("*/*")) if path.suffix in _SUFFIXES]
    if not files:
        raise InvalidQuestionSetError(f"{folder} has no folders with .json, .jsonl or .yaml files")
    return [prompt for path in files for prompt in _prompts(path)[:limit]]


def evaluate(prompts: Sequence[Prompt], *, gate: Gate) -> RoutingReport:
    """Have the gate look at each. Raises NothingToMeasureError where texts of one sort are missing."""
    if len({prompt.may_leave for prompt in prompts}) < 2:
        raise NothingToMeasureError(f"it takes texts in {MAY_LEAVE}/ and texts in other folders")
    looks = [gate.look(prompt.text) for prompt in prompts]
    seen = list(zip(prompts, looks, strict=True))
    groups = dict.fromkeys(prompt.group for prompt in prompts)
    return RoutingReport(
        groups=[_passed(name, [look for prompt, look in seen if prompt.group == name]) for name in groups],
        ablation=[_without(name, seen) for name in ("", *gate.names)],
        milliseconds=measures.median_and_p95([1000 * sum(look.took.values()) for look in looks]),
    )


def _prompts(path: Path) -> list[Prompt]:
    group = f"{path.parent.name}/{path.stem}"
    texts = [text for record in _records(path) if (text := _text(record, path=path))]
    return [Prompt(group, text) for text in texts]


def _records(path: Path) -> list[Any]:
    import yaml

    content = question_set.text_of(path)
    try:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in content.splitlines() if line.strip()]
        if path.suffix == ".json":
            return list(json.loads(content))
        # Files of several documents; what stands before the texts of one list has none itself.
        return [each for document in yaml.safe_load_all(content) for each in _listed(document)]
    except (ValueError, TypeError, yaml.YAMLError) as exc:
        raise InvalidQuestionSetError(f"{path.name} is not what its name says: {exc}") from exc


def _listed(document: Any) -> Iterable[Any]:
    if not isinstance(document, dict):
        return document if isinstance(document, list) else ()
    lists = [value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if lists else [document]


def _text(record: Any, *, path: Path) -> str:
    """Empty for a record of nothing sensitive, and for one without words."""
    if isinstance(record, str):
        return record
    if not isinstance(record, dict):
        raise InvalidQuestionSetError(f"{path.name} holds something that is neither a text nor a record")
    if record.get("spans") == []:
        return ""
    text = next((record[key] for key in TEXT if key in record), None)
    if not isinstance(text, str):
        raise InvalidQuestionSetError(f"{path.name} holds a record without any of {', '.join(TEXT)}")
    return text


_Seen = Sequence[tuple[Prompt, Look]]


def _passed(group: str, looks: Sequence[Look]) -> Passed:
    from scipy import stats

    passed = sum(_passes(look) for look in looks)
    interval = stats.binomtest(passed, len(looks)).proportion_ci(_CONFIDENCE)
    names = [signal.name for signal in looks[0].signals]
    held = {name: sum(name in _held(look, Finding.DENY) for look in looks) / len(looks) for name in names}
    unknown = sum(bool(_held(look, Finding.UNKNOWN)) for look in looks) / len(looks)
    return Passed(group, len(looks), passed, float(interval.low), float(interval.high), held, unknown)


def _without(name: str, seen: _Seen) -> Without:
    def share(*, may_leave: bool) -> float:
        looks = [look for prompt, look in seen if prompt.may_leave is may_leave]
        return sum(_passes(look, but=name) for look in looks) / len(looks)

    return Without(name, leaked=share(may_leave=False), covered=share(may_leave=True))


def _passes(look: Look, *, but: str = "") -> bool:
    return all(signal.finding is Finding.CLEAN for signal in look.signals if signal.name != but)


def _held(look: Look, finding: Finding) -> set[str]:
    return {signal.name for signal in look.signals if signal.finding is finding}
