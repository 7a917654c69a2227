"""`manage.py sync_source`: runs here, and tells errors as errors."""

import io
import os
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from ingestion.services import collection_create
from ingestion.sources import claims
from ingestion.sources.config import SourcesConfig
from ingestion.sources.models import Source
from ingestion.sources.services import source_create

pytestmark = pytest.mark.django_db


@pytest.fixture
def share(tmp_path: Path, settings: Settings) -> Path:
    settings.SOURCES = SourcesConfig(roots=(tmp_path,))
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha")
    os.utime(folder / "a.txt", (time.time() - 60,) * 2)
    return folder


@pytest.fixture
def source(share: Path) -> Source:
    return source_create(
        name="Share",
        kind="folder",
        collection=collection_create(name="HR"),
        values={"path": str(share)},
        interval_s=0,
        created_by=None,
    )


def test_it_says_what_came_of_it(source: Source) -> None:
    out = io.StringIO()
    call_command("sync_source", "Share", stdout=out)
    assert out.getvalue().startswith("Done: 1 listed, 1 added")


def test_what_goes_wrong_is_an_error(source: Source, share: Path) -> None:
    call_command("sync_source", "Share", stdout=io.StringIO())
    (share / "a.txt").unlink()
    with pytest.raises(CommandError, match="More than half"):
        call_command("sync_source", "Share", stdout=io.StringIO())
    share.rmdir()
    with pytest.raises(CommandError, match="not there"):
        call_command("sync_source", "Share", stdout=io.StringIO())
    with pytest.raises(CommandError, match="no source"):
        call_command("sync_source", "Other")
    Source.objects.update(requested=True)
    assert claims.take(source.pk)
    with pytest.raises(CommandError, match="Another worker"):
        call_command("sync_source", "Share")
