"""Checksums of a blob's chunks: wrong bytes are noticed while a part of it is read, before they go out.

The SHA-256 of a blob says only at the very end whether it is whole, and nothing about a range. So every
``CHUNK`` bytes have a CRC-32 of their own (ISO 3309, as in gzip; big-endian, one after the other). That is
against decay and mistakes; against intent there is the SHA-256, which verification and replication compute.
"""

from __future__ import annotations

import struct

from isal import isal_zlib

from storage.base import CHUNK_SIZE

CHUNK = CHUNK_SIZE
"""Bytes with one checksum; the last chunk of a blob may be shorter."""

_ONE = struct.Struct(">I")


class Checks:
    """Computes the checksums of a blob from its bytes in order."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._crc = 0
        self._filled = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, however many."""
        with memoryview(data).cast("B") as view:
            start = 0
            while start < len(view):
                taken = min(CHUNK - self._filled, len(view) - start)
                self._crc = isal_zlib.crc32(view[start : start + taken], self._crc)
                self._filled += taken
                start += taken
                if self._filled == CHUNK:
                    self._done += _ONE.pack(self._crc)
                    self._crc = self._filled = 0

    def copy(self) -> Checks:
        """One that goes on from here by itself."""
        other = Checks()
        other._done, other._crc, other._filled = bytearray(self._done), self._crc, self._filled
        return other

    def value(self) -> bytes:
        """The checksums of all that was taken: four bytes a chunk."""
        return bytes(self._done) + (_ONE.pack(self._crc) if self._filled else b"")


def chunk_is_right(checks: bytes, number: int, chunk: bytes | bytearray | memoryview) -> bool:
    """Whether ``chunk`` is the one of that number (from 0). Raises IndexError when there is no such chunk."""
    if not 0 <= number < len(checks) // _ONE.size:
        raise IndexError(number)
    (expected,) = _ONE.unpack_from(checks, number * _ONE.size)
    return bool(isal_zlib.crc32(chunk) == expected)


def fits(checks: bytes, size: int) -> bool:
    """Whether there are as many checksums as a blob of ``size`` bytes has chunks."""
    return len(checks) == -(-size // CHUNK) * _ONE.size
