"""Sources as admins see them: adding, changing, running, confirming and deleting, and that nobody else sees any."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from ingestion.models import Document, DocumentState
from ingestion.sources import sync
from ingestion.sources.config import SourcesConfig
from ingestion.sources.models import RunOutcome, Source, SourceItem, SourceRun
from ingestion.sources.services import source_create
from tests.ragapp.web.world import World, browser_of

SERVER = "https://storage.example.com:9000"
KEYS = {"access_key": "AKIA-visible-nowhere", "secret_key": "hunter2-visible-nowhere"}


@pytest.fixture(autouse=True)
def share(tmp_path: Path, settings: Settings) -> Path:
    """An allowed folder with three files, and an allowed storage server."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(name * 10)
    settings.SOURCES = SourcesConfig(roots=(tmp_path,), s3_endpoints=(SERVER,))
    return folder


@pytest.fixture
def source(world: World, share: Path) -> Source:
    return source_create(
        name="Team share",
        kind="folder",
        collection=world.vault,
        values={"path": str(share)},
        interval_s=3_600,
        created_by=world.admin,
    )


def url(name: str, *args: Any) -> str:
    return reverse(f"web:{name}", args=args)


def shown(client: Client, where: str) -> str:
    response = client.get(where)
    assert response.status_code == 200
    return response.content.decode()


def sent(client: Client, where: str, fields: dict[str, Any]) -> tuple[int, str]:
    response = client.post(where, fields, follow=True)
    return response.status_code, response.content.decode()


def ran(source: Source, share: Path) -> SourceRun:
    """A run over files that are old enough."""
    from ingestion.sources import folder

    before, folder.SETTLE_S = folder.SETTLE_S, 0.0
    try:
        Source.objects.filter(pk=source.pk).update(requested=True)
        record = sync.run(source.pk)
    finally:
        folder.SETTLE_S = before
    assert record is not None
    return record


def test_readers_see_no_sources(world: World, source: Source) -> None:
    reader = browser_of(world.reader)
    for name, args in (
        ("origins", ()),
        ("origin_create", ()),
        ("origin", (source.pk,)),
        ("origin_change", (source.pk,)),
        ("origin_confirm", (source.pk,)),
        ("origin_delete", (source.pk,)),
    ):
        assert reader.get(url(name, *args)).status_code == 403
        assert reader.post(url(name, *args)).status_code == 403
    assert url("origins") not in shown(reader, url("documents"))
    assert url("origins") in shown(browser_of(world.admin), url("documents"))
    assert Source.objects.count() == 1


def test_a_kind_that_is_off_says_what_opens_it(world: World, settings: Settings) -> None:
    html = shown(browser_of(world.admin), url("origin_create"))
    assert "RAGAPP_URL_IMPORT" in html
    assert "?kind=folder" in html
    assert "?kind=pages" not in html
    fields = {"name": "P", "urls": "https://example.com/", "collection": world.vault.pk, "interval_s": "0"}
    assert sent(browser_of(world.admin), url("origin_create") + "?kind=pages", fields)[0] == 200
    assert Source.objects.count() == 0


def test_a_folder_is_added_runs_and_shows_what_it_brought(world: World, share: Path) -> None:
    admin = browser_of(world.admin)
    where = url("origin_create") + "?kind=folder"
    assert "Its path on the server" in shown(admin, where)
    fields = {"name": "Team", "path": str(share), "collection": world.handbook.pk, "interval_s": "86400"}
    status, html = sent(admin, where, fields)
    assert (status, "Waiting to run" in html) == (200, True)
    source = Source.objects.get()
    assert (source.collection, source.created_by, source.interval_s) == (world.handbook, world.admin, 86_400)
    assert ran(source, share).added == 3
    html = shown(admin, url("origin", source.pk))
    assert "In step" in html
    assert "3 added" in html
    assert str(share) in html
    assert "3 added" in shown(admin, url("origins"))


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"path": "/etc"}, "path", "RAGAPP_SOURCE_ROOTS"),
        ({"path": "relative"}, "path", "from / on"),
        ({"path": ""}, "path", "required"),
        ({"name": ""}, "name", "required"),
        ({"name": "Team share"}, "name", "exists already"),
        ({"interval_s": "7"}, "interval_s", "not one of the available"),
        ({"collection": str(uuid4())}, "collection", "not one of the available"),
    ],
    ids=["root", "relative", "no path", "no name", "same name", "interval", "collection"],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    world: World, source: Source, share: Path, changes: dict[str, str], field: str, sentence: str
) -> None:
    fields = {"name": "New", "path": str(share), "collection": str(world.vault.pk), "interval_s": "0"} | changes
    status, html = sent(browser_of(world.admin), url("origin_create") + "?kind=folder", fields)
    assert status == 422
    assert sentence in html
    assert Source.objects.count() == 1
    if field != "name":
        assert 'value="New"' in html


def test_keys_are_never_shown_and_stay_where_they_are_left_empty(world: World) -> None:
    admin, where = browser_of(world.admin), url("origin_create") + "?kind=s3"
    fields = {
        "name": "Bucket",
        "endpoint": SERVER,
        "bucket": "docs",
        "region": "eu-1",
        "collection": world.vault.pk,
        "interval_s": "0",
    }
    status, html = sent(admin, where, fields | KEYS | {"bucket": "Not A Bucket"})
    assert (status, "not of the expected form" in html) == (422, True)
    pages = [html, sent(admin, where, fields | KEYS)[1]]
    source = Source.objects.get()
    sealed = source.sealed
    pages += [shown(admin, url("origin", source.pk)), shown(admin, url("origin_change", source.pk))]
    status, html = sent(admin, url("origin_change", source.pk), fields | {"name": "Renamed", "prefix": "hr/"})
    assert status == 200
    pages += [html, shown(admin, url("origins"))]
    assert [key for key in KEYS.values() if any(key in page for page in pages)] == []
    assert "Kept, and not shown" in html
    source.refresh_from_db()
    assert (source.name, source.options["prefix"]) == ("Renamed", "hr/")
    from ingestion.sources.sealing import unseal

    assert unseal(source.sealed) == unseal(sealed) == KEYS
    sent(admin, url("origin_change", source.pk), fields | {"secret_key": "another"})
    source.refresh_from_db()
    assert unseal(source.sealed) == KEYS | {"secret_key": "another"}


def test_a_server_that_is_not_allowed_is_refused(world: World) -> None:
    fields = {"name": "B", "endpoint": "http://169.254.169.254", "bucket": "docs", "region": "r", "interval_s": "0"}
    status, html = sent(
        browser_of(world.admin), url("origin_create") + "?kind=s3", fields | KEYS | {"collection": world.vault.pk}
    )
    assert status == 422
    assert "RAGAPP_SOURCE_S3_ENDPOINTS" in html


def test_an_address_that_may_not_be_fetched_is_refused(world: World, settings: Settings) -> None:
    settings.SOURCES = SourcesConfig(url_import=True)
    fields = {"name": "B", "urls": "http://127.0.0.1:8000/", "collection": world.vault.pk, "interval_s": "0"}
    status, html = sent(browser_of(world.admin), url("origin_create") + "?kind=pages", fields)
    assert status == 422
    assert "may not be fetched" in html


def test_it_runs_pauses_and_resumes_on_demand(world: World, source: Source, share: Path) -> None:
    admin, where = browser_of(world.admin), url("origin", source.pk)
    ran(source, share)
    sent(admin, where, {"action": "pause"})
    assert "Paused" in shown(admin, where)
    sent(admin, where, {"action": "run"})
    source.refresh_from_db()
    assert (source.paused, source.requested) == (True, True)
    ran(source, share)
    sent(admin, where, {"action": "resume"})
    source.refresh_from_db()
    assert (source.paused, source.requested) == (False, True)
    assert sent(admin, where, {"action": "nonsense"})[0] == 200
    Source.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    html = shown(admin, where)
    assert "Running" in html
    assert "Run now" not in html


def test_a_failed_run_and_items_that_were_not_taken_say_why(world: World, source: Source, share: Path) -> None:
    admin = browser_of(world.admin)
    (share / "empty.txt").touch()
    ran(source, share)
    html = shown(admin, url("origin", source.pk))
    assert "empty.txt" in html
    assert "The file is empty" in html
    share.rename(share.parent / "elsewhere")
    assert ran(source, share).outcome == RunOutcome.FAILED
    for where in (url("origin", source.pk), url("origins")):
        assert "The folder or bucket is not there" in shown(admin, where)
    assert Document.objects.filter(collection=world.vault, state=DocumentState.DELETING).count() == 0


def test_more_than_half_gone_waits_for_a_click(world: World, source: Source, share: Path) -> None:
    admin = browser_of(world.admin)
    ran(source, share)
    for file in share.iterdir():
        file.unlink()
    assert ran(source, share).outcome == RunOutcome.UNCONFIRMED
    html = shown(admin, url("origin", source.pk))
    assert "3 of 3 items are no longer there" in html
    assert "Remove 3 documents?" in shown(admin, url("origin_confirm", source.pk))
    assert "Load the page anew" in sent(admin, url("origin_confirm", source.pk), {"vanished": "2"})[1]
    sent(admin, url("origin_confirm", source.pk), {"vanished": "3"})
    assert ran(source, share).removed == 3
    assert not SourceItem.objects.exists()


def test_it_is_deleted_with_or_without_its_documents(world: World, source: Source, share: Path) -> None:
    admin = browser_of(world.admin)
    ran(source, share)
    assert "What becomes of the documents" in shown(admin, url("origin_delete", source.pk))
    _, html = sent(admin, url("origin_delete", source.pk), {"documents": "delete"})
    assert "Being deleted" in html
    assert sync.run(source.pk) is None
    assert Document.objects.filter(collection=world.vault, state=DocumentState.DELETING).count() == 3
    other = source_create(
        name="Other", kind="folder", collection=world.vault, values={"path": str(share)}, interval_s=0, created_by=None
    )
    ran(other, share)
    assert "documents stay" in sent(admin, url("origin_delete", other.pk), {})[1]
    assert Source.objects.count() == 0
    assert Document.objects.filter(collection=world.vault, state=DocumentState.QUEUED).count() == 3


def test_a_source_whose_kind_was_switched_off_says_so(world: World, source: Source, settings: Settings) -> None:
    settings.SOURCES = SourcesConfig()
    assert "Switched off" in shown(browser_of(world.admin), url("origins"))


def test_the_list_asks_as_often_for_many_as_for_one(
    world: World, source: Source, share: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    admin = browser_of(world.admin)
    for number in range(8):
        extra = Source.objects.create(name=f"S{number}", kind="folder", collection=world.vault)
        SourceRun.objects.bulk_create([SourceRun(source=extra) for _ in range(5)])
    with django_assert_max_num_queries(6):
        admin.get(url("origins"))
