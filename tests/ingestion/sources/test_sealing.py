"""Keys of sources at rest."""

import pytest
from pytest_django import Settings

from ingestion.errors import SourceSecretError
from ingestion.sources.sealing import seal, unseal


def test_sealed_values_come_back_and_do_not_show() -> None:
    token = seal({"secret_key": "hunter2"})
    assert "hunter2" not in token
    assert unseal(token) == {"secret_key": "hunter2"}
    assert seal({}) == ""
    assert unseal("") == {}


def test_another_secret_key_opens_nothing_and_a_former_one_still_does(settings: Settings) -> None:
    token = seal({"a": "b"})
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 8
    with pytest.raises(SourceSecretError):
        unseal(token)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert unseal(token) == {"a": "b"}
