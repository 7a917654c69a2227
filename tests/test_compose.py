"""compose.yaml keeps the promises of docs/operations.md: what is open, what is secret, what is checked."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragapp.config import Config, load

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate"}
OURS = ("web", "worker", "worker-large", "beat", "migrate")
SECRET = re.compile(r"PASSWORD|SECRET|API_KEY|TOKEN")


def uses() -> list[tuple[str, str]]:
    """Every `${NAME…}` of the file, with what follows the name (`:-default`, `:?message` or nothing)."""
    return re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", TEXT)


def variables() -> dict[str, str]:
    """Each variable with one of its uses."""
    return dict(uses())


def test_every_part_of_the_services_mode_is_there() -> None:
    assert set(SERVICES) == {"postgres", "redis", "qdrant", "vllm", "web", "worker", "worker-large", "beat"} | ONE_SHOT


def test_web_alone_publishes_a_port_and_on_loopback_by_default() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${RAGAPP_PUBLISH:-127.0.0.1:8000}:8000"]}
    assert not any("expose" in service or service.get("network_mode") for service in SERVICES.values())


def test_web_alone_is_outside_the_internal_network() -> None:
    networks = {name: service["networks"] for name, service in SERVICES.items()}
    assert networks.pop("web") == ["inside", "edge"]
    assert set(map(tuple, networks.values())) == {("inside",)}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_secret_has_a_default() -> None:
    secrets = [(name, rest) for name, rest in uses() if SECRET.search(name)]
    assert len({name for name, _ in secrets}) == 5
    assert all(rest.startswith(":?set ") for _, rest in secrets), secrets


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), f"{name}: {key}"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_a_service_is_checked_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_runs_without_root_and_without_capabilities(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] not in ("root", "0", "0:0")
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert service.get("read_only", False) == (name != "vllm")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_has_a_version(name: str) -> None:
    version = SERVICES[name]["image"].partition(":")[2]
    assert version
    assert "latest" not in version


@pytest.mark.parametrize("name", OURS)
def test_our_containers_wait_for_what_they_need(name: str) -> None:
    waits = {part: how["condition"] for part, how in SERVICES[name]["depends_on"].items()}
    assert waits["postgres"] == "service_healthy"
    if name not in ONE_SHOT:
        assert (waits["redis"], waits["qdrant"]) == ("service_healthy", "service_healthy")
        assert waits["migrate"] == "service_completed_successfully"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_get_only_settings_that_exist(name: str) -> None:
    known = {f"RAGAPP_{field}".upper() for field in Config.model_fields}
    given = {key for key in SERVICES[name]["environment"] if key.startswith("RAGAPP_")}
    assert given <= known


def test_the_application_starts_with_what_compose_gives_it() -> None:
    given = {
        key: re.sub(r"\$\{[A-Z_]+(?::-([^}]*)|[^}]*)\}", lambda use: use.group(1) or "x" * 60, str(value))
        for key, value in SERVICES["web"]["environment"].items()
        if key.startswith("RAGAPP_")
    }
    config = load(given)
    assert not config.is_embedded
    assert "127.0.0.1" in config.allowed_hosts


def test_vllm_asks_nobody_outside() -> None:
    environment = SERVICES["vllm"]["environment"]
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == "1"
    assert any(volume.endswith(":/models:ro") for volume in SERVICES["vllm"]["volumes"])
    assert SERVICES["vllm"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_the_example_environment_names_every_required_variable_and_fills_no_secret() -> None:
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(variables()) - {"RAGAPP_VERSION"} == set(example)
    assert not any(example[name] for name, rest in variables().items() if rest.startswith(":?"))
