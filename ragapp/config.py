"""The whole configuration as one frozen value. Reads nothing: `settings.py` alone reads the environment."""

import os
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from ingestion.config import IngestionConfig
from ingestion.index.languages import ENGLISH, LANGUAGES
from ingestion.sources.addresses import is_private_network
from ingestion.sources.config import SourcesConfig, endpoint_of
from ragapp import weights

PREFIX = "RAGAPP_"
MEMORY_BROKER = "memory://"


class ConfigurationError(Exception):
    """The environment asks for something impossible; the message says what to change."""

    code = "configuration"


class Config(BaseModel):
    """One field per environment variable: RAGAPP_ and the field's name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    data_dir: Annotated[Path, Field(description="Folder for everything that the embedded default writes.")] = Path(
        "var"
    )
    secret_key: Annotated[
        SecretStr,
        Field(description="Signs sessions and the audit chain. Empty: made once and kept in the data folder."),
    ] = SecretStr("")
    debug: Annotated[bool, Field(description="Django's debug pages. Never in production.")] = False
    allowed_hosts: Annotated[
        tuple[str, ...], Field(description="Host names that the server answers to, comma-separated.")
    ] = ("127.0.0.1", "localhost", "[::1]")
    https: Annotated[
        bool,
        Field(
            description="The site is reached over HTTPS, through a proxy that sets X-Forwarded-Proto itself: "
            "secure cookies, HSTS, redirects."
        ),
    ] = False
    trusted_proxies: Annotated[
        tuple[str, ...],
        Field(description="Addresses of reverse proxies whose X-Forwarded-For is believed, comma-separated."),
    ] = ()
    database_url: Annotated[str, Field(description="PostgreSQL URL. Empty: SQLite in the data folder.")] = ""
    broker_url: Annotated[
        str, Field(description="Celery broker. `memory://` runs the workers inside the server process.")
    ] = MEMORY_BROKER
    qdrant_url: Annotated[str, Field(description="Qdrant server. Empty: Qdrant Edge in the data folder.")] = ""
    qdrant_api_key: Annotated[SecretStr, Field(description="Key of the Qdrant server.")] = SecretStr("")
    chat_url: Annotated[
        str,
        Field(
            description="OpenAI-compatible chat server inside the perimeter, such as vLLM, with its /v1. "
            "Empty: a child process serves the model."
        ),
    ] = ""
    chat_api_key: Annotated[SecretStr, Field(description="Key of the chat server.")] = SecretStr("")
    chat_model: Annotated[
        str,
        Field(
            description="With RAGAPP_CHAT_URL the name under which the server knows the model; otherwise a "
            "model of the catalogue, a path to a GGUF file, or `hf:owner/repo/file.gguf`."
        ),
    ] = "qwen2.5-coder-1.5b-instruct"
    embedding_model: Annotated[str, Field(description="Embedding model: a name of the catalogue or a folder.")] = (
        "all-MiniLM-L6-v2"
    )
    embedding_url: Annotated[
        str, Field(description="OpenAI-compatible embedding server, with its /v1. Empty: in this process.")
    ] = ""
    embedding_api_key: Annotated[SecretStr, Field(description="Key of the embedding server.")] = SecretStr("")
    search_language: Annotated[
        str,
        Field(
            description="Language whose stop words and word forms the search by words knows; `none` for documents of "
            f"several languages: {', '.join(LANGUAGES)}. The index is built anew after a change."
        ),
    ] = ENGLISH
    reranker_model: Annotated[
        str,
        Field(
            description="Cross-encoder that ranks the best passages again: a folder, a name of the catalogue or "
            "`hf:owner/repo`. Empty: none."
        ),
    ] = ""
    models_dir: Annotated[
        Path | None, Field(description="Folder of the model weights. Empty: `models` in the data folder.")
    ] = None
    max_upload_mb: Annotated[int, Field(gt=0, description="Largest upload, in MiB.")] = 100
    parse_timeout_s: Annotated[
        float, Field(gt=0, le=240, description="Longest time to parse one file, in s; below a worker's lease of 300.")
    ] = 120
    parse_memory_mb: Annotated[
        int, Field(ge=256, description="Memory that the parser of one file may use, in MiB.")
    ] = 1024
    source_roots: Annotated[
        tuple[Path, ...],
        Field(description="Folders whose files may be synchronised, comma-separated. Empty: no folder sources."),
    ] = ()
    source_s3_endpoints: Annotated[
        tuple[str, ...],
        Field(
            description="S3-compatible servers inside the perimeter whose buckets may be synchronised, as "
            "`https://host:port`, comma-separated. Empty: no bucket sources."
        ),
    ] = ()
    url_import: Annotated[
        bool, Field(description="Pages and sitemaps may be fetched, by the SSRF-safe fetcher alone.")
    ] = False
    url_import_hosts: Annotated[
        tuple[str, ...],
        Field(description="Hosts that may be fetched from, `*.example.com` for a domain. Empty: every public one."),
    ] = ()
    url_import_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        Field(description="Private networks that may be fetched from, such as `10.20.0.0/16`, comma-separated."),
    ] = ()
    url_import_ports: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}$")], ...],
        Field(description="Ports that may be fetched from, comma-separated."),
    ] = ("80", "443")
    relevance_threshold: Annotated[
        float,
        Field(ge=0, le=1, description="Lowest cosine of the best passage at which the model is asked."),
    ] = 0.35
    refusal_threshold: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Likelihood of 'I don't know', by the model itself, from which it is taken for the answer. "
            "Chosen for the default model; 1: never asked beforehand.",
        ),
    ] = 0.7
    passages: Annotated[int, Field(gt=0, le=20, description="Passages given to the model.")] = 4
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Level of the log on standard error.")
    ] = "INFO"

    @field_validator(
        "allowed_hosts",
        "trusted_proxies",
        "source_roots",
        "source_s3_endpoints",
        "url_import_hosts",
        "url_import_networks",
        "url_import_ports",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir", "models_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.absolute() if value is not None else None

    @field_validator("search_language", mode="after")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"There is no {value!r}. Use one of {', '.join(LANGUAGES)}.")
        return value

    @field_validator("url_import_networks", mode="after")
    @classmethod
    def _private(cls, value: tuple[IPv4Network | IPv6Network, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
        for network in value:
            if not is_private_network(network):
                raise ValueError(f"{network} is not within 10/8, 172.16/12, 192.168/16, 100.64/10 or fc00::/7.")
        return value

    @field_validator("source_s3_endpoints", mode="after")
    @classmethod
    def _servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not endpoint_of(text):
                raise ValueError("Write each server as http://host:port or https://host:port, without a path.")
        return value

    @model_validator(mode="after")
    def _possible(self) -> "Config":
        if not self.is_embedded:
            if not self.database_url:
                raise ValueError(
                    "RAGAPP_BROKER_URL names a broker, so that workers are other processes, but the database "
                    "is SQLite in one folder. Set RAGAPP_DATABASE_URL to a PostgreSQL database."
                )
            if not self.qdrant_url:
                raise ValueError(
                    "RAGAPP_BROKER_URL names a broker, so that workers are other processes, but Qdrant Edge "
                    "belongs to one process. Set RAGAPP_QDRANT_URL to a Qdrant server."
                )
            if not self.chat_url:
                raise ValueError(
                    "RAGAPP_BROKER_URL names a broker, so that several servers may run, but each would start "
                    "its own model. Set RAGAPP_CHAT_URL to a chat server such as vLLM."
                )
            if not self.secret_key.get_secret_value():
                raise ValueError("Several processes share one key. Set RAGAPP_SECRET_KEY to 50 random characters.")
        for root in self.source_roots:
            if not root.is_absolute():
                raise ValueError("RAGAPP_SOURCE_ROOTS takes whole paths, from / on.")
            real, data = root.resolve(), self.data_dir.resolve()
            if real.is_relative_to(data) or data.is_relative_to(real):
                raise ValueError(
                    "RAGAPP_SOURCE_ROOTS names a folder that holds, or is in, the data folder: its own files would "
                    "become documents. Name a folder beside it."
                )
        if self.database_url and not self.database_url.startswith(("postgres://", "postgresql://")):
            raise ValueError("RAGAPP_DATABASE_URL takes a postgresql:// URL; leave it empty for SQLite.")
        if not self.is_embedded and not self.broker_url.startswith(("redis://", "rediss://")):
            raise ValueError("RAGAPP_BROKER_URL takes a redis:// URL; leave it out for the embedded default.")
        return self

    @property
    def is_embedded(self) -> bool:
        """True where the workers run inside the server process."""
        return self.broker_url == MEMORY_BROKER

    @property
    def weights_dir(self) -> Path:
        """Where model weights lie."""
        return self.models_dir or self.data_dir / "models"

    @property
    def ingestion(self) -> IngestionConfig:
        """The section that the ingestion package takes."""
        return IngestionConfig(
            files_dir=self.data_dir / "files",
            index_dir=self.data_dir / "index",
            qdrant_url=self.qdrant_url,
            qdrant_api_key=self.qdrant_api_key,
            embedding_model=self.embedding_model,
            embedding_path=weights.location(self.embedding_model, self.weights_dir),
            embedding_url=self.embedding_url,
            embedding_api_key=self.embedding_api_key,
            search_language=self.search_language,
            reranker_model=self.reranker_model,
            reranker_path=weights.location(self.reranker_model, self.weights_dir) if self.reranker_model else None,
            max_upload_bytes=self.max_upload_mb * 1024 * 1024,
            parse_timeout_s=self.parse_timeout_s,
            parse_memory_bytes=self.parse_memory_mb * 1024 * 1024,
        )

    @property
    def sources(self) -> SourcesConfig:
        """The section that the sources of documents take."""
        return SourcesConfig(
            roots=self.source_roots,
            s3_endpoints=self.source_s3_endpoints,
            url_import=self.url_import,
            url_import_hosts=self.url_import_hosts,
            url_import_networks=self.url_import_networks,
            url_import_ports=tuple(int(port) for port in self.url_import_ports),
            max_bytes=self.max_upload_mb * 1024 * 1024,
        )

    def signing_key(self) -> str:
        """The secret key: configured, or made once and kept in the data folder for its owner alone."""
        configured = self.secret_key.get_secret_value()
        return configured or _kept_secret(self.data_dir / "secret_key")


def load(environ: Mapping[str, str]) -> Config:
    """The configuration of this environment. Raises ConfigurationError, with no secret in its text."""
    known = {PREFIX + name.upper(): name for name in Config.model_fields}
    unknown = sorted(key for key in environ if key.startswith(PREFIX) and key not in known)
    if unknown:
        raise ConfigurationError(f"Unknown setting {', '.join(unknown)}. docs/configuration.md lists what there is.")
    values = {name: environ[key] for key, name in known.items() if environ.get(key)}
    try:
        return Config.model_validate(values)
    except ValidationError as exc:
        raise ConfigurationError(_sentence(exc)) from None


def _sentence(exc: ValidationError) -> str:
    parts = []
    for error in exc.errors(include_input=False, include_url=False):
        where = PREFIX + str(error["loc"][0]).upper() + ": " if error["loc"] else ""
        parts.append(where + error["msg"].removeprefix("Value error, "))
    return " ".join(parts)


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with open(path, "x", opener=_private) as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
