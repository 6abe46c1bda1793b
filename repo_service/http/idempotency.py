"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): a request that comes again is done once.

The body of a request is hashed as it streams past. That of a form is hashed without its boundary, which
clients draw anew each time.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final, ParamSpec

from flask import Response, current_app, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from repo_service.domain.errors import DomainError, IdempotencyKeyReused, MalformedRequest, PayloadTooLarge
from repo_service.domain.identity import Scope
from repo_service.http.body import READ_SIZE
from repo_service.http.context import identity, services, site
from repo_service.services.idempotency import LONGEST_KEY, KeptAnswer
from storage import StorageError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

P = ParamSpec("P")

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
"""On an answer that was given before."""

KEY: Final = rf'^("[ !#-\[\]-~]{{1,{LONGEST_KEY}}}"|[!#-\[\]-~]{{1,{LONGEST_KEY}}})$'
"""A string of RFC 9651, section 3.3.3, without escapes; and the same without quotes and spaces, as many
clients send it."""

_KEY: Final = re.compile(KEY)
_KEPT_HEADERS: Final = frozenset({"content-type", "location", "content-location", "etag", "cache-control"})
_METADATA_ROOM: Final = 2 * 1024 * 1024
_CHANGED_NOTHING: Final = (DomainError, HTTPException, StorageError, DBAPIError)
"""Errors that are answered on purpose, before anything is committed."""


def idempotent(scope: Scope) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """Mark a view that creates something, for who may do ``scope``: with an ``Idempotency-Key`` it is done
    once however often it comes. It stands above whatever reads the body."""

    def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
        @functools.wraps(view)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
            key = _key()
            if key is None:
                return current_app.make_response(view(*args, **kwargs))
            return _once(key, scope, lambda: view(*args, **kwargs))

        return wrapped

    return decorate


def _once(key: str, scope: Scope, view: Callable[[], Any]) -> Response:
    who, keys = identity(), services().idempotency_keys
    body = _Hashed(request.environ)
    kept = keys.claim(who, key, scope)
    if kept is not None:
        if body.fingerprint() != kept.fingerprint:
            raise IdempotencyKeyReused
        return Response(kept.body, kept.status, [*kept.headers, (REPLAYED, "true")])
    request.environ["wsgi.input"] = body
    try:
        response = current_app.make_response(view())
    except _CHANGED_NOTHING:
        keys.release(who, key)
        raise
    if not 200 <= response.status_code < 300:
        keys.release(who, key)
        return response
    headers = [(name, value) for name, value in response.headers if name.lower() in _KEPT_HEADERS]
    answer = KeptAnswer(
        fingerprint=body.fingerprint(),
        status=response.status_code,
        headers=tuple(headers),
        body=response.get_data(),
    )
    keys.keep(who, key, answer)
    return response


def _key() -> str | None:
    """The key of the request, None without one. Raises MalformedRequest."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if _KEY.fullmatch(given.strip()) is None:
        raise MalformedRequest(
            f"{HEADER} is a string of up to {LONGEST_KEY} printable characters, such as a UUID in quotes."
        )
    return given.strip().strip('"')


class _Hashed:
    """The body of a request as a WSGI input that hashes what is read of it."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        """Reads nothing. Raises PayloadTooLarge for more than any request may hold."""
        self._stream: BinaryIO = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH") or ""
        # Where no length, or none that is one, is announced, the view refuses the body.
        self._left = int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else 0
        if self._left > site().max_upload_size + _METADATA_ROOM:
            raise PayloadTooLarge("This is more than one file may be.", limit=site().max_upload_size)
        self._hash = hashlib.sha256(f"{request.method} {request.full_path} {request.mimetype}\n".encode())
        boundary = request.mimetype_params.get("boundary", "") if request.mimetype.startswith("multi") else ""
        self._boundary = f"--{boundary}".encode() if boundary else b""
        self._tail = b""

    def read(self, size: int = -1) -> bytes:
        """As of any stream."""
        return self._seen(self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        """As of any stream."""
        return self._seen(self._stream.readline(size))

    def readlines(self, hint: int = -1) -> list[bytes]:
        """As of any stream."""
        return [self._seen(line) for line in self._stream.readlines(hint)]

    def __iter__(self) -> Iterator[bytes]:
        """As of any stream."""
        return iter(self.readline, b"")

    def fingerprint(self) -> str:
        """That of the whole request. What nobody has read of the body is read for it."""
        while self._left > 0 and self.read(min(READ_SIZE, self._left)):
            pass
        finished = self._hash.copy()
        finished.update(self._tail)
        return finished.hexdigest()

    def _seen(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if not self._boundary:
            self._hash.update(piece)
            return piece
        *parts, rest = (self._tail + piece).split(self._boundary)
        for part in parts:
            self._hash.update(part)
            self._hash.update(b"--")
        kept = len(self._boundary) - 1  # it may have begun
        self._hash.update(rest[:-kept])
        self._tail = rest[-kept:]
        return piece
