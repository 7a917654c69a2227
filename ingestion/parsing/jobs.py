"""What the fork server is asked for and answers: plain data, JSON on the wire. Imported by both sides."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ingestion.parsing.sandbox import Limits

FOLDER_PREFIX = "ragapp-parse-"
# In the job's folder: what the child found, and what it said while it looked.
ANSWER, LOG = "answer.json", "log"
PICTURE = "page.png"
UNPACKED = "unpacked"
# Exit status of a child that has no room even for saying so (EX_TEMPFAIL of sysexits.h).
NO_ROOM_STATUS = 75


class Task(StrEnum):
    """What a child does."""

    PARSE = "parse"
    UNPACK = "unpack"
    RENDER = "render"


class Ended(StrEnum):
    """Why the fork server ended a child; NO where it did not."""

    NO = ""
    TIME = "time"
    MEMORY = "memory"
    FOLDER = "folder"
    THREADS = "threads"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """`target` is the import path 'module:name' of what does it, `file` what it reads, `folder` where it may write."""

    task: Task
    target: str
    file: Path
    folder: Path
    limits: Limits
    arguments: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """On one line."""
        return json.dumps({**asdict(self), "file": str(self.file), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Job":
        """The reverse of `as_json`."""
        found = json.loads(text)
        return cls(
            task=Task(found["task"]),
            target=found["target"],
            file=Path(found["file"]),
            folder=Path(found["folder"]),
            limits=Limits(**found["limits"]),
            arguments=found["arguments"],
        )


@dataclass(frozen=True)
class Outcome:
    """How a child ended. `status` is its exit status or the negative signal, `peak_bytes` its largest resident set."""

    status: int
    peak_bytes: int
    ended: Ended

    def as_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> "Outcome":
        """The reverse of `as_json`."""
        found = json.loads(text)
        return cls(status=found["status"], peak_bytes=found["peak_bytes"], ended=Ended(found["ended"]))
