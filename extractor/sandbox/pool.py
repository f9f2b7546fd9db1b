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
from extractor.sandbox.frames import HEADER, MAX_JSON_BYTES, pack

#: Module and function that read a page in the child.
READER = "extractor.page:read_page"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one page may cost in a child before the child is killed and replaced."""

    memory_bytes: int = 512 * 1024 * 1024  #: above what the empty child has mapped
    cpu_seconds: int = 4
    wall_seconds: float = 20.0  #: generous, because a loaded machine gives a child little CPU per second
    pages_per_child: int = 1_000  #: then it is replaced: what a page leaked does not add up for ever


class ChildLost(Exception):
    """The child died, was killed, or sent what is no answer."""


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
        """What the page says. Does not raise."""
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
        self._size = processes or os.cpu_count() or 1
        self._idle: asyncio.LifoQueue[_Child | None] = asyncio.LifoQueue()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self.lost_children = 0  #: killed or died while they read a page
        for _ in range(self._size):
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
        """Return what the page says; ``truncated`` and otherwise empty where reading it went over the limits."""
        child = await self._idle.get()
        keep: _Child | None = None
        try:
            if child is None:
                child = await self._new_child()
            text = await self._ask(child, pack({"url": url, "status": status, "headers": dict(headers or {})}, body))
            facts = PageFacts.model_validate_json(text)
            child.pages += 1
            if child.pages < self._limits.pages_per_child:
                keep = child
            return facts
        except (ChildLost, OSError, ValidationError):
            self.lost_children += 1
            return PageFacts(url=url, status=status, truncated=True)
        finally:
            # Also on cancellation: a child in the middle of a page is of no use to the next one.
            if child is not None and keep is None:
                self._discard(child)
            self._idle.put_nowait(keep)

    async def _ask(self, child: _Child, message: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                child.writer.write(message)
                await child.writer.drain()
                _, text = await _receive(child.reader)
                return text
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            raise ChildLost from error

    async def _new_child(self) -> _Child:
        ours, theirs = socket.socketpair()
        with theirs:
            async with self._starting:
                if self._nursery is None or self._nursery.poll() is not None:
                    # Not in a thread: the kernel ends the nursery with the thread that started it.
                    self._control = self._start_nursery()
                if self._control is None:
                    raise ChildLost
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=2 * MAX_JSON_BYTES)
        try:
            async with asyncio.timeout(max(30.0, self._limits.wall_seconds)):
                hello, _ = await _receive(reader)
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            writer.close()
            raise ChildLost from error
        return _Child(reader, writer, int(json.loads(hello)["pid"]))

    def _discard(self, child: _Child) -> None:
        child.writer.close()
        if self._control is not None:
            with suppress(OSError):
                self._control.send(f"kill {child.pid}".encode())

    def _start_nursery(self) -> socket.socket:
        self._stop_nursery()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        limits = self._limits
        command = [sys.executable, "-m", "extractor.sandbox.nursery", str(theirs.fileno()), self._reader]
        command += [f"memory_bytes={limits.memory_bytes}", f"cpu_seconds={limits.cpu_seconds}"]
        with theirs:
            # Started in its own session: the terminal's signals are for the parent alone.
            self._nursery = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
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
    """The JSON part and the bytes part of the next message."""
    text_size, body_size = HEADER.unpack(await reader.readexactly(HEADER.size))
    if text_size > MAX_JSON_BYTES or body_size > MAX_JSON_BYTES:
        raise ChildLost
    return await reader.readexactly(text_size), await reader.readexactly(body_size)
