"""Servers on this machine that answer as they are told to, byte by byte."""

from __future__ import annotations

import functools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import trustme

Reply = Callable[[socket.socket], None]
"""Writes an answer; the connection is closed when it returns."""


@dataclass
class Host:
    """``replies`` by path. ``requests`` are what came, each from its first line to the end of its body."""

    port: int = 0
    replies: dict[str, Reply | bytes] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def answer(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    content_type: str | None = "application/activity+json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {content_type}"] if content_type is not None else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def document(value: object, **other: Any) -> bytes:
    """An answer with a JSON document."""
    return answer(json.dumps(value).encode(), **other)


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(status=status, headers={"Location": location})


@contextmanager
def serving(tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Host]:
    """A host on this machine."""
    host = Host()

    class Handler(StreamRequestHandler):
        def setup(self) -> None:
            host.connections += 1
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()  # which may be another socket than the server's own

        def handle(self) -> None:
            while (whole := self._request()) is not None:
                host.requests.append(whole)
                path = whole.split(b" ")[1].decode()
                reply = host.replies.get(path, answer(status="404 Not Found"))
                if not isinstance(reply, bytes):
                    reply(self.request)
                    return
                self.wfile.write(reply)

        def _request(self) -> bytes | None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return None
                head += line
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            return head + self.rfile.read(int(lengths[0].partition(b":")[2]) if lengths else 0)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def handle_error(self, *_: object) -> None:
            """Clients that go away are part of the tests."""

    with Server((address, 0), Handler) as server:
        host.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


def trusting() -> ssl.SSLContext:
    """For a client that trusts what ``tls_of`` makes."""
    return _authority()[0]


def tls_of(name: str) -> ssl.SSLContext:
    """For a server of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority()[1].issue_cert(name).configure_cert(context)
    return context


@functools.cache
def _authority() -> tuple[ssl.SSLContext, trustme.CA]:
    """What trusts a throw-away authority, and that."""
    authority = trustme.CA()
    trusts = ssl.create_default_context()
    authority.configure_trust(trusts)
    return trusts, authority


def dripping(head: bytes, block: bytes, every: float) -> Reply:
    """``block`` again and again, until nobody listens any more."""

    def reply(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(head)
            stop = threading.Event()
            while not stop.wait(every):
                connection.sendall(block)

    return reply
