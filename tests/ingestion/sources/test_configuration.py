"""What an installation's settings open to sources, and which settings are refused at start."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from ingestion.errors import SourceOffError
from ingestion.services import collection_create
from ingestion.sources import sync
from ingestion.sources.models import RunOutcome, Source
from ingestion.sources.services import source_create
from ragapp.config import ConfigurationError, load


def test_everything_is_off_by_default() -> None:
    sources = load({}).sources
    assert (sources.roots, sources.s3_endpoints, sources.url_import) == ((), (), False)
    assert (sources.url_import_hosts, sources.url_import_networks, sources.url_import_ports) == ((), (), (80, 443))


def test_settings_are_lists_with_commas(tmp_path: Path) -> None:
    sources = load(
        {
            "RAGAPP_SOURCE_ROOTS": f"{tmp_path}/a, {tmp_path}/b",
            "RAGAPP_SOURCE_S3_ENDPOINTS": "https://storage.example.com:9000",
            "RAGAPP_URL_IMPORT": "true",
            "RAGAPP_URL_IMPORT_HOSTS": "wiki.example.com,*.docs.example.com",
            "RAGAPP_URL_IMPORT_NETWORKS": "10.20.0.0/16, fd12::/16",
            "RAGAPP_URL_IMPORT_PORTS": "80,443,8443",
            "RAGAPP_MAX_UPLOAD_MB": "7",
        }
    ).sources
    assert sources.roots == (tmp_path / "a", tmp_path / "b")
    assert sources.url_import_networks == (ip_network("10.20.0.0/16"), ip_network("fd12::/16"))
    assert (sources.url_import_ports, sources.max_bytes) == ((80, 443, 8443), 7 * 1024 * 1024)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAGAPP_URL_IMPORT_NETWORKS", "127.0.0.0/8"),
        ("RAGAPP_URL_IMPORT_NETWORKS", "169.254.0.0/16"),
        ("RAGAPP_URL_IMPORT_NETWORKS", "0.0.0.0/0"),
        ("RAGAPP_URL_IMPORT_NETWORKS", "::/0"),
        ("RAGAPP_URL_IMPORT_NETWORKS", "10.0.0.1/8"),
        ("RAGAPP_URL_IMPORT_PORTS", "80,http"),
        ("RAGAPP_SOURCE_S3_ENDPOINTS", "storage.example.com"),
        ("RAGAPP_SOURCE_S3_ENDPOINTS", "https://storage.example.com/bucket"),
        ("RAGAPP_SOURCE_ROOTS", "relative/path"),
        ("RAGAPP_SOURCE_ROOTS", "/data/of/ragapp/files"),
        ("RAGAPP_SOURCE_ROOTS", "/data"),
    ],
)
def test_what_would_open_too_much_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load({name: value, "RAGAPP_DATA_DIR": "/data/of/ragapp"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("folder", {"path": "/srv/share"}),
        ("pages", {"urls": "https://site.example/"}),
        ("sitemap", {"sitemap": "https://site.example/sitemap.xml"}),
        ("s3", {"endpoint": "https://a", "bucket": "docs", "access_key": "a", "secret_key": "b"}),
        ("ftp", {}),
    ],
)
def test_a_kind_that_is_off_can_be_neither_added_nor_run(kind: str, values: dict[str, str]) -> None:
    collection = collection_create(name="HR")
    with pytest.raises(SourceOffError):
        source_create(name="S", kind=kind, collection=collection, values=values, interval_s=0, created_by=None)
    source = Source.objects.create(name="S", kind=kind, collection=collection, options=values, requested=True)
    run = sync.run(source.pk)
    assert run is not None
    assert (run.outcome, run.error_code) == (RunOutcome.FAILED, "source_off")
