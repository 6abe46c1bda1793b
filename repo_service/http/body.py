"""Raw request bodies as streams, straight from the WSGI server.

Flask's own stream is not used: it adds a layer to every read and hides a client that went away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from repo_service.domain.errors import LengthRequired, MalformedRequest, SizeMismatch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

READ_SIZE = 256 * 1024
"""Bytes read at a time. Few calls into the server, and yet small enough for the allocator to use the same
memory again: blocks of 1 MiB were mapped anew each time, which took longer than SHA-256 (3.4 s against 1.5 s
a GiB)."""

_FIRST_READ = 4 * 1024
_QUICK, _SLOW = 0.2, 1.0
"""Seconds in which a piece comes that is followed by a larger, or a smaller one."""

RECEIVED_KEY = "repo_service.received"
"""Where the WSGI environment keeps how many bytes of the body were read so far."""


def content_length(environ: WSGIEnvironment) -> int:
    """The size that the body announces, in bytes. Reads nothing.

    Raises LengthRequired without Content-Length (chunked bodies), MalformedRequest when it is no number.
    """
    announced = environ.get("CONTENT_LENGTH") or ""
    if not announced or environ.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired
    if not (announced.isascii() and announced.isdigit() and len(announced) <= 18):
        raise MalformedRequest("Content-Length is not a number of bytes.")
    return int(announced)


def read_exactly(environ: WSGIEnvironment) -> Iterator[bytes]:
    """The body, in pieces of up to ``READ_SIZE`` bytes, and never a byte beyond Content-Length.

    Raises LengthRequired and MalformedRequest at once, SizeMismatch while reading when the client sends less
    than it announced or goes away.
    """
    return _pieces(environ, content_length(environ))


def announced(environ: WSGIEnvironment) -> int | None:
    """The size that the body announces, in bytes; None for a chunked one, which tells none. Reads nothing.

    Raises MalformedRequest when it is no number.
    """
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    return content_length(environ) if environ.get("CONTENT_LENGTH") else 0


def read_as_it_comes(environ: WSGIEnvironment) -> Iterator[bytes]:
    """The body, announced or chunked, until it ends or breaks off: in pieces that take a second to come, over
    lines of any speed, and never more than ``READ_SIZE``.

    The server gives out nothing before a whole piece is there; what has come of the last one, it does give
    out. Raises MalformedRequest at once.
    """
    return _paced(environ, announced(environ))


def said_while_it_comes(said: bytes, environ: WSGIEnvironment, *, at_most: int) -> Iterator[bytes]:
    """A response that is given at once, after which the rest of the request's body is read and dropped, up to
    ``at_most`` bytes.

    If the connection were closed while bytes come, its sender would be told of that and of nothing else. A
    front server that has the whole response hangs up, and so ends this.
    """
    yield said
    try:
        expected = announced(environ)
    except MalformedRequest:
        return
    left = at_most if expected is None else min(at_most, expected - int(environ.get(RECEIVED_KEY, 0)))
    stream: BinaryIO = environ["wsgi.input"]
    while left > 0 and (piece := stream.read(min(_FIRST_READ, left))):
        left -= len(piece)


def _paced(environ: WSGIEnvironment, expected: int | None) -> Iterator[bytes]:
    stream: BinaryIO = environ["wsgi.input"]
    received = 0
    size = _FIRST_READ
    while expected is None or received < expected:
        began = time.monotonic()
        piece = stream.read(size if expected is None else min(size, expected - received))
        if not piece:
            return
        took = time.monotonic() - began
        received += len(piece)
        environ[RECEIVED_KEY] = received
        yield piece
        if took < _QUICK:
            size = min(READ_SIZE, 4 * size)
        elif took > _SLOW:
            size = max(_FIRST_READ, size // 4)


def _pieces(environ: WSGIEnvironment, expected: int) -> Iterator[bytes]:
    stream: BinaryIO = environ["wsgi.input"]
    received = 0
    while received < expected:
        piece = stream.read(min(READ_SIZE, expected - received))
        if not piece:
            raise SizeMismatch(expected=expected, received=received)
        received += len(piece)
        environ[RECEIVED_KEY] = received
        yield piece
