"""The one way out to addresses that strangers name.

Below it is httpcore, which knows neither cookies nor proxies nor redirects nor compression: what there is of
these is here, and nothing of it has to be switched off. HTTP/1.1 only.
"""

from __future__ import annotations

import enum
import re
import ssl
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin

import httpcore
import httpx

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.federation.documents import MOST_DEPTH, MOST_VALUES, Fetched, UnfitDocument, parse
from repo_service.federation.messages import Message
from repo_service.federation.outgoing.addresses import Resolver, Rules, Target, literal, system_resolver
from repo_service.federation.outgoing.connections import CheckedBackend, check_time, within

Sign = Callable[[Message], Mapping[str, str]]
"""The headers that sign a message, such as ``functools.partial(signatures.sign, key=key)``: in place of its
own."""

ACTIVITY_TYPE: Final = "application/activity+json"
_PROFILE: Final = "https://www.w3.org/ns/activitystreams"
_MOST_RETRY_AFTER: Final = 7 * 24 * 3600
_MOST_SAID: Final = 64 * 1024
"""Bytes of an answer to a POST: nobody reads more of it."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LATER: Final = (408, 425, 429)
_PARAMETER: Final = re.compile(r';[ \t]*([A-Za-z0-9!#$&^_.+-]+)=(?:"([^"\\]*)"|([^;" \t]+))[ \t]*')


class DocumentKind(enum.Enum):
    """What is asked for, and which media types are that. Files that people shared on another server must not
    pass for what the server itself says, so ``application/json`` is no activity."""

    ACTIVITY = (f'{ACTIVITY_TYPE}, application/ld+json; profile="{_PROFILE}"', (ACTIVITY_TYPE,))
    """ActivityPub, section 3.2."""
    JRD = ("application/jrd+json, application/json", ("application/jrd+json", "application/json"))
    """WebFinger (RFC 7033, section 10.2)."""
    JSON = ("application/json", ("application/json",))
    """NodeInfo."""

    def __init__(self, accept: str, names: tuple[str, ...]) -> None:
        self.accept = accept
        self.names = names

    def admits(self, content_type: str) -> bool:
        """Whether a Content-Type is one of those."""
        media_type, separator, rest = content_type.partition(";")
        name = media_type.strip(" \t").lower()
        if name in self.names:
            return True
        if self is not DocumentKind.ACTIVITY or name != "application/ld+json":
            return False
        found = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(separator + rest)}
        return _PROFILE in found.get("profile", "").split(" ")


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` for a request on the whole, redirects included; ``size`` in bytes, as sent and unpacked."""

    seconds: float = 10
    size: int = 1024 * 1024
    redirects: int = 3
    depth: int = MOST_DEPTH
    values: int = MOST_VALUES
    connections: int = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a POST. ``retry_after`` in seconds, where it was said; ``said`` is the beginning of the
    body."""

    status: int
    retry_after: int | None
    said: bytes

    @property
    def is_success(self) -> bool:
        """It was taken."""
        return self.status // 100 == 2

    @property
    def is_temporary(self) -> bool:
        """It may be taken later."""
        return _is_temporary(self.status)


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for found, value in self.headers if found.lower() == name]
        return ", ".join(values) if values else None


class Outgoing:
    """For all threads. ``resolver``, ``tls`` and ``network`` are there for tests; so is ``allow_loopback``,
    which opens this very machine, by any port and http."""

    def __init__(
        self,
        *,
        user_agent: str,
        allow_loopback: bool = False,
        ports: Collection[int] = (443,),
        limits: Limits | None = None,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits or Limits()
        self._rules = Rules(ports=frozenset(ports), allow_loopback=allow_loopback)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),  # trusts whom the rest of the service trusts
            max_connections=self._limits.connections,
            keepalive_expiry=20,
            network_backend=CheckedBackend(
                rules=self._rules, resolver=resolver, network=network or httpcore.SyncBackend()
            ),
        )

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    def require_address(self, url: str) -> None:
        """Refuse an address that would never be asked for, as far as that is seen without resolving its name.

        Raises RemoteFailed.
        """
        target = self._rules.read(url)
        if literal(target.host) is not None:
            self._rules.check([target.host], target.port)

    def get(
        self, url: str, *, kind: DocumentKind = DocumentKind.ACTIVITY, sign: Sign | None = None
    ) -> Fetched:
        """The document at ``url``; what follows a ``#`` in it is not sent. ``sign`` signs each request anew.

        Raises RemoteFailed.
        """
        headers = [("Accept", kind.accept), ("Accept-Encoding", "gzip")]
        with within(self._limits.seconds), _told():
            target = self._rules.read(url.partition("#")[0])
            response = self._send("GET", target, headers, sign=sign)
            for _ in range(self._limits.redirects):
                if response.status not in _REDIRECTS:
                    break
                target = self._rules.read(_leads_to(response, target))
                response = self._send("GET", target, headers, sign=sign)
        if response.status in _REDIRECTS:
            raise RemoteFailed("It leads on and on.", reason=RemoteFault.REDIRECTS)
        if response.status != 200:
            raise RemoteFailed(
                f"It answers {response.status}.",
                reason=RemoteFault.STATUS,
                temporary=_is_temporary(response.status),
                status=response.status,
                retry_after=_retry_after(response.header("retry-after")),
            )
        if not kind.admits(response.header("content-type") or ""):
            raise RemoteFailed("It answers with something else.", reason=RemoteFault.MEDIA_TYPE)
        try:
            value = parse(response.body, most_depth=self._limits.depth, most_values=self._limits.values)
        except UnfitDocument as error:
            raise RemoteFailed(
                f"What it answers cannot be read: {error}.", reason=RemoteFault.JSON
            ) from error
        return Fetched(url=target.url, value=value)

    def signing(self, sign: Sign) -> SigningDocuments:
        """This, for those who serve nobody whom they do not know: each GET is signed."""
        return SigningDocuments(self, sign)

    def post(
        self, url: str, *, body: bytes, media_type: str = ACTIVITY_TYPE, sign: Sign | None = None
    ) -> Answer:
        """Send ``body`` to ``url``. It is never sent on to another address.

        Raises RemoteFailed where there is no answer, or where it would lead elsewhere.
        """
        with within(self._limits.seconds), _told():
            target = self._rules.read(url)
            headers = [("Content-Type", media_type), ("Content-Length", str(len(body)))]
            response = self._send("POST", target, headers, body=body, sign=sign, most=_MOST_SAID)
        if response.status in _REDIRECTS:
            raise RemoteFailed("It leads elsewhere.", reason=RemoteFault.REDIRECTS, status=response.status)
        return Answer(response.status, _retry_after(response.header("retry-after")), response.body)

    def _send(
        self,
        method: str,
        target: Target,
        headers: Iterable[tuple[str, str]],
        *,
        body: bytes = b"",
        sign: Sign | None = None,
        most: int | None = None,
    ) -> _Response:
        """One request and its answer. With ``most`` what is longer is cut off there; without, it is
        refused."""
        own = [
            ("Host", target.authority),
            ("User-Agent", self._user_agent),
            ("Accept-Encoding", "gzip"),
            *headers,
        ]
        if sign is not None:
            signed = sign(Message(method, target.url, tuple(own), body))
            names = {name.lower() for name in signed}
            own = [*((name, value) for name, value in own if name.lower() not in names), *signed.items()]
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.target),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in own],
            content=body,
            extensions={"timeout": {"pool": self._limits.seconds}},
        )
        response = self._answer_to(request)
        try:
            answer = _Response(
                response.status,
                [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers],
                b"",
            )
            if answer.status in _REDIRECTS:
                return answer
            encoding = answer.header("content-encoding")
            stream = response.iter_stream()
            if most is not None:
                return _Response(answer.status, answer.headers, _beginning(stream, most))
            return _Response(answer.status, answer.headers, _unpacked(stream, encoding, self._limits.size))
        finally:
            response.close()

    def _answer_to(self, request: httpcore.Request) -> httpcore.Response:
        """Once more where a connection that was kept open turns out to have been closed at the other end
        meanwhile, which is nothing that the host did to this request (RFC 9112, section 9.3.1)."""
        while True:
            check_time()
            connecting = _Connecting()
            request.extensions["trace"] = connecting
            try:
                return self._pool.handle_request(request)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                if connecting.is_new:
                    raise


class _Connecting:
    """Follows a request, as httpcore's extension ``trace`` does."""

    def __init__(self) -> None:
        self.is_new = False
        """It has a connection of its own."""

    def __call__(self, name: str, _info: Mapping[str, object]) -> None:
        if name == "connection.connect_tcp.started":
            self.is_new = True


@dataclass(frozen=True, slots=True)
class SigningDocuments:
    """See ``Outgoing.signing``."""

    outgoing: Outgoing
    sign: Sign

    def get(self, url: str) -> Fetched:
        """See ``Outgoing.get``."""
        return self.outgoing.get(url, sign=self.sign)


@contextmanager
def _told() -> Iterator[None]:
    """The errors of httpcore in our own terms."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise RemoteFailed("It takes too long.", reason=RemoteFault.TIMEOUT, temporary=True) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise RemoteFailed("It does not answer.", reason=RemoteFault.UNREACHABLE, temporary=True) from error


def _leads_to(response: _Response, target: Target) -> str:
    """Where a redirect leads from ``target``, without a fragment; nowhere if that cannot be read."""
    try:
        return urljoin(target.url, response.header("location") or "").partition("#")[0]
    except ValueError:
        return ""


def _beginning(stream: Iterable[bytes], most: int) -> bytes:
    found = bytearray()
    for block in stream:
        found += block
        if len(found) >= most:
            break
    return bytes(found[:most])


def _unpacked(stream: Iterable[bytes], encoding: str | None, most: int) -> bytes:
    """A whole body, without its gzip. Never more than ``most`` bytes are unpacked, nor read."""
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return b"".join(_bounded(stream, most))
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise RemoteFailed("It is packed in a way that was not asked for.", reason=RemoteFault.ENCODING)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    found = bytearray()
    try:
        for block in _bounded(stream, most):
            found += unpacker.decompress(block, most + 1 - len(found))
            if len(found) > most:
                raise _too_large()
    except zlib.error as error:
        raise RemoteFailed("Its gzip is damaged.", reason=RemoteFault.ENCODING) from error
    if not unpacker.eof or unpacker.unused_data:
        raise RemoteFailed("Its gzip does not end where it should.", reason=RemoteFault.ENCODING)
    return bytes(found)


def _bounded(stream: Iterable[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for block in stream:
        size += len(block)
        if size > most:
            raise _too_large()
        yield block


def _too_large() -> RemoteFailed:
    return RemoteFailed("It answers with more than we read.", reason=RemoteFault.TOO_LARGE)


def _is_temporary(status: int) -> bool:
    return status in _LATER or status // 100 == 5


def _retry_after(text: str | None) -> int | None:
    """Seconds (RFC 9110, section 10.2.3), a week at most; None for what cannot be read."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return min(int(text), _MOST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return int(min(max((moment - datetime.now(UTC)).total_seconds(), 0), _MOST_RETRY_AFTER))
