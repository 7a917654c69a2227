"""The kinds of source that there are."""

from typing import Any

from django.conf import settings
from pydantic import SecretStr

from ingestion.errors import SourceOffError
from ingestion.sources.base import Connector, Kind
from ingestion.sources.config import SourcesConfig
from ingestion.sources.folder import FOLDER
from ingestion.sources.s3 import S3
from ingestion.sources.web import PAGES, SITEMAP

KINDS: dict[str, Kind] = {kind.name: kind for kind in (FOLDER, S3, PAGES, SITEMAP)}


def kind_of(name: str) -> Kind:
    """Raises SourceOffError for a name that nothing has."""
    try:
        return KINDS[name]
    except KeyError as exc:
        raise SourceOffError(f"no kind {name!r}") from exc


def connected(kind: Kind, values: dict[str, Any]) -> Connector:
    """A connector over these settings. Raises SourceOffError or SourceSettingsError; reaches nothing."""
    config = sources_config()
    if not kind.is_on(config):
        raise SourceOffError(f"{kind.switch} is not set")
    return kind.connect(kind.settings.model_validate(values), config)


def sources_config() -> SourcesConfig:
    """The application's; where it has none, every kind is off."""
    config: SourcesConfig = getattr(settings, "SOURCES", None) or SourcesConfig()
    return config


def secret_fields(kind: Kind) -> set[str]:
    """The settings that are stored sealed, and never shown."""
    return {name for name, field in kind.settings.model_fields.items() if field.annotation is SecretStr}
