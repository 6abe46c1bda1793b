"""What the two processes say to each other, over one socket: a letter, a length, that many bytes.

The child begins with ``PID``. It asks for parts of the file (``READ``: offset and length), which it gets as
``DATA``, and ends with an ``ANSWER`` (JSON), after which one ``PICTURE`` may come for each that is announced,
or with a ``REFUSAL`` (JSON).
"""

from __future__ import annotations

import socket
import struct
from typing import Final

PID: Final = b"I"
TASK: Final = b"T"
READ: Final = b"R"
DATA: Final = b"D"
ANSWER: Final = b"A"
PICTURE: Final = b"P"
REFUSAL: Final = b"E"

RANGE: Final = struct.Struct("!QQ")
_HEAD: Final = struct.Struct("!cQ")


class Broken(Exception):
    """The other process has gone, or says what it must not."""


def send(connection: socket.socket, kind: bytes, payload: bytes | memoryview = b"") -> None:
    """Raises OSError when the other side has gone."""
    connection.sendall(_HEAD.pack(kind, len(payload)))
    connection.sendall(payload)


def receive(connection: socket.socket, *, limit: int) -> tuple[bytes, bytes]:
    """The kind and payload of the next frame. Raises Broken, also for one of more than ``limit`` bytes."""
    kind, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if length > limit:
        raise Broken("a frame is too long")
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    pieces = []
    while length:
        piece = connection.recv(min(length, 1 << 20))
        if not piece:
            raise Broken("the connection has ended")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
