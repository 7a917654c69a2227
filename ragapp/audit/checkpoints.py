"""Checkpoints as a file of JSON lines: kept beside the database, or by an auditor, who then knows a shortened chain."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from ragapp.gateway.errors import CheckpointsUnreadableError
from ragapp.gateway.ledger import Checkpoint


def read(path: Path) -> list[Checkpoint]:
    """All of the file; none where there is no file. Raises CheckpointsUnreadableError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Checkpoint(**json.loads(line)) for line in lines if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as exc:
        raise CheckpointsUnreadableError(f"{path} holds something that is no checkpoint ({exc})") from exc


def append(path: Path, checkpoint: Checkpoint) -> None:
    """One line more, on the disk when this returns."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(checkpoint)) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
