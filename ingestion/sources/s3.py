"""S3-compatible buckets as a kind of source: the settings, and which servers may be reached."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ingestion.errors import SourceEndpointError
from ingestion.sources.base import Connector, Kind
from ingestion.sources.config import SourcesConfig, endpoint_of


class S3Settings(BaseModel):
    """Which bucket, and the key that opens it."""

    model_config = ConfigDict(frozen=True)

    endpoint: Annotated[
        str, Field(title="Server", description="Such as https://storage.example.com:9000.", max_length=300)
    ]
    bucket: Annotated[str, Field(title="Bucket", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63)]
    prefix: Annotated[
        str, Field(title="Prefix (optional)", description="Objects whose key begins so.", max_length=500)
    ] = ""
    region: Annotated[str, Field(title="Region", pattern=r"^[A-Za-z0-9-]+$", max_length=60)] = "us-east-1"
    access_key: Annotated[
        SecretStr, Field(title="Access key", description="Reading and listing are enough for it.", max_length=200)
    ]
    secret_key: Annotated[SecretStr, Field(title="Secret key", description="Never shown again.", max_length=500)]


def connect(settings: S3Settings, config: SourcesConfig) -> Connector:
    """The bucket, if its server is one of the configuration's. Raises SourceSettingsError."""
    endpoint = endpoint_of(settings.endpoint)
    if not endpoint or endpoint not in {endpoint_of(allowed) for allowed in config.s3_endpoints}:
        raise SourceEndpointError(endpoint or "no address", field="endpoint")
    from ingestion.sources.bucket import BucketConnector

    return BucketConnector(settings)


S3 = Kind(
    name="s3",
    title="S3 bucket",
    hint="Objects in S3-compatible storage inside the perimeter.",
    switch="RAGAPP_SOURCE_S3_ENDPOINTS",
    settings=S3Settings,
    is_on=lambda config: bool(config.s3_endpoints),
    connect=connect,
)
