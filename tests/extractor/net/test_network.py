"""The gate: which addresses it opens for, both edges of every range, and what a name's answer becomes."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from extractor.network import (
    AddressPolicy,
    Endpoint,
    GatedResolver,
    HostsFile,
    NoSuchName,
    RefusedAddress,
    SystemLookup,
)
from extractor.network.policy import REFUSED_IPV4, REFUSED_IPV6

#: (last address before the range, first of it, last of it, first after it); None where the neighbour is refused too.
EDGES = [
    (None, "0.0.0.0", "0.255.255.255", "1.0.0.0"),
    ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
    ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
    ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
    ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"),
    ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
    ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
    ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
    ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
    ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
    ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
    ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
    ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
    ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
    ("223.255.255.255", "224.0.0.0", "239.255.255.255", None),
    (None, "240.0.0.0", "255.255.255.255", None),
    (None, "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
    ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
    ("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"),
    ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"),
]
OUTSIDE_PUBLIC_IPV6 = [
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::ffff:0:808:808",
    "64:ff9b::",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b::ffff:ffff",
    "64:ff9b:1::",
    "64:ff9b:1:7f00:0:100::",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::",
    "100::1",
    "100:0:0:1::",
    "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::",
    "5f00::",
    "5f00::1",
    "fbff::1",
    "fc00::",
    "fd00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe00::",
    "fe80::",
    "fe80::1",
    "febf:ffff::1",
    "fec0::",
    "fec0::1",
    "feff::1",
    "ff00::",
    "ff02::1",
    "ff0e::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]
INSIDE_SPECIALS = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.0.9",
    "192.0.0.170",
    "255.255.255.255",
    "0.0.0.0",
    "224.0.0.251",
    "239.255.255.250",
    "2001:0:53aa:64c:0:0:f5ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:db8::8a2e:370:7334",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.0.0.1",
    "172.217.0.1",
    "192.30.255.113",
    "198.41.0.4",
    "223.0.0.1",
    "2000::",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "2620:4f:8000::1",
    "2001:4860:4860::8888",
    "3ffd::1",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]
policy = AddressPolicy()


@pytest.mark.parametrize("address", [a for edge in EDGES for a in edge[1:3]] + OUTSIDE_PUBLIC_IPV6 + INSIDE_SPECIALS)
def test_the_gate_stays_shut_for_what_is_not_public(address: str) -> None:
    assert policy.refusal(address, 80) is not None
    assert policy.refusal(address, 443) is not None


@pytest.mark.parametrize("address", [a for edge in EDGES for a in (edge[0], edge[3]) if a] + PUBLIC)
def test_the_gate_opens_for_the_neighbours_of_every_range(address: str) -> None:
    assert policy.refusal(address, 80) is None
    assert policy.refusal(address, 443) is None


def test_every_range_of_the_table_has_both_its_edges_under_test() -> None:
    first_and_last = {(edge[1], edge[2]) for edge in EDGES}

    assert {(str(n[0]), str(n[-1])) for n in (*REFUSED_IPV4, *REFUSED_IPV6)} == first_and_last


@pytest.mark.parametrize("address", [a for edge in EDGES for a in edge[1:3] if ":" not in a])
def test_a_mapped_address_is_judged_as_the_one_inside(address: str) -> None:
    assert policy.refusal(f"::ffff:{address}", 80) is not None
    assert policy.refusal("::ffff:8.8.8.8", 80) is None


@pytest.mark.parametrize("address", ["fe80::1%lo", "2606:4700:4700::1111%eth0", "::1%1"])
def test_an_address_with_a_zone_is_refused(address: str) -> None:
    assert policy.refusal(address, 80) == "zone id"


@pytest.mark.parametrize("address", ["", "example.com", "127.1", "0x7f000001", "2130706433", "127.0.0.1\0", "[::1]"])
def test_what_is_no_canonical_address_is_refused(address: str) -> None:
    assert policy.refusal(address, 80) is not None


@pytest.mark.parametrize("port", [0, 1, 22, 25, 79, 81, 442, 444, 6379, 8080, 8443, 65535])
def test_no_other_port_is_opened(port: int) -> None:
    assert policy.refusal("8.8.8.8", port) == "port"


def test_allowed_networks_are_the_only_exception() -> None:
    allowing = AddressPolicy([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")], {8080})

    assert allowing.refusal("10.1.255.255", 80) is None
    assert allowing.refusal("::ffff:10.1.2.3", 80) is None
    assert allowing.refusal("fd00:1::5", 443) is None
    assert allowing.refusal("10.2.0.0", 80) == "private"
    assert allowing.refusal("127.0.0.1", 80) == "loopback"
    assert allowing.refusal("10.1.0.1", 8080) is None
    assert allowing.refusal("10.1.0.1", 8081) == "port"
    assert allowing.refusal("8.8.8.8", 8080) == "port", "extra ports belong to the allowed networks alone"


def test_the_socket_itself_is_refused() -> None:
    with pytest.raises(RefusedAddress):
        policy.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))
    with pytest.raises(RefusedAddress):
        policy.open_socket((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("2606:4700::1", 80, 0, 3)))
    with pytest.raises(RefusedAddress):
        policy.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 22)))

    policy.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))).close()


class Answers:
    """A lookup that gives what it is told, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def lookup(self, name: str, port: int) -> Sequence[Endpoint]:
        self.asked += 1
        return [Endpoint(address, port) for address in self.addresses]


async def test_bad_addresses_are_dropped_from_a_mixed_answer() -> None:
    resolver = GatedResolver(policy, Answers("127.0.0.1", "2606:4700::1", "9.9.9.9", "1.1.1.1", "fe80::1%2", "::1"))

    found = await resolver.endpoints("example.com", 80)

    assert [endpoint.address for endpoint in found] == ["1.1.1.1", "9.9.9.9", "2606:4700::1"]


async def test_an_answer_of_bad_addresses_alone_is_refused() -> None:
    resolver = GatedResolver(policy, Answers("10.0.0.1", "169.254.169.254"))

    with pytest.raises(RefusedAddress):
        await resolver.endpoints("example.com", 443)


async def test_an_empty_answer_is_a_missing_name() -> None:
    with pytest.raises(NoSuchName):
        await GatedResolver(policy, Answers()).endpoints("example.com", 80)


async def test_answers_are_cached_and_asked_for_once() -> None:
    answers = Answers("1.1.1.1")
    resolver = GatedResolver(policy, answers)

    await resolver.endpoints("example.com", 80)
    await resolver.endpoints("example.com", 80)

    assert answers.asked == 1


def write_hosts(folder: Path, text: str) -> HostsFile:
    path = folder / "hosts"
    path.write_text(text)
    return HostsFile(path)


async def test_a_hosts_file_answers_names_and_patterns(tmp_path: Path) -> None:
    hosts = write_hosts(
        tmp_path,
        "127.0.0.1:8080:8443 one.com *-shop.com  # a comment\n[::1]:8081 six.com\n127.0.0.2 two.com\n"
        "127.0.0.9:9 special-shop.com\nnxdomain missing.com\n",
    )
    lookup = SystemLookup(hosts)

    assert await lookup.lookup("one.com", 80) == [Endpoint("127.0.0.1", 8080)]
    assert await lookup.lookup("any-shop.com", 443) == [Endpoint("127.0.0.1", 8443)]
    assert await lookup.lookup("special-shop.com", 80) == [Endpoint("127.0.0.9", 9)]
    assert await lookup.lookup("six.com", 80) == [Endpoint("::1", 8081)]
    assert await lookup.lookup("two.com", 443) == [Endpoint("127.0.0.2", 443)]
    with pytest.raises(NoSuchName):
        await lookup.lookup("missing.com", 80)
    assert hosts.ports >= {8080, 8443, 8081, 9, 80, 443}


async def test_a_hosts_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    hosts = write_hosts(tmp_path, "127.0.0.1:8080 one.com\n")
    (tmp_path / "hosts").write_text("127.0.0.1:9090 one.com two.com\n")

    assert (await SystemLookup(hosts).lookup("two.com", 80))[0].port == 9090
    assert 9090 in hosts.ports


async def test_a_hosts_file_opens_nothing_by_itself(tmp_path: Path) -> None:
    hosts = write_hosts(tmp_path, "127.0.0.1:8080 one.com\n93.184.216.34:8080 two.com\n")
    shut = GatedResolver(AddressPolicy((), hosts.ports), SystemLookup(hosts))
    opened = GatedResolver(AddressPolicy([ip_network("127.0.0.0/8")], hosts.ports), SystemLookup(hosts))

    for resolver, name in ((shut, "one.com"), (shut, "two.com"), (opened, "two.com")):
        with pytest.raises(RefusedAddress):
            await resolver.endpoints(name, 80)
    assert await opened.endpoints("one.com", 80) == [Endpoint("127.0.0.1", 8080)]


@pytest.mark.parametrize("line", ["example.com one.com", "127.0.0.1:x one.com", "127.0.0.1:1:2:3 a.com", "[::1 a.com"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        write_hosts(tmp_path, f"# first\n{line}\n")


async def test_public_names_are_asked_for_as_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def listen(name: str, *rest: object, **more: object) -> object:
        asked.append(name)
        return real("127.0.0.1", 80, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", listen)
    lookup = SystemLookup()
    await lookup.lookup("example.com", 80)
    lookup.close()

    assert asked == ["example.com."], "with the final dot the search list stays out of it"
