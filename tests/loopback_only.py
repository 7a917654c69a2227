"""Tests speak to this machine alone: a connection or a name look-up that leaves it is an error, not a time-out."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


class OutsideConnectionError(AssertionError):
    """Not an OSError: clients treat those as a server that is down, retry and go on."""


@contextmanager
def loopback_only() -> Iterator[None]:
    """While open, sockets of this process reach loopback and nothing else. Child processes are not covered."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self.family, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host and not _is_loopback(host):
            raise OutsideConnectionError(f"A test looked up {host!r}. {_ADVICE}")
        return getaddrinfo(host, *args, **kwargs)

    with (
        patch.object(socket.socket, "connect", guarded_connect),
        patch.object(socket.socket, "connect_ex", guarded_connect_ex),
        patch.object(socket, "getaddrinfo", guarded_getaddrinfo),
    ):
        yield


_ADVICE = "Use a part of tests/provision, or a server that the test starts on 127.0.0.1."


def _refuse_outside(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
        raise OutsideConnectionError(f"A test connected to {address!r}. {_ADVICE}")


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("localhost", socket.gethostname()):
        return True
    try:
        # 0.0.0.0 and :: as a target mean this machine.
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
