"""A question set on disk: a folder with `queries.jsonl`, `qrels.tsv`, and `corpus.jsonl` or `files/`.

| file | lines |
|---|---|
| corpus.jsonl | {"id", "text", "title"?} |
| queries.jsonl | {"id", "text", "split"?, "answers"?, "unanswerable"?, "history"?: [{"role", "text"}]} |
| qrels.tsv | query id, id of a passage or of a file (`a.pdf`) or page (`a.pdf#page=3`), relevance |
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from ragapp.answering.base import PastTurn
from ragapp.evaluation.errors import InvalidQuestionSetError

_RELEVANCE_COLUMN = 2


class SetPassage(BaseModel, frozen=True):
    """One line of corpus.jsonl."""

    id: str = Field(min_length=1)
    text: str
    title: str = ""


class Turn(BaseModel, frozen=True):
    """What was said before the question."""

    role: Literal["user", "assistant"]
    text: str


class Question(BaseModel, frozen=True):
    """One line of queries.jsonl. `answerability` is how mtrag says `unanswerable`."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    split: str = ""
    answers: tuple[str, ...] = ()
    unanswerable: bool = False
    answerability: str = ""
    history: tuple[Turn, ...] = ()

    @property
    def is_answerable(self) -> bool:
        """Whether the set says that its corpus holds the answer."""
        return not self.unanswerable and self.answerability != "UNANSWERABLE"

    @property
    def turns(self) -> tuple[PastTurn, ...]:
        """What was said before, as questions with their answers."""
        turns: list[PastTurn] = []
        for said in self.history:
            if said.role == "user":
                turns.append(PastTurn(said.text))
            elif turns:
                turns[-1] = PastTurn(turns[-1].question, said.text)
        return tuple(turns)

    @property
    def earlier(self) -> str:
        """The person's turn before this one, or ''."""
        return next((turn.text for turn in reversed(self.history) if turn.role == "user"), "")


_Line = TypeVar("_Line", SetPassage, Question)


@dataclass(frozen=True)
class QuestionSet:
    """A set, or one split of it. `relevant` is relevance by question id and target id; above 0 is right.

    `files` are by their path below files/, which is their id.
    """

    name: str
    questions: tuple[Question, ...]
    relevant: Mapping[str, Mapping[str, int]]
    passages: tuple[SetPassage, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def names_pages(self) -> bool:
        """Whether a page of a file is right, and not the whole file."""
        return any("#page=" in target for wanted in self.relevant.values() for target in wanted)

    @property
    def judged(self) -> tuple[Question, ...]:
        """The questions that have a relevant target."""
        return tuple(
            each for each in self.questions if any(grade > 0 for grade in self.relevant.get(each.id, {}).values())
        )


def load(folder: Path, *, split: str = "", limit: int | None = None) -> QuestionSet:
    """The set in `folder`; of its questions those of `split`, where one is named, and at most `limit`.

    `files/` is read in place of corpus.jsonl where it is there. Raises InvalidQuestionSetError.
    """
    below = folder / "files"
    files = {path.relative_to(below).as_posix(): path for path in sorted(below.rglob("*")) if path.is_file()}
    passages = () if files else tuple(_lines(folder / "corpus.jsonl", SetPassage))
    questions = [each for each in _lines(folder / "queries.jsonl", Question) if not split or each.split == split]
    if not questions:
        which = f" of split {split!r}" if split else ""
        raise InvalidQuestionSetError(f"{folder / 'queries.jsonl'} has no question{which}")
    return QuestionSet(
        name=folder.resolve().name,
        questions=tuple(questions[:limit]),
        relevant=_qrels(folder / "qrels.tsv"),
        passages=passages,
        files=files,
    )


def _lines(path: Path, kind: type[_Line]) -> Iterator[_Line]:
    seen: set[str] = set()
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = kind.model_validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidQuestionSetError(
                f"{path}, line {number}: {where or 'no JSON object'}: {first['msg']}"
            ) from exc
        if found.id in seen:
            raise InvalidQuestionSetError(f"{path}, line {number}: the id {found.id!r} is there twice")
        seen.add(found.id)
        yield found


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        parts = line.rstrip("\n").split("\t")
        if len(parts) <= _RELEVANCE_COLUMN or not parts[_RELEVANCE_COLUMN].strip().lstrip("-").isdigit():
            if number == 1 or not line.strip():
                continue
            raise InvalidQuestionSetError(f"{path}, line {number}: not a query id, a target id and a number")
        found[parts[0]][parts[1]] = int(parts[_RELEVANCE_COLUMN])
    return dict(found)


def text_of(path: Path) -> str:
    """The file's. Raises InvalidQuestionSetError where it cannot be read, or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise InvalidQuestionSetError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidQuestionSetError(f"{path} is not UTF-8: {exc.reason}") from exc
