"""The queue: who waits and why, who is read and how far, what failed."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ingestion.claims import LEASE
from ingestion.models import Document, DocumentState
from tests.ragapp.web.world import World, browser_of, document_in


def queue_of(world: World) -> str:
    return browser_of(world.admin).get(reverse("web:queue")).content.decode()


def reading_in(world: World, name: str, *, heard: timedelta) -> Document:
    document = document_in(
        world.handbook,
        name=name,
        state=DocumentState.PROCESSING,
        step="embedding",
        claimed_until=timezone.now() - heard + LEASE,
    )
    began = (timezone.now() - timedelta(seconds=30)).isoformat()
    document.versions.update(chunk_count=40, embedded_count=10, times={"embedding": began})
    return document


def test_an_idle_queue_says_so_and_asks_seldom(world: World) -> None:
    page = queue_of(world)
    assert "nothing waits" in page
    assert "every 10s" in page


def test_what_is_read_says_how_far_it_is_and_when_its_worker_was_heard_of(world: World) -> None:
    reading_in(world, "long.pdf", heard=timedelta(seconds=7))
    page = queue_of(world)
    for words in ("Learning their meaning", "10 of 40", "min 30 s left", "heard of 7 s ago", "every 2s"):
        assert words in page


def test_a_silent_worker_is_told(world: World) -> None:
    reading_in(world, "long.pdf", heard=LEASE + timedelta(minutes=1))
    assert "its worker is silent" in queue_of(world)


def test_what_is_delayed_says_for_what_and_until_when(world: World) -> None:
    document_in(
        world.handbook,
        name="x.pdf",
        state=DocumentState.QUEUED,
        error_code="embedder_unavailable",
        available_at=timezone.now() + timedelta(seconds=95),
    )
    page = queue_of(world)
    assert "Delayed" in page
    assert "Tried again in 1 min 3" in page


def test_failures_are_counted_by_reason_and_retried_by_reason_or_all(world: World) -> None:
    for n, code in enumerate(("no_text", "no_text", "damaged_document")):
        document_in(world.handbook, name=f"{n}.pdf", state=DocumentState.FAILED, error_code=code)
    page = queue_of(world)
    assert "Retry all 3" in page
    assert "No text was found" in page
    url, client = reverse("web:queue_retry"), browser_of(world.admin)
    assert "2 documents will be read again." in client.post(url, {"code": "no_text"}, follow=True).content.decode()
    assert "1 document will be read again." in client.post(url, follow=True).content.decode()
    assert not Document.objects.filter(state=DocumentState.FAILED).exists()


def test_the_fragment_is_the_content_alone(world: World) -> None:
    fragment = browser_of(world.admin).get(reverse("web:queue_status")).content.decode()
    assert fragment.startswith('<div id="queue"')


def test_a_long_queue_costs_no_more_queries(world: World) -> None:
    def queries() -> int:
        client = browser_of(world.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("web:queue"))
        return len(captured)

    def fill(n: int) -> None:
        reading_in(world, f"{n}.pdf", heard=timedelta(0))
        document_in(world.handbook, name=f"w{n}.pdf", state=DocumentState.QUEUED)
        document_in(world.handbook, name=f"f{n}.pdf", state=DocumentState.FAILED, error_code="no_text")

    fill(0)
    before = queries()
    for n in range(1, 5):
        fill(n)
    assert queries() == before


def test_only_admins_find_the_queue(world: World) -> None:
    link = f'href="{reverse("web:queue")}"'
    assert link in queue_of(world)
    assert link not in browser_of(world.reader).get(reverse("web:documents")).content.decode()
