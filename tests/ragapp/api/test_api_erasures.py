"""The receipt of a deletion over the API."""

from datetime import datetime, timedelta

from django.utils import timezone

from ingestion.models import Erasure
from ingestion.services import document_delete
from tests.ragapp.api.world import World


def test_an_admin_gets_the_receipt_with_what_is_promised(world: World) -> None:
    document_delete(world.document, requested_by=world.admin.user)
    body = world.admin.client.get(f"/api/v1/erasures/{world.document.pk}").json()
    assert body["document_id"] == str(world.document.pk)
    assert body["requested_by"] == "ada"
    promised = datetime.fromisoformat(body["promised_by"]) - datetime.fromisoformat(body["hidden_since"])
    assert promised == timedelta(hours=24)
    assert body["gone_at"] is None


def test_what_is_done_is_told(world: World) -> None:
    now = timezone.now()
    Erasure.objects.create(
        document_id=world.hidden.pk, purged_at=now, gone_at=now, points=3, chunks=3, files=1, sha256=["ab" * 32]
    )
    body = world.admin.client.get(f"/api/v1/erasures/{world.hidden.pk}").json()
    assert (body["points"], body["chunks"], body["files"], body["sha256"]) == (3, 3, 1, ["ab" * 32])
    assert body["gone_at"]


def test_to_anybody_else_there_is_no_receipt(world: World) -> None:
    document_delete(world.document)
    for person in (world.reader, world.outsider):
        response = person.client.get(f"/api/v1/erasures/{world.document.pk}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
