"""A file that only grows, line by line: what leaves the database is on the disk before it is gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TAIL_BYTES = 1024 * 1024


class ArchiveUnusable(Exception):
    """The file cannot be written, or must not be; the message says why. What was to be written is not in it."""


class Archive:
    """An open file of whole lines. Made by ``open_archive``."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.lines = 0  #: appended since it was opened
        self._descriptor = descriptor

    async def append(self, lines: Sequence[str]) -> None:
        """Write ``lines``; when this returns, they have reached the disk.

        Raises:
            ArchiveUnusable: none of them is in the file.
        """
        await asyncio.to_thread(self._append, lines)
        self.lines += len(lines)

    def _append(self, lines: Sequence[str]) -> None:
        before = os.fstat(self._descriptor).st_size
        left = memoryview("".join(f"{line}\n" for line in lines).encode())
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise ArchiveUnusable(f"cannot write to {self.path}: {error.strerror}") from error


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The file at ``path``: made where it is not there, readable by its owner alone, and one process's at a time.

    A line that a crash left unfinished is cut off: what it was to hold was not removed.

    Raises:
        ArchiveUnusable: it is no regular file, cannot be opened, or is open in another process.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise ArchiveUnusable(f"cannot open {path}: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ArchiveUnusable(f"{path} is no regular file: what was written to it could not be known to be safe")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ArchiveUnusable(f"another process writes to {path}") from error
        _cut_unfinished_line(path, descriptor)
        _sync_folder(path)
        yield Archive(path, descriptor)
    finally:
        os.close(descriptor)


def _cut_unfinished_line(path: Path, descriptor: int) -> None:
    end = start = os.fstat(descriptor).st_size
    tail = b""
    while start and b"\n" not in tail:
        start = max(0, start - TAIL_BYTES)
        tail = os.pread(descriptor, end - start, start)
    tail = tail[tail.rfind(b"\n") + 1 :]
    if tail and not tail.startswith(b"{"[: len(tail)]):
        raise ArchiveUnusable(f"{path} ends in the middle of a line that is none of an export: it is another file")
    if tail:
        os.ftruncate(descriptor, end - len(tail))


def _sync_folder(path: Path) -> None:
    """The name of a new file is written with its folder."""
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
