"""What sources of this installation may reach. Frozen values, read from nowhere here; everything is off by default."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict


class SourcesConfig(BaseModel):
    """Composed by the application, as `settings.SOURCES`.

    | field | what it opens; empty or False is closed |
    |---|---|
    | roots | folders on this machine whose files may become documents |
    | s3_endpoints | S3 servers, as scheme://host:port |
    | url_import | pages and sitemaps at all |
    | url_import_hosts | names, or `*.` and a domain; empty: any host with a public address |
    | url_import_networks | private networks whose addresses count as public |
    """

    model_config = ConfigDict(frozen=True)

    roots: tuple[Path, ...] = ()
    s3_endpoints: tuple[str, ...] = ()
    url_import: bool = False
    url_import_hosts: tuple[str, ...] = ()
    url_import_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    url_import_ports: tuple[int, ...] = (80, 443)
    max_bytes: int = 100 * 1024 * 1024


def endpoint_of(text: str) -> str:
    """scheme://host:port in lower case, without a default port; '' for anything else."""
    try:
        address = urlsplit(text.strip())
        port = address.port
    except ValueError:
        return ""
    if address.scheme not in ("http", "https") or not address.hostname or "@" in address.netloc:
        return ""
    if address.path not in ("", "/") or address.query or address.fragment:
        return ""
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    is_default = port in (None, {"http": 80, "https": 443}[address.scheme])
    return f"{address.scheme}://{host}" if is_default else f"{address.scheme}://{host}:{port}"
