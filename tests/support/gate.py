"""A gate before a Postgres server: open, shut (connections are cut and refused) or silent (nothing passes)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Gate:
    """Forwards to the server of ``conninfo``, by TCP or unix socket; an async context manager."""

    def __init__(self, conninfo: str) -> None:
        self._given = conninfo
        parameters = conninfo_to_dict(conninfo)
        self._host = str(parameters.get("host") or "127.0.0.1")
        self._target_port = int(parameters.get("port") or 5432)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        self._passing = asyncio.Event()
        self._passing.set()

    @property
    def conninfo(self) -> str:
        """The same database, through the gate."""
        return make_conninfo(self._given, host="127.0.0.1", port=self._port)

    async def open(self) -> None:
        """Let connections come and pass."""
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Cut what is open, and refuse what comes."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def silence(self) -> None:
        """Keep every connection, take new ones, and let nothing pass."""
        self._passing.clear()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._passing.wait()
            to_reader, to_writer = await self._connect()
            try:
                await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer))
            finally:
                to_writer.close()
        except (OSError, asyncio.CancelledError):
            pass  # an end like any other: the gate was shut, or somebody left
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._target_port}")
        return await asyncio.open_connection(self._host, self._target_port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
