"""What is written down beside vectors is read back as it was, and what a stranger wrote is the most sensitive."""

from datetime import UTC, datetime

import pytest

from ingestion.access import AccessScope
from ingestion.index.base import NO_CONDITIONS, Attributes, Conditions, IndexIdentity
from ingestion.index.payload import AnyOf, Between, attributes_of, limits_of, next_number, payload_of


def test_attributes_are_read_back_as_they_were() -> None:
    attributes = Attributes("d", 7, "c", 2, "text/plain", "en", datetime(2024, 2, 29, tzinfo=UTC))
    assert attributes_of(payload_of(attributes)) == attributes


@pytest.mark.parametrize("payload", [None, {}, {"label": None, "dated": "yesterday", "document_id": 3}])
def test_what_is_missing_is_empty_and_restricted(payload: dict[str, object] | None) -> None:
    assert attributes_of(payload) == Attributes(document_id="", version=0, collection_id="", label=3)


def test_a_moment_without_a_zone_is_utc() -> None:
    naive = datetime(2024, 1, 1)
    assert payload_of(Attributes("d", 1, "c", 0, dated=naive))["dated"] == 1_704_067_200


def test_the_scope_is_a_limit_whatever_the_conditions() -> None:
    nothing = AccessScope(frozenset())
    assert limits_of(nothing, conditions=NO_CONDITIONS) == (AnyOf("collection_id", ()),)
    conditions = Conditions(languages=frozenset({"en"}), until=datetime(1970, 1, 1, tzinfo=UTC))
    assert limits_of(AccessScope(frozenset({"b", "a"})), conditions=conditions) == (
        AnyOf("collection_id", ("a", "b")),
        AnyOf("language", ("en",)),
        Between("dated", None, 0),
    )


def test_numbers_go_on_from_the_highest_of_the_same_identity() -> None:
    identity = IndexIdentity("m", 4)
    names = {"chunks_m_4_v3_g2", "chunks_m_4_v3_g10", "chunks_m_4_v3_gx", "chunks_m_4_v1_g99", "chunks_m_40_v3_g50"}
    assert (next_number(identity, names=names), next_number(identity, names=set())) == (11, 1)
