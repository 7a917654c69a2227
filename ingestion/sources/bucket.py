"""Reads a bucket through the MinIO client; loaded by `s3` when a source is saved or runs, as the client is heavy."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from ingestion.errors import (
    IngestionError,
    SourceDeniedError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceListingError,
    SourceMissingError,
    SourceSettingsError,
    SourceUnreachableError,
)
from ingestion.sources.base import Item
from ingestion.sources.config import endpoint_of
from ingestion.sources.s3 import S3Settings

BLOCK = 256 * 1024
_CONNECT_S, _READ_S = 5.0, 30.0
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "RequestTimeTooSkewed"}


class BucketConnector:
    """A bucket with path-style addresses. No redirect is followed, and no proxy of the environment is used."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket, self._prefix = settings.bucket, settings.prefix
        address = urlsplit(endpoint_of(settings.endpoint))
        try:
            self._client = Minio(
                address.netloc,
                access_key=settings.access_key.get_secret_value(),
                secret_key=settings.secret_key.get_secret_value(),
                secure=address.scheme == "https",
                region=settings.region,
                http_client=_pool(),
            )
        except ValueError as exc:
            raise SourceSettingsError(str(exc), field="endpoint") from exc
        self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]

    def items(self) -> Iterator[Item]:
        """Every object that is no folder's mark."""
        try:
            for found in self._client.list_objects(self._bucket, prefix=self._prefix, recursive=True):
                if found.object_name and not found.object_name.endswith("/"):
                    yield Item(
                        key=found.object_name,
                        name=found.object_name.rpartition("/")[2],
                        fingerprint=f"{found.etag}-{found.size}",
                        size=found.size,
                    )
        except (MinioException, urllib3.exceptions.HTTPError, ValueError) as exc:
            raise _translated(exc) from exc

    def content(self, item: Item) -> Iterator[bytes]:
        """The object as it was listed; one that has changed since is left for the next run."""
        etag = item.fingerprint.rpartition("-")[0]
        try:
            response = self._client.get_object(self._bucket, item.key, request_headers={"If-Match": f'"{etag}"'})
            try:
                yield from response.stream(BLOCK)
            finally:
                response.close()
        except (MinioException, urllib3.exceptions.HTTPError, ValueError) as exc:
            raise _translated(exc) from exc


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
        retries=urllib3.Retry(total=2, redirect=0, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=2,
    )


def _translated(exc: Exception) -> IngestionError:
    """The message names a code alone: an S3 server's own text may repeat what it was sent."""
    if isinstance(exc, S3Error):
        return _of_code(exc.code or "")
    if isinstance(exc, InvalidResponseError | ValueError):
        return SourceListingError(type(exc).__name__)
    return SourceUnreachableError(type(exc).__name__)


def _of_code(code: str) -> IngestionError:
    if code in _DENIED:
        return SourceDeniedError(code)
    if code == "NoSuchBucket":
        return SourceMissingError(code)
    if code in ("NoSuchKey", "ResourceNotFound"):
        return SourceItemGoneError(code)
    if code == "PreconditionFailed":
        return SourceItemBusyError(code)
    return SourceUnreachableError(code)
