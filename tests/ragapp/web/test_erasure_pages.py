"""Receipts of deletions: what is told of them, and how far each has come."""

from django.urls import reverse
from django.utils import timezone

from ingestion.models import Erasure
from ingestion.services import document_delete
from tests.ragapp.web.world import HTMX, World, browser_of


def receipt_of(world: World) -> str:
    return browser_of(world.admin).get(reverse("web:erasure", args=[world.leave.pk])).content.decode()


def test_a_receipt_tells_each_stage_and_asks_again_until_the_end(world: World) -> None:
    document_delete(world.leave, requested_by=world.admin)
    page = receipt_of(world)
    assert "promised by" in page
    assert "every 2s" in page
    Erasure.objects.update(purged_at=timezone.now(), points=3, chunks=3, files=1, sha256=["ab" * 32])
    page = receipt_of(world)
    assert "every 30s" in page
    assert "ab" * 32 in page
    Erasure.objects.update(gone_at=timezone.now())
    page = receipt_of(world)
    assert "promised by" not in page
    assert "every " not in page.partition('id="receipt"')[2]


def test_a_receipt_holds_not_even_the_name(world: World) -> None:
    document_delete(world.leave, requested_by=world.admin)
    assert "leave.md" not in receipt_of(world)


def test_the_list_says_who_asked_and_what_is_promised(world: World) -> None:
    document_delete(world.leave, requested_by=world.admin)
    page = browser_of(world.admin).get(reverse("web:erasures")).content.decode()
    for words in (str(world.leave.pk), "ada", "within 24 hours"):
        assert words in page


def test_htmx_gets_the_receipt_alone(world: World) -> None:
    document_delete(world.leave)
    url = reverse("web:erasure", args=[world.leave.pk])
    assert "<html" not in browser_of(world.admin).get(url, headers=HTMX).content.decode()
