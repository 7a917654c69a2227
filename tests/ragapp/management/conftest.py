"""Commands over an index, files and a model of the test's own."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import call_command

from ingestion import engine, integrity
from tests.ingestion.integrity.corpus import EMBEDDER

Run = Callable[..., str]


@pytest.fixture
def run(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`run("audit", "--json")` gives what the command prints."""
    folders = {"files_dir": tmp_path / "files", "index_dir": tmp_path / "index"}
    ours = settings.INGESTION.model_copy(update=folders)
    monkeypatch.setattr(settings, "INGESTION", ours)
    engine.close()

    def call(*arguments: str) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    with patch.object(engine, "embedder", lambda: EMBEDDER), patch.object(integrity, "SECOND_LOOK_S", 0.0):
        yield call
    engine.close()
