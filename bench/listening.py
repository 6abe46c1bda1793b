"""Inboxes on this machine, each on a port of its own, that take whatever is posted and keep when."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Inboxes:
    """``urls`` of all of them; ``body`` is what was posted last, ``taken`` how often something was, and
    ``last`` when (``time.perf_counter``)."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.body = b""
        self.taken = 0
        self.last = 0.0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                self.body = await reader.readexactly(int(found[1]) if found else 0)
                self.taken, self.last = self.taken + 1, time.perf_counter()
                writer.write(_TAKEN)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


@contextmanager
def listening(number: int) -> Iterator[Inboxes]:
    """So many inboxes."""
    inboxes, ready = Inboxes(), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        servers = [await asyncio.start_server(inboxes.take, "127.0.0.1", 0) for _ in range(number)]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        inboxes.urls = [f"http://127.0.0.1:{port}/inbox" for port in ports]
        ready.set()
        await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield inboxes
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
