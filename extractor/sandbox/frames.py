"""The messages between the pool and its children: a length, then that many bytes; JSON, never pickle.

A child that reads hostile pages may be taken over by one; what it sends is data, and is checked as such.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

HEADER = struct.Struct("!II")  #: length of the JSON part, length of the bytes part
#: What the nursery is told: the order and, for KILL, a process number; always as long, so that it needs no framing.
ORDER = struct.Struct("!II")
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = 128 * 1024 * 1024


class Order(IntEnum):
    """What the nursery is told to do; FORK comes with the child's socket attached."""

    FORK = 1
    KILL = 2


def pack_order(order: Order, pid: int = 0) -> bytes:
    """One order."""
    return ORDER.pack(order, pid)


def pack(document: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One message."""
    return pack_head(document, len(body)) + body


def pack_head(document: Mapping[str, Any], body_bytes: int) -> bytes:
    """A message without its body, which is sent after it: so that a large body is not copied."""
    text = json.dumps(document).encode("ascii")
    return HEADER.pack(len(text), body_bytes) + text


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """The next bytes of a blocking socket.

    Raises:
        EOFError: the other side is gone.
    """
    parts = bytearray(size)
    view = memoryview(parts)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise EOFError
        view = view[count:]
    return bytes(parts)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message from a blocking socket.

    Raises:
        EOFError: the other side is gone.
    """
    text_size, body_size = HEADER.unpack(read_exactly(connection, HEADER.size))
    if text_size > MAX_JSON_BYTES or body_size > MAX_BODY_BYTES:
        raise EOFError
    document: dict[str, Any] = json.loads(read_exactly(connection, text_size))
    return document, read_exactly(connection, body_size)
