"""A cable between two servers, which can be cut in the midst of an answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

_BLOCK = 65536


class Cable(ThreadingTCPServer):
    """Hands on whatever comes to ``port`` to another port of this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Ends)
        self.target = target
        self._limit: int | None = None
        self._cut = False

    @property
    def port(self) -> int:
        """Where it begins."""
        return int(self.server_address[1])

    @contextmanager
    def breaking(self, *, after: int) -> Iterator[None]:
        """Meanwhile the first connection that has answered with so many bytes ends there, and all others with
        it."""
        self._limit = after
        yield
        assert self._cut, f"nothing answered with {after} bytes"
        self._limit, self._cut = None, False

    def room(self, answered: int) -> int:
        """Bytes that get through of a connection that has answered with so many; none once it is cut."""
        if self._limit is None:
            return _BLOCK
        self._cut = self._cut or answered >= self._limit
        return 0 if self._cut else min(_BLOCK, self._limit - answered)


class _Ends(BaseRequestHandler):
    server: Cable

    def handle(self) -> None:
        if not self.server.room(0):
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.target)) as far:
            asking = threading.Thread(target=_ask, args=(self.request, far), daemon=True)
            asking.start()
            answered = 0
            while (room := self.server.room(answered)) and (block := far.recv(room)):
                self.request.sendall(block)
                answered += len(block)
            for end in (self.request, far):  # wakes up who asks
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            asking.join()


def _ask(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while block := near.recv(_BLOCK):
            far.sendall(block)
        far.shutdown(socket.SHUT_WR)


@contextmanager
def cable_to(port: int) -> Iterator[Cable]:
    """One that leads there."""
    with Cable(port) as cable:
        thread = threading.Thread(target=cable.serve_forever, daemon=True)
        thread.start()
        yield cable
        cable.shutdown()
        thread.join()
