"""Arrays of keys as Postgres reads them, put together at once instead of value by value.

A drain sends two keys for each row, and a general list adapter spends more time on them than the handler takes.
The format is the binary one of ``array_send``: dimensions, a flag for nulls, the type of the elements, the length, the
lower bound, and then each element behind its length (src/backend/utils/adt/arrayfuncs.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from uuid import UUID

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_UUID_LENGTH = struct.pack(">i", 16)
_INT8 = struct.Struct(">iq")
_UUID_OID = 2950
_INT8_OID = 20


class UuidArray(bytes):
    """A ``uuid[]``."""

    __slots__ = ()


class Int8Array(bytes):
    """A ``bigint[]``."""

    __slots__ = ()


def uuid_array(ids: Sequence[UUID]) -> UuidArray:
    """``ids`` as one value."""
    elements = [_UUID_LENGTH + key.int.to_bytes(16, "big") for key in ids]
    return UuidArray(_header(_UUID_OID, len(elements)) + b"".join(elements))


def int8_array(numbers: Iterable[int]) -> Int8Array:
    """``numbers`` as one value.

    Raises:
        struct.error: one of them has more than 64 bits.
    """
    pack = _INT8.pack
    elements = [pack(8, number) for number in numbers]
    return Int8Array(_header(_INT8_OID, len(elements)) + b"".join(elements))


def _header(element_oid: int, length: int) -> bytes:
    # An array without elements has no dimension.
    return _HEADER.pack(1, 0, element_oid, length, 1) if length else struct.pack(">iiI", 0, 0, element_oid)


class UuidArrayDumper(Dumper):
    """Sends a UuidArray as it is."""

    format = Format.BINARY
    oid = 2951

    def dump(self, obj: UuidArray) -> Buffer:
        """The bytes themselves."""
        return obj


class Int8ArrayDumper(UuidArrayDumper):
    """Sends an Int8Array as it is."""

    oid = 1016


def register(context: AdaptContext) -> None:
    """Have ``context`` understand both."""
    context.adapters.register_dumper(UuidArray, UuidArrayDumper)
    context.adapters.register_dumper(Int8Array, Int8ArrayDumper)
