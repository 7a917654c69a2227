"""Removing what a child has left, which may be nested or closed so that the usual means give up."""

import contextlib
import os
import shutil
import uuid
from pathlib import Path

_OPEN = 0o700


def remove_folder(folder: Path) -> None:
    """Remove it with all that is in it. What cannot be removed stays, without a word.

    Nobody else writes there or removes it meanwhile.
    """
    with contextlib.suppress(OSError):
        _remove(str(folder))
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)


def _remove(top: str) -> None:
    """Folders in folders are moved up before they are looked into: no depth is too deep, and no path too long."""
    waiting = [top]
    while waiting:
        inner = waiting.pop()
        with os.scandir(inner) as entries:
            for entry in list(entries):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, _OPEN)
                moved = entry.path if inner == top else os.path.join(top, uuid.uuid4().hex)
                os.rename(entry.path, moved)
                waiting.append(moved)
        if inner != top:
            os.rmdir(inner)
    os.rmdir(top)
