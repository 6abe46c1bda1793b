"""What the two processes say to each other, over one socket: a letter, a length, that many bytes.

The child begins with ``PID``. It asks for parts of the file (``READ``: offset and length), which it gets as
``DATA``, and ends with an ``ANSWER`` (JSON), after which one ``PICTURE`` may come for each that is announced,
or with a ``REFUSAL`` (a reason).
"""

from __future__ import annotations

import socket
import struct
import time
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


_NO_TIME: Final = 1e-6
"""Zero would mean not to wait at all, which fails in other words."""


class Broken(Exception):
    """The other process has gone, or says what it must not."""


def send(connection: socket.socket, kind: bytes, payload: bytes | memoryview = b"") -> None:
    """Raises OSError when the other side has gone."""
    connection.sendall(_HEAD.pack(kind, len(payload)))
    connection.sendall(payload)


def receive(
    connection: socket.socket, *, limit: int, deadline: float | None = None
) -> tuple[bytes, bytearray]:
    """The kind and payload of the next frame. Raises Broken, also for one of more than ``limit`` bytes, and
    TimeoutError when it has not all come by ``deadline`` (of ``time.monotonic``)."""
    kind, length = _HEAD.unpack(_exactly(connection, _HEAD.size, deadline))
    if length > limit:
        raise Broken("a frame is too long")
    return kind, _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, length: int, deadline: float | None) -> bytearray:
    data = bytearray()
    while len(data) < length:
        if deadline is not None:
            connection.settimeout(max(deadline - time.monotonic(), _NO_TIME))
        piece = connection.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise Broken("the connection has ended")
        data += piece
    return data
