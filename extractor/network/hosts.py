"""A hosts file: names that are answered from it instead of DNS, for tests and previews on one machine.

Each line is ``address[:http_port[:https_port]] name...``; an IPv6 address with ports stands in brackets. A name may
have ``*`` in it for any run of characters. The word ``nxdomain`` or ``servfail`` in the address's place gives that
answer. ``#`` starts a comment. An exact name goes before a pattern, and the first pattern that fits wins.

It opens nothing: the addresses pass the gate like any other, so it is useless without FETCH_ALLOW_NETWORKS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path

_BRACKETED = re.compile(r"\[([^\]]+)\](?::(\d+))?(?::(\d+))?")
_PLAIN = re.compile(r"([^:]+)(?::(\d+))?(?::(\d+))?")
_FAILURES = frozenset({"nxdomain", "servfail"})


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """Where a name is served: ``failure`` (nxdomain, servfail), or an address with its two ports."""

    address: str = ""
    http_port: int = 80
    https_port: int = 443
    failure: str | None = None

    def port_for(self, port: int) -> int:
        return {80: self.http_port, 443: self.https_port}.get(port, port)


class HostsFile:
    """The entries of a hosts file, read again when the file changes.

    Raises:
        ValueError: a line cannot be read; the message names the line. OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (-1, -1)
        self._exact: dict[str, list[HostsEntry]] = {}
        self._patterns: list[tuple[str, HostsEntry]] = []
        #: Every port it names; the same set for ever, renewed when the file changes.
        self.ports: set[int] = set()
        self.reload()

    def reload(self) -> None:
        """Read the file if it changed since it was read last."""
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return
        exact: dict[str, list[HostsEntry]] = {}
        patterns: list[tuple[str, HostsEntry]] = []
        for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), start=1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            entry = _entry(words[0], number)
            for name in (word.lower() for word in words[1:]):
                if "*" in name:
                    patterns.append((name, entry))
                else:
                    exact.setdefault(name, []).append(entry)
        self._exact, self._patterns, self._stamp = exact, patterns, stamp
        entries = [*(entry for same in exact.values() for entry in same), *(entry for _, entry in patterns)]
        self.ports.clear()
        self.ports.update(port for entry in entries for port in (entry.http_port, entry.https_port))

    def find(self, name: str) -> list[HostsEntry]:
        """The entries for a name; empty where DNS has to answer."""
        self.reload()
        if found := self._exact.get(name):
            return found
        for pattern, entry in self._patterns:
            if fnmatchcase(name, pattern):
                return [entry]
        return []


def _entry(word: str, number: int) -> HostsEntry:
    if word in _FAILURES:
        return HostsEntry(failure=word)
    match = _BRACKETED.fullmatch(word) or (None if word.count(":") > 2 else _PLAIN.fullmatch(word))
    address, http_port, https_port = match.groups() if match else (word, None, None)
    try:
        return HostsEntry(str(ip_address(address)), int(http_port or 80), int(https_port or 443))
    except ValueError:
        raise ValueError(f"hosts file, line {number}: {word!r} is no address[:http_port[:https_port]]") from None


class SystemHosts:
    """The machine's own hosts file, which the system's resolver passes over for names asked with a final dot.

    Lines that cannot be read, and names that stand for no address, are left out: it is not ours to complain about.
    """

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._path = path
        self._stamp = (-1, -1)
        self._addresses: dict[str, list[str]] = {}

    def find(self, name: str) -> list[str]:
        """The addresses given for a name; empty where DNS has to answer."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._addresses = _system_addresses(self._path.read_text(encoding="utf-8", errors="replace"))
                self._stamp = stamp
        except OSError:
            return []
        return self._addresses.get(name.lower(), [])


def _system_addresses(text: str) -> dict[str, list[str]]:
    addresses: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        try:
            address = str(ip_address(words[0])) if words else ""
        except ValueError:
            continue
        for name in words[1:]:
            addresses.setdefault(name.lower(), []).append(address)
    return addresses
