"""Which addresses may be connected to: public unicast on ports 80 and 443, and what the operator allows besides.

``ipaddress.is_global`` is no guard: it is true for multicast, NAT64, 6to4, deprecated site-local and everything not yet
allocated, and its answers differ between patch releases of Python. So the ranges stand here, each edge under test.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Set
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Network = IPv4Network | IPv6Network

#: Source: IANA IPv4 Special-Purpose Address Registry, and what clouds put on public numbers.
REFUSED_IPV4: dict[IPv4Network, str] = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "carrier-grade NAT",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local and cloud metadata",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "IETF protocol assignments and cloud metadata",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.88.99.0/24"): "6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("168.63.129.16/32"): "cloud host agent",
    IPv4Network("198.18.0.0/15"): "benchmarking",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved and broadcast",
}

#: The only IPv6 space that is public unicast; loopback, v4-compatible, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48),
#: unique local, link-local, site-local, SRv6 (5f00::/16) and multicast all lie outside it.
PUBLIC_IPV6 = IPv6Network("2000::/3")

#: Source: IANA IPv6 Special-Purpose Address Registry, the part inside 2000::/3.
REFUSED_IPV6: dict[IPv6Network, str] = {
    IPv6Network("2001::/23"): "IETF protocol assignments (Teredo, benchmarking, ORCHID)",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("2002::/16"): "6to4",
    IPv6Network("3fff::/20"): "documentation",
}

PUBLIC_PORTS = frozenset({80, 443})


class RefusedAddress(OSError):
    """The gate does not open for this address or port; ``reason`` is for the operator, never for a tenant."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__(errno.EACCES, f"refused by the address policy: {reason}")
        self.address = address
        self.port = port
        self.reason = reason


class AddressPolicy:
    """Decides about one (address, port); built once from the settings, never changed by what a site sends.

    ``allow_networks`` may be reached although they are not public. ``extra_ports`` may be reached there, and only
    there, besides 80 and 443: they are what a hosts file declares, and the set is read at each decision.
    """

    def __init__(self, allow_networks: Iterable[Network] = (), extra_ports: Set[int] = frozenset()) -> None:
        self.allow_networks = tuple(allow_networks)
        self.extra_ports = extra_ports
        self._reason_for_address = lru_cache(maxsize=4096)(self._judge)

    def refusal(self, address: str, port: int) -> str | None:
        """Why this endpoint may not be connected to, in words for the operator; None where it may."""
        reason, is_allowed_by_operator = self._reason_for_address(address)
        if reason is not None:
            return reason
        if port in PUBLIC_PORTS or (is_allowed_by_operator and port in self.extra_ports):
            return None
        return "port"

    def open_socket(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one connect, or raise: every connection of the program goes through here.

        It is aiohttp's ``socket_factory``, called with the final address of each attempt, after DNS, for names and
        literals, redirects, retries and each of several addresses alike.

        Raises:
            RefusedAddress: nothing was opened.
        """
        family, kind, protocol, _, sockaddr = addr_info
        address, port = str(sockaddr[0]), int(sockaddr[1])
        if family == socket.AF_INET6 and len(sockaddr) > 3 and sockaddr[3]:
            raise RefusedAddress(address, port, "zone id")
        reason = self.refusal(address, port)
        if reason is not None:
            raise RefusedAddress(address, port, reason)
        return socket.socket(family=family, type=kind, proto=protocol)

    def _judge(self, text: str) -> tuple[str | None, bool]:
        """(why not, whether the operator allowed it)."""
        if "%" in text:
            return "zone id", False
        try:
            address = ip_address(text)
        except ValueError:
            return "not an address", False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            # The kernel connects to the embedded address, so that is the one to judge.
            address = address.ipv4_mapped
        if any(address.version == network.version and address in network for network in self.allow_networks):
            return None, True
        return (_judge_ipv4(address) if isinstance(address, IPv4Address) else _judge_ipv6(address)), False


def _judge_ipv4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in REFUSED_IPV4.items() if address in network), None)


def _judge_ipv6(address: IPv6Address) -> str | None:
    if address not in PUBLIC_IPV6:
        return "not public unicast"
    return next((reason for network, reason in REFUSED_IPV6.items() if address in network), None)
