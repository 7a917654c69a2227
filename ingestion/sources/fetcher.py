"""The one way to a web address: resolved and checked at the moment of connecting, bounded in size, time and type.

No proxy of the environment, no cookie, no credentials, no decompression; every redirect is an address like the first.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import httpcore

from ingestion.errors import (
    SourceDeniedError,
    SourceItemGoneError,
    SourceUnreachableError,
    UnsupportedTypeError,
    UploadTooLargeError,
    UrlRefusedError,
)
from ingestion.sources.addresses import AddressPolicy
from ingestion.sources.urls import Target, host_allowed, redirected, target_of

Resolve = Callable[[str, int], Sequence[str]]

MAX_REDIRECTS = 5
_CONNECT_S, _READ_S = 5.0, 10.0
_REDIRECTS = {301, 302, 303, 307, 308}
_GONE, _DENIED, _OK = {404, 410}, {401, 403, 407}, 200


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address of a host, as the system has it. Raises OSError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class FetchRules:
    """What may be fetched. `total_s` is the time that one address may take, redirects and body included."""

    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)
    total_s: float = 120.0


@dataclass(frozen=True)
class Fetched:
    """An answer whose body is still to come. `media_type` is in lower case, without parameters."""

    target: Target
    media_type: str
    blocks: Iterator[bytes]


class Fetcher:
    """Fetches within rules. `resolve` is the outside that tests replace; what it answers is checked all the same."""

    def __init__(self, rules: FetchRules, *, resolve: Resolve = system_resolver) -> None:
        self._rules = rules
        self._resolve = resolve

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Reads every certificate of the system: not for a form that is only checked.
        return ssl.create_default_context()

    def target(self, url: str) -> Target:
        """The address, if the rules allow its form and host. Raises UrlRefusedError; reaches nothing."""
        return self._checked(target_of(url, ports=self._rules.ports))

    @contextmanager
    def fetch(self, url: str, *, accept: frozenset[str], max_bytes: int) -> Iterator[Fetched]:
        """GET an address of one of the accepted media types.

        Raises UrlRefusedError, SourceUnreachableError, SourceDeniedError, SourceItemGoneError, UnsupportedTypeError
        or UploadTooLargeError; those of the body while it is read.
        """
        deadline = time.monotonic() + self._rules.total_s
        target, redirects = self.target(url), 0
        while True:
            with self._answer(target, deadline=deadline) as response:
                location = _location(response)
                if location is None:
                    yield _fetched(target, response, accept=accept, max_bytes=max_bytes)
                    return
            redirects += 1
            if redirects > MAX_REDIRECTS:
                raise UrlRefusedError(f"more than {MAX_REDIRECTS} redirects")
            target = self._checked(redirected(target, location, ports=self._rules.ports))

    def _checked(self, target: Target) -> Target:
        if not host_allowed(target.host, self._rules.hosts):
            raise UrlRefusedError("a host that is not allowed")
        return target

    @contextmanager
    def _answer(self, target: Target, *, deadline: float) -> Iterator[httpcore.Response]:
        backend = _CheckedBackend(self._rules.addresses, resolve=self._resolve, deadline=deadline)
        url = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        headers = [("Host", target.authority), ("User-Agent", "ragapp"), ("Accept-Encoding", "identity")]
        timeouts = {"connect": _CONNECT_S, "read": _READ_S, "write": _READ_S, "pool": _CONNECT_S}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend, retries=0) as pool,
                pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response,
            ):
                yield response
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
            raise SourceUnreachableError(f"{target.host}: {type(exc).__name__}") from exc


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves, checks every answer, and connects to exactly the address that was checked."""

    def __init__(self, addresses: AddressPolicy, *, resolve: Resolve, deadline: float) -> None:
        self._addresses = addresses
        self._resolve = resolve
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        found = self._resolve(host, port)
        # One forbidden answer among good ones is a name that somebody plays with.
        if not found or not all(self._addresses.allows(address) for address in found):
            raise UrlRefusedError("an address that is not allowed")
        failed: Exception | None = None
        for address in dict.fromkeys(found):
            try:
                stream = self._system.connect_tcp(address, port, timeout=_left(self._deadline, _CONNECT_S))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failed = exc
                continue
            return _BoundedStream(stream, deadline=self._deadline)
        raise httpcore.ConnectError(str(failed))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise UrlRefusedError("a socket of this machine")


class _BoundedStream(httpcore.NetworkStream):
    """A connection that ends at the deadline, however slowly the bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, *, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=_left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=_left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout=_left(self._deadline, timeout))
        return _BoundedStream(secured, deadline=self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for this address is over")
    return left if timeout is None else min(left, timeout)


def _location(response: httpcore.Response) -> str | None:
    """Where a redirect leads; None for the answer itself. Raises for every other status."""
    if response.status == _OK:
        return None
    if response.status in _REDIRECTS:
        location = _header(response, b"location")
        if not location:
            raise SourceUnreachableError("a redirect to nowhere")
        return location
    if response.status in _GONE:
        raise SourceItemGoneError(str(response.status))
    if response.status in _DENIED:
        raise SourceDeniedError(str(response.status))
    raise SourceUnreachableError(f"status {response.status}")


def _fetched(target: Target, response: httpcore.Response, *, accept: frozenset[str], max_bytes: int) -> Fetched:
    media_type = _header(response, b"content-type").partition(";")[0].strip().lower()
    if media_type not in accept or _header(response, b"content-encoding").lower() not in ("", "identity"):
        raise UnsupportedTypeError(f"{media_type or 'no type'} from {target.host}")
    length = _header(response, b"content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise UploadTooLargeError(f"{length} bytes from {target.host}")
    return Fetched(target=target, media_type=media_type, blocks=_bounded(response, max_bytes=max_bytes))


def _bounded(response: httpcore.Response, *, max_bytes: int) -> Iterator[bytes]:
    size = 0
    for block in response.iter_stream():
        size += len(block)
        if size > max_bytes:
            raise UploadTooLargeError(f"more than {max_bytes} bytes")
        yield block


def _header(response: httpcore.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    return values[0].decode("latin-1").strip() if values else ""
