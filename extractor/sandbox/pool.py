"""The pool of children that read pages, as the event loop sees it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Self

from pydantic import ValidationError

from extractor.models import PageFacts
from extractor.sandbox.frames import HEADER, MAX_JSON_BYTES, Order, pack_head, pack_order

#: Module and function that read a page in the child.
READER = "extractor.page:read_page"
#: All that a child gets of the environment: the rest has secrets, and a page might take the child over.
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
START_SECONDS = 60.0
#: Copying a body of this size costs less than sending it apart from its head.
MAX_JOINED_BYTES = 128 * 1024
#: So many pages lost one after the other call for a page that cannot be at fault.
SUSPICIOUS_LOSSES = 3
BLAMELESS_PAGE = b"<title>A page</title>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one page may cost in a child before the child is killed and replaced."""

    memory_bytes: int = 512 * 1024 * 1024  #: above what the empty child has mapped
    cpu_seconds: int = 4
    wall_seconds: float = 20.0  #: generous, because a loaded machine gives a child little CPU per second
    pages_per_child: int = 1_000  #: then it is replaced: what a page leaked does not add up for ever


class PageLost(Exception):
    """The child died or was killed over this page, or sent what is no answer: nothing is known of it."""


class SandboxUnavailable(RuntimeError):
    """No child could be started, or none outlives any page. That is the machine's trouble, not the page's."""


@dataclass(slots=True)
class _Child:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pid: int
    pages: int = 0


class PageReader(Protocol):
    """Whatever reads pages."""

    async def read_page(
        self, body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> PageFacts:
        """What the page says.

        Raises:
            PageLost: it cost more than it may. SandboxUnavailable: no page can be read now.
        """
        ...


class PagePool:
    """``read_page`` in child processes: a page that costs too much takes its child along, and nothing else.

    Children are made when first needed and belong to one event loop.
    """

    def __init__(
        self, processes: int | None = None, limits: SandboxLimits | None = None, *, reader: str = READER
    ) -> None:
        self._reader = reader
        self._limits = limits or SandboxLimits()
        self._idle: asyncio.LifoQueue[_Child | None] = asyncio.LifoQueue()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.lost_pages = 0  #: pages over which a child was killed or died
        self._losses_in_a_row = 0
        for _ in range(processes or os.cpu_count() or 1):
            self._idle.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the children; a pool that was never used has none."""
        while not self._idle.empty():
            child = self._idle.get_nowait()
            if child is not None:
                child.writer.close()
                with suppress(OSError):
                    await child.writer.wait_closed()
        if self._nursery is not None:
            await asyncio.to_thread(self._stop_nursery)

    async def read_page(
        self, body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> PageFacts:
        """What the page says, read in a child.

        Raises:
            PageLost: the page went over the limits.
            SandboxUnavailable: no child could be started, or children die over whatever they are given.
        """
        try:
            facts = await self._read(body, url=url, status=status, headers=headers)
        except PageLost:
            self._losses_in_a_row += 1
            if self._losses_in_a_row >= SUSPICIOUS_LOSSES:
                await self._read_blameless_page()
            raise
        self._losses_in_a_row = 0
        return facts

    async def _read_blameless_page(self) -> None:
        try:
            await self._read(BLAMELESS_PAGE, url="https://example.com/", status=200)
        except PageLost as error:
            raise SandboxUnavailable("the processes that read pages die over every page") from error
        self._losses_in_a_row = 0

    async def _read(
        self, body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> PageFacts:
        head = pack_head({"url": url, "status": status, "headers": dict(headers or {})}, len(body))
        child = await self._idle.get()
        keep: _Child | None = None
        try:
            child = child or await self._new_child()
            facts = PageFacts.model_validate_json(await self._ask(child, head, body))
            child.pages += 1
            keep = child if child.pages < self._limits.pages_per_child else None
            return facts
        except (TimeoutError, EOFError, OSError, ValidationError) as error:
            self.lost_pages += 1
            raise PageLost(type(error).__name__) from error
        finally:
            # Also on cancellation: a child in the middle of a page is of no use to the next one.
            if child is not None and keep is None:
                self._discard(child)
            self._idle.put_nowait(keep)

    async def _ask(self, child: _Child, head: bytes, body: bytes) -> bytes:
        async with asyncio.timeout(self._limits.wall_seconds):
            if len(body) <= MAX_JOINED_BYTES:
                child.writer.write(head + body)  # one call to the kernel, and the child wakes once
            else:
                child.writer.write(head)
                child.writer.write(body)
            await child.writer.drain()
            return (await _receive(child.reader))[1]

    async def _new_child(self) -> _Child:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise SandboxUnavailable("no descriptors are left for a process to read pages in") from error
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=2 * MAX_JSON_BYTES)
        is_ready = False
        try:
            with theirs:
                self._order_child(theirs)
            async with asyncio.timeout(START_SECONDS):
                hello, _ = await _receive(reader)
            is_ready = True
        except (TimeoutError, EOFError, OSError) as error:
            raise SandboxUnavailable("no process could be started to read pages in") from error
        finally:
            if not is_ready:
                writer.close()
        return _Child(reader, writer, int(json.loads(hello)["pid"]))

    def _order_child(self, connection: socket.socket) -> None:
        """Have a child made at the other end of the connection; a nursery that died is started again."""
        order = pack_order(Order.FORK)
        if self._nursery is not None and self._nursery.poll() is None and self._control is not None:
            with suppress(OSError):
                socket.send_fds(self._control, [order], [connection.fileno()])
                return
        # Here and not in a thread: the kernel ends the nursery with the thread that started it.
        self._control = self._start_nursery()
        socket.send_fds(self._control, [order], [connection.fileno()])

    def _discard(self, child: _Child) -> None:
        child.writer.close()
        if self._control is not None:
            with suppress(OSError):
                self._control.send(pack_order(Order.KILL, child.pid))

    def _start_nursery(self) -> socket.socket:
        self._stop_nursery()
        ours, theirs = socket.socketpair()
        limits = self._limits
        command = [sys.executable, "-m", "extractor.sandbox.nursery", str(theirs.fileno()), self._reader]
        command += [f"memory_bytes={limits.memory_bytes}", f"cpu_seconds={limits.cpu_seconds}"]
        with theirs:
            # In a session of its own: the terminal's signals are for the parent alone.
            self._nursery = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        return ours

    def _stop_nursery(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._nursery is not None:
            try:
                self._nursery.wait(5)
            except subprocess.TimeoutExpired:
                self._nursery.kill()
                self._nursery.wait()
            self._nursery = None


async def _receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The JSON part and the bytes part of the next message.

    Raises:
        EOFError: the child is gone, or what it sent is no message.
    """
    text_size, body_size = HEADER.unpack(await reader.readexactly(HEADER.size))
    if text_size > MAX_JSON_BYTES or body_size > MAX_JSON_BYTES:
        raise EOFError
    return await reader.readexactly(text_size), await reader.readexactly(body_size)
