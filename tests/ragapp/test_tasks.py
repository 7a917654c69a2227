"""What concerns several packages at once."""

from collections.abc import Callable

import pytest

from ingestion import erasure
from ragapp import tasks


def test_what_was_written_from_a_document_is_blanked_before_its_bytes_are_said_to_be_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    def noting(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    monkeypatch.setattr(tasks, "answers_forget", noting("answers"))
    monkeypatch.setattr(tasks, "cases_forget", noting("cases"))
    monkeypatch.setattr(erasure, "erasures_settle", noting("bytes"))
    tasks.settle_erasures()
    assert done == ["answers", "cases", "bytes"]
