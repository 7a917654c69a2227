"""Configuration: defaults that run, combinations that are refused with a way out, secrets that stay secret."""

import stat
from pathlib import Path

import pytest

from ragapp.config import Config, ConfigurationError, load

SERVICES = {
    "RAGAPP_BROKER_URL": "redis://127.0.0.1:6379/0",
    "RAGAPP_DATABASE_URL": "postgresql://ragapp@127.0.0.1/ragapp",
    "RAGAPP_QDRANT_URL": "http://127.0.0.1:6333",
    "RAGAPP_CHAT_URL": "http://127.0.0.1:8001/v1",
    "RAGAPP_SECRET_KEY": "x" * 50,
}


def test_an_empty_environment_is_the_embedded_default() -> None:
    config = load({})
    assert config.is_embedded
    assert config.data_dir == Path("var").absolute()
    assert config.ingestion.index_dir == config.data_dir / "index"


def test_services_are_taken_together() -> None:
    assert not load(SERVICES).is_embedded


@pytest.mark.parametrize(
    "missing", ["RAGAPP_DATABASE_URL", "RAGAPP_QDRANT_URL", "RAGAPP_CHAT_URL", "RAGAPP_SECRET_KEY"]
)
def test_a_broker_without_its_fellow_services_is_refused_with_what_to_set(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Set {missing}"):
        load({name: value for name, value in SERVICES.items() if name != missing})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="RAGAPP_CHATURL"):
        load({"RAGAPP_CHATURL": "http://127.0.0.1:8001"})


def test_a_value_of_the_wrong_form_is_named() -> None:
    with pytest.raises(ConfigurationError, match="RAGAPP_MAX_UPLOAD_MB"):
        load({"RAGAPP_MAX_UPLOAD_MB": "many"})


def test_no_refusal_repeats_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"RAGAPP_SECRET_KEY": "hunter2-secret", "RAGAPP_BROKER_URL": "redis://:hunter2-pw@127.0.0.1/0"})
    assert "hunter2" not in str(caught.value)


def test_a_secret_does_not_show_itself() -> None:
    assert "hunter2" not in repr(load({"RAGAPP_QDRANT_API_KEY": "hunter2"}))


def test_the_signing_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "data")
    first = config.signing_key()
    assert len(first) >= 50
    assert config.signing_key() == first
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600


def test_a_configured_signing_key_is_used_as_it_is(tmp_path: Path) -> None:
    assert load({"RAGAPP_DATA_DIR": str(tmp_path), "RAGAPP_SECRET_KEY": "k" * 50}).signing_key() == "k" * 50
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("all-MiniLM-L6-v2", "models/all-MiniLM-L6-v2"),
        ("hf:owner/repo", "models/hf/owner/repo"),
        ("/elsewhere/model", "/elsewhere/model"),
    ],
)
def test_an_embedding_model_is_looked_for_where_it_is_fetched_to(tmp_path: Path, name: str, expected: str) -> None:
    config = load({"RAGAPP_DATA_DIR": str(tmp_path), "RAGAPP_EMBEDDING_MODEL": name})
    assert config.ingestion.embedding_path == tmp_path / expected


def test_a_relative_folder_is_relative_to_where_the_command_runs() -> None:
    assert load({"RAGAPP_EMBEDDING_MODEL": "./m"}).ingestion.embedding_path == Path("m").absolute()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAGAPP_LOG_LEVEL", "LOUD"),
        ("RAGAPP_DATABASE_URL", "mysql://127.0.0.1/ragapp"),
        ("RAGAPP_BROKER_URL", "amqp://127.0.0.1"),
        ("RAGAPP_PARSE_TIMEOUT_S", "301"),
        ("RAGAPP_RELEVANCE_THRESHOLD", "2"),
    ],
)
def test_an_impossible_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load({**SERVICES, name: value})


def test_hosts_are_a_comma_separated_list() -> None:
    assert load({"RAGAPP_ALLOWED_HOSTS": "a.example, b.example"}).allowed_hosts == ("a.example", "b.example")


def test_the_search_knows_english_unless_another_language_is_set() -> None:
    assert load({}).ingestion.search_language == "english"
    assert load({"RAGAPP_SEARCH_LANGUAGE": "german"}).ingestion.search_language == "german"
    with pytest.raises(ConfigurationError, match=r"RAGAPP_SEARCH_LANGUAGE.*klingon.*german"):
        load({"RAGAPP_SEARCH_LANGUAGE": "klingon"})


def test_a_reranker_is_none_or_looked_for_where_it_is_fetched_to(tmp_path: Path) -> None:
    assert load({}).ingestion.reranker_path is None
    config = load({"RAGAPP_DATA_DIR": str(tmp_path), "RAGAPP_RERANKER_MODEL": "hf:owner/repo"})
    assert config.ingestion.reranker_path == tmp_path / "models/hf/owner/repo"
