"""Connections to exactly the address that was checked, with an end to the time that all of it takes.

httpcore asks its network backend for a connection to a host. Ours resolves the name, checks every address,
and connects to one of those by number: there is no second look-up in which the name could mean another host.
TLS still is with the name, for SNI and certificate, and so is the Host header.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import httpcore

from repo_service.federation.outgoing.addresses import Resolver, Rules, literal

_CONNECT: Final = 5.0
"""Seconds for each address, where there are several."""

_until: ContextVar[float] = ContextVar("until")
"""When the request at hand has to be over, by the monotonic clock. Its thread does all reading and
writing."""

_Timeout = TypeVar("_Timeout", bound=httpcore.TimeoutException)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All requests inside, together, take no longer than that: names, connections, redirects and bodies."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def check_time() -> None:
    """Raises httpcore.ReadTimeout when it is over."""
    _left(httpcore.ReadTimeout)


def _left(error: type[_Timeout]) -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise error("it takes too long on the whole")
    return left


class CheckedBackend(httpcore.NetworkBackend):
    """See the module. ``network`` makes the connections."""

    def __init__(self, *, rules: Rules, resolver: Resolver, network: httpcore.NetworkBackend) -> None:
        self._rules = rules
        self._resolver = resolver
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to ``host``. Raises RemoteFailed where it may not lead, and httpcore's errors."""
        error: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._rules.check(self._resolved(host), port):
            try:
                stream = self._network.connect_tcp(
                    address,
                    port,
                    timeout=min(_left(httpcore.ConnectTimeout), _CONNECT),
                    local_address=local_address,
                    socket_options=socket_options,
                )
                return _Stream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        assert error is not None  # there was an address
        raise error

    def _resolved(self, host: str) -> list[str]:
        if literal(host) is not None:
            return [host]
        try:
            return list(self._resolver(host, _left(httpcore.ConnectTimeout)))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error


class _Stream(httpcore.NetworkStream):
    """A connection that stops when the time of the request at hand is over, however busy it is."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=_left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # Piece by piece: each has its own look at the clock.
        for start in range(0, len(buffer), 65536):
            self._stream.write(buffer[start : start + 65536], timeout=_left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
