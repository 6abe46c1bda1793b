"""zlib's inflate, with what Python's module leaves out: it tells of block boundaries, and can begin at one.

It is the library that Python's own module has loaded, spoken to by its documented interface (zlib.h); how the
pieces are used is that of zlib's example ``zran``. ADR 13 tells why no package does it.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import weakref
import zlib
from collections.abc import Callable

from repo_service.inspection.archives.targz import BadGzip

WINDOW = 32 * 1024
"""How far back deflated data may refer."""

_RAW, _GZIP = -zlib.MAX_WBITS, 16 + zlib.MAX_WBITS
_TRAILER = 8
"""What follows the deflated data of a gzip: its checksum and its size (RFC 1952)."""

_OK, _STREAM_END, _BUFFER_ERROR = 0, 1, -5
_NO_FLUSH, _BLOCK = 0, 5
# data_type, as inflate sets it: bits of the last byte that are not used yet, and where it stopped.
_UNUSED_BITS, _IN_LAST_BLOCK, _AT_BOUNDARY = 7, 64, 128
_NEVER = sys.maxsize


class _Stream(ctypes.Structure):
    """``z_stream``."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )
    avail_in: int
    avail_out: int
    next_in: int | None
    next_out: int | None
    data_type: int


class Inflater:
    """Inflates one gzip, or the rest of one from a block boundary; see ``targz.Inflater``.

    ``at_boundary`` is told of the first boundary of blocks at which ``next_boundary`` bytes have come out, or
    more, and may raise that for the next.
    """

    def __init__(
        self, at_boundary: Callable[[Inflater], None] | None = None, *, window_bits: int = _GZIP
    ) -> None:
        self.next_boundary = 0 if at_boundary else _NEVER
        self.given = 0
        """Bytes that came out."""
        self._at_boundary = at_boundary
        self._stream = _Stream()
        self._reference = ctypes.byref(self._stream)
        self._output = ctypes.create_string_buffer(0)
        self._data = b""
        self._fed = 0
        self._bits = 0
        self._trailer = 0
        self._ended = self._full = False
        library = _library()
        version = zlib.ZLIB_VERSION.encode()
        self._check(library.inflateInit2_(self._reference, window_bits, version, ctypes.sizeof(self._stream)))
        weakref.finalize(self, library.inflateEnd, self._reference)

    @classmethod
    def from_boundary(cls, *, bits: int, window: bytes) -> Inflater:
        """Inflates what follows a boundary, with the ``window`` that came out before it.

        When the blocks meet within a byte, that byte is fed first; ``bits`` of it belong to what follows. The
        checksum of the gzip cannot be proved then.
        """
        self = cls(window_bits=_RAW)
        self._trailer = _TRAILER
        self._bits = bits
        if window:
            self._check(_library().inflateSetDictionary(self._reference, window, len(window)))
        return self

    @property
    def taken(self) -> int:
        """Bytes that were used up, the one within which the last bits ended included."""
        return self._fed - self._stream.avail_in

    @property
    def bits(self) -> int:
        """How many bits of the last byte taken belong to what follows."""
        return self._stream.data_type & _UNUSED_BITS

    @property
    def eof(self) -> bool:
        return self._ended and not self._trailer

    @property
    def needs_input(self) -> bool:
        return not self._stream.avail_in and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._data[len(self._data) - self._stream.avail_in :]

    def window(self) -> bytes:
        """The bytes that came out last, at most WINDOW."""
        window = ctypes.create_string_buffer(WINDOW)
        length = ctypes.c_uint(0)
        self._check(_library().inflateGetDictionary(self._reference, window, ctypes.byref(length)))
        return window.raw[: length.value]

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._feed(data)
        if self._ended:
            self._skip_trailer()
            return b""
        if len(self._output) != max_length:
            self._output = ctypes.create_string_buffer(max_length)
        self._stream.next_out = ctypes.addressof(self._output)
        self._stream.avail_out = max_length
        before = self.given
        while not self._ended and self._step():
            self.given = before + max_length - self._stream.avail_out
            if self._is_at_boundary() and self._at_boundary is not None:
                self._at_boundary(self)
        length = max_length - self._stream.avail_out
        self.given = before + length
        self._full = not self._ended and length == max_length
        return ctypes.string_at(self._output, length)

    def _feed(self, data: bytes) -> None:
        self._data = data  # kept, because the library points into it
        self._stream.next_in = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
        self._stream.avail_in = len(data)
        self._fed += len(data)
        if self._bits:
            value = data[0] >> (8 - self._bits)
            self._check(_library().inflatePrime(self._reference, self._bits, value))
            self._bits = 0
            self._advance(1)

    def _step(self) -> bool:
        """Whether another one can bring more."""
        flush = _BLOCK if self.given >= self.next_boundary else _NO_FLUSH
        code = _library().inflate(self._reference, flush)
        if code == _STREAM_END:
            self._ended = True
            self._skip_trailer()
        elif code != _BUFFER_ERROR:
            self._check(code)
        return bool(code == _OK and self._stream.avail_in and self._stream.avail_out)

    def _is_at_boundary(self) -> bool:
        where = self._stream.data_type & (_AT_BOUNDARY | _IN_LAST_BLOCK)
        return where == _AT_BOUNDARY and self.given >= self.next_boundary

    def _skip_trailer(self) -> None:
        count = min(self._trailer, self._stream.avail_in)
        self._trailer -= count
        self._advance(count)

    def _advance(self, count: int) -> None:
        self._stream.next_in = (self._stream.next_in or 0) + count
        self._stream.avail_in -= count

    def _check(self, code: int) -> None:
        if code != _OK:
            raise BadGzip(f"zlib answers {code}")


@functools.cache
def _library() -> ctypes.CDLL:
    """The functions of zlib: from Python's module, which has loaded them, or wherever else they are."""
    for place in (getattr(zlib, "__file__", None), None, "libz.so.1", "libz.dylib"):
        try:
            library = ctypes.CDLL(place)
            reference, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
            library.inflateInit2_.argtypes = [reference, number, text, number]
            library.inflate.argtypes = [reference, number]
            library.inflateEnd.argtypes = [reference]
            library.inflatePrime.argtypes = [reference, number, number]
            library.inflateSetDictionary.argtypes = [reference, text, ctypes.c_uint]
            library.inflateGetDictionary.argtypes = [reference, text, reference]
        except (OSError, AttributeError):
            continue
        return library
    raise RuntimeError("The functions of zlib are not to be found on this machine: install the library zlib.")
