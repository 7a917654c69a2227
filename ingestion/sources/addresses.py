"""Which addresses may be connected to: the public ones, and private networks that the configuration names.

Knows addresses alone: names are resolved, and the answer checked, by the fetcher at the moment it connects.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Never, whatever is configured. Those that carry an IPv4 address inside are refused whole: a resolver gives the IPv4
# address itself for an honest name, so only somebody who hides one writes it so.
_NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, cloud metadata
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle's metadata
        "192.88.99.0/24",  # 6to4 relay
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "100.100.100.200/32",  # Alibaba's metadata, in shared address space
        "168.63.129.16/32",  # Azure's host agent, which counts as a public address
        "::/96",  # unspecified and IPv4-compatible (loopback is in it, and may be allowed apart)
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of a site
        "100::/64",  # discard
        "2001::/23",  # Teredo, ORCHID and other assignments
        "2002::/16",  # 6to4
        "fd00:ec2::/32",  # AWS's metadata, in private address space
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
# What a company may use inside.
_PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_LOOPBACK_6 = IPv6Address("::1")
_GLOBAL_6 = IPv6Network("2000::/3")


@dataclass(frozen=True)
class AddressPolicy:
    """Public addresses, and those of `networks`."""

    networks: tuple[Network, ...] = ()

    def allows(self, text: str) -> bool:
        """False for whatever is not the plain text of one allowed address."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if getattr(address, "scope_id", None) is not None or _carries_ipv4(address):
            return False
        if _within(address, _NEVER) and address != _LOOPBACK_6:
            return False
        return _within(address, self.networks) or _is_public(address)


def is_private_network(network: Network) -> bool:
    """Whether it lies within the networks that companies use inside; loopback is none of them."""
    if isinstance(network, IPv4Network):
        return any(network.subnet_of(each) for each in _PRIVATE if isinstance(each, IPv4Network))
    return any(network.subnet_of(each) for each in _PRIVATE if isinstance(each, IPv6Network))


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_6:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carries_ipv4(address: Address) -> bool:
    """ISATAP: any prefix, then 0000:5efe or 0200:5efe and an IPv4 address."""
    return isinstance(address, IPv6Address) and (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
