"""One reading of a web address, and refusal of every form that two programs could read two ways."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import httpx

from ingestion.errors import UrlRefusedError

MAX_URL = 2_000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What may stand in a path or query; everything else is percent-encoded, and "%" stays what it was.
_SAFE = "/:@!$&'()*+,;=-._~%?"


@dataclass(frozen=True)
class Target:
    """Where to connect and what to ask for; `host` is a name or the canonical text of an address."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header: with brackets, and with the port where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The address in its one form; no fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: str, *, ports: tuple[int, ...] = (80, 443)) -> Target:
    """Read an address. Raises UrlRefusedError for whatever is not plain http(s) on one of the ports."""
    if len(url) > MAX_URL or not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        raise UrlRefusedError("unprintable, too long, or with a blank or a backslash")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as exc:
        raise UrlRefusedError("not a URL") from exc
    if scheme not in _DEFAULT_PORTS or not url.lower().startswith(f"{scheme}://"):
        raise UrlRefusedError("neither http nor https")
    if "@" in parts.netloc or "%" in parts.netloc or parts.netloc.endswith(":"):
        raise UrlRefusedError("credentials, an escape or an empty port beside the host")
    port = _DEFAULT_PORTS[scheme] if port is None else port
    if port not in ports:
        raise UrlRefusedError(f"port {port}")
    target = Target(scheme=scheme, host=_host(host, parts.netloc), port=port, path=_path(parts.path, parts.query))
    _read_alike(url, target)
    return target


def redirected(target: Target, location: str, *, ports: tuple[int, ...] = (80, 443)) -> Target:
    """Where a redirect leads; checked like any address, and never from https to http."""
    if "\\" in location or not location.isprintable():
        raise UrlRefusedError("a redirect with a backslash or an unprintable character")
    try:
        joined = urljoin(target.text, location)
    except ValueError as exc:
        raise UrlRefusedError("a redirect to no URL") from exc
    found = target_of(joined, ports=ports)
    if target.scheme == "https" and found.scheme == "http":
        raise UrlRefusedError("a redirect from https to http")
    return found


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the list names the host; an empty list names every one."""
    return not allowed or any(
        host.endswith(entry[1:]) if entry.startswith("*.") else host == entry for entry in map(str.lower, allowed)
    )


def _host(host: str, netloc: str) -> str:
    if netloc.startswith("["):
        try:
            return str(IPv6Address(host))
        except AddressValueError as exc:
            raise UrlRefusedError("not an IPv6 address") from exc
    # Also keeps out non-ASCII letters: what looks like `localhost` may become it on the way to the resolver.
    if not _NAME.fullmatch(host) or host == "localhost" or host.endswith(".localhost"):
        raise UrlRefusedError("not a host name")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            IPv4Address(host)
        except AddressValueError as exc:
            # Decimal, octal, hexadecimal and shortened forms: resolvers take them for addresses.
            raise UrlRefusedError("an IPv4 address in another form than four numbers") from exc
    return host


def _path(path: str, query: str) -> str:
    return quote(path or "/", safe=_SAFE) + (f"?{quote(query, safe=_SAFE)}" if query else "")


def _read_alike(url: str, target: Target) -> None:
    """A second parser must find the same scheme, host and port."""
    try:
        other = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise UrlRefusedError("two parsers disagree") from exc
    host = str(IPv6Address(other.host)) if ":" in target.host else other.host
    if (other.scheme, host, other.port or _DEFAULT_PORTS[target.scheme]) != (target.scheme, target.host, target.port):
        raise UrlRefusedError("two parsers disagree")
