"""Names to addresses, each address vetted before it is handed on, and once more at the socket."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

from aiohttp.abc import AbstractResolver, ResolveResult

from extractor.network.hosts import HostsFile, SystemHosts
from extractor.network.policy import AddressPolicy, RefusedAddress

#: Lookups that may wait on slow name servers at once; each waits in a thread.
LOOKUP_THREADS = 64
CACHE_SECONDS = 60.0
CACHE_NAMES = 10_000
#: More addresses than this in one answer are dropped: no site needs them, and each may cost a connect.
MAX_ADDRESSES = 8

_NO_SUCH_NAME = frozenset(
    code for code in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None), socket.EAI_FAMILY) if code is not None
)


class NoSuchName(OSError):
    """DNS says that the name does not exist, or has no address."""


class LookupFailed(OSError):
    """DNS gave no answer this time."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect for a name and a port."""

    address: str
    port: int


class NameLookup(Protocol):
    """Answers where a name is served. Production asks the system; tests inject their own."""

    async def lookup(self, name: str, port: int) -> Sequence[Endpoint]:
        """Every endpoint for the name.

        Raises:
            NoSuchName: the name does not exist. LookupFailed: no answer this time.
        """
        ...


class SystemLookup:
    """The hosts file where it knows the name, else the system's resolver, in threads of its own."""

    def __init__(self, hosts: HostsFile | None = None) -> None:
        self._hosts = hosts
        self._system_hosts = SystemHosts()
        self._threads: ThreadPoolExecutor | None = None

    async def lookup(self, name: str, port: int) -> Sequence[Endpoint]:
        if self._hosts is not None and (entries := self._hosts.find(name)):
            if any(entry.failure == "nxdomain" for entry in entries):
                raise NoSuchName(name)
            if any(entry.failure == "servfail" for entry in entries):
                raise LookupFailed(name)
            return [Endpoint(entry.address, entry.port_for(port)) for entry in entries]
        if addresses := self._system_hosts.find(name):
            return [Endpoint(address, port) for address in addresses]
        return await self._ask_system(name, port)

    async def _ask_system(self, name: str, port: int) -> Sequence[Endpoint]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="dns")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _getaddrinfo, name, port)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise NoSuchName(name) from error
            raise LookupFailed(name) from error
        except UnicodeError as error:
            raise NoSuchName(name) from error
        return [_endpoint(family, sockaddr) for family, _, _, _, sockaddr in found]

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(name: str, port: int) -> list[tuple[Any, ...]]:
    # The final dot keeps the machine's search list out of it: a public name is never looked up as name.inside.corp.
    return list(socket.getaddrinfo(f"{name}.", port, type=socket.SOCK_STREAM))


def _endpoint(family: int, sockaddr: tuple[object, ...]) -> Endpoint:
    address, port = str(sockaddr[0]), int(str(sockaddr[1]))
    if family == socket.AF_INET6 and len(sockaddr) > 3 and sockaddr[3]:
        address = f"{address}%{sockaddr[3]}"  # kept, so that the policy refuses it
    return Endpoint(address, port)


class GatedResolver(AbstractResolver):
    """aiohttp's resolver: what the policy refuses is dropped from an answer, and an answer of only such is refused.

    Answers are cached for a minute. That is no hole: the socket is vetted again at each connect.
    """

    def __init__(self, policy: AddressPolicy, lookup: NameLookup, *, cache_seconds: float = CACHE_SECONDS) -> None:
        self._policy = policy
        self._lookup = lookup
        self._cache_seconds = cache_seconds
        self._answers: OrderedDict[tuple[str, int], tuple[float, list[Endpoint]]] = OrderedDict()
        self._asking: dict[tuple[str, int], asyncio.Task[list[Endpoint]]] = {}

    async def endpoints(self, name: str, port: int) -> list[Endpoint]:
        """The permitted endpoints, IPv4 and the lowest address first, so that equal answers have an equal first.

        Raises:
            NoSuchName, LookupFailed: as the lookup says.
            RefusedAddress: the name has only addresses that the policy refuses.
        """
        if known := self.known_endpoints(name, port):
            return known
        key = (name, port)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(name, port))
            task.add_done_callback(lambda done: self._forget_task(key, done))
        # Shielded: whoever gives up must not cancel the answer of those who still wait for the same name.
        return await asyncio.shield(task)

    def known_endpoints(self, name: str, port: int) -> list[Endpoint] | None:
        """What ``endpoints`` would answer at once; None where it would have to ask."""
        known = self._answers.get((name, port))
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def forget(self) -> None:
        """Drop every cached answer."""
        self._answers.clear()

    def _forget_task(self, key: tuple[str, int], task: asyncio.Task[list[Endpoint]]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, so that an abandoned lookup's failure is not reported as never retrieved

    async def _ask(self, name: str, port: int) -> list[Endpoint]:
        found = list(dict.fromkeys(await self._lookup.lookup(name, port)))
        if not found:
            raise NoSuchName(name)
        refusals = {endpoint: self._policy.refusal(endpoint.address, endpoint.port) for endpoint in found}
        permitted = sorted((e for e in found if refusals[e] is None), key=_preference)[:MAX_ADDRESSES]
        if not permitted:
            raise RefusedAddress(found[0].address, found[0].port, str(refusals[found[0]]))
        self._answers[(name, port)] = (time.monotonic() + self._cache_seconds, permitted)
        while len(self._answers) > CACHE_NAMES:
            self._answers.popitem(last=False)
        return permitted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=endpoint.address,
                port=endpoint.port,
                family=socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for endpoint in await self.endpoints(host.rstrip("."), port)
        ]

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        if isinstance(self._lookup, SystemLookup):
            self._lookup.close()


def _preference(endpoint: Endpoint) -> tuple[int, int]:
    parsed = ip_address(endpoint.address)
    return parsed.version, int(parsed)
