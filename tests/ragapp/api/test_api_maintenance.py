"""The audit over the API: for admins, with the body that the schema promises."""

from tests.ragapp.api.world import Person, World


def audited(person: Person, **body: object) -> tuple[int, dict[str, object]]:
    answer = person.client.post("/api/v1/audit", body, content_type="application/json")
    return answer.status_code, answer.json()


def test_an_admin_gets_counts_and_findings(world: World) -> None:
    status, body = audited(world.admin, quick=True)
    assert status == 200
    assert {"clean", "documents", "chunks", "points", "seconds", "counts", "mended", "findings"} == set(body)
    # The world's documents were never read: their passages are not in the index.
    assert body["clean"] is False


def test_nobody_else_may(world: World) -> None:
    assert audited(world.reader)[0] == 403
