"""Stored bytes as a response: conditions, ranges, and the headers that keep foreign bytes harmless.

HEAD is always answered here and with the headers of GET: Moodle asks with HEAD first and takes any 4xx as
fatal (``admin/tool/moodlenet/classes/local/remote_resource.php``).
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Self
from urllib.parse import quote

import structlog
from flask import Request, Response
from structlog.typing import FilteringBoundLogger
from werkzeug.http import http_date

from repo_service.domain.errors import PreconditionFailed
from repo_service.http import ranges, request_ids
from repo_service.http.file_names import content_disposition
from repo_service.http.ranges import ByteRange, Multipart
from storage.base import BlobReader
from storage.errors import StorageUnavailable

BLOCK_SIZE = 256 * 1024
"""Bytes handed to the server at a time: as fast as it gets, and small enough for memory to be used again."""

# nginx would judge these by its own ETag and date, which are not ours.
_JUDGED_HERE = ("If-Match", "If-Range", "If-Unmodified-Since")

# MIME Sniffing Standard, section 4.6: a JavaScript MIME type is one of these.
_RUN_BY_PAGES = re.compile(
    r"\s*(?:text/css|(?:application|text)/(?:x-)?(?:ecma|java|j|live)script)", re.IGNORECASE
)

OpenRange = Callable[[int, int], BlobReader]
"""Opens ``length`` bytes from ``offset``, in this order."""

log: FilteringBoundLogger = structlog.get_logger(component="http")


def deliver(
    request: Request,
    *,
    size: int,
    etag: str,
    media_type: str,
    file_name: str,
    digest: str | None,
    last_modified: datetime,
    open_range: OpenRange,
    redirect_url: Callable[[], str | None] = lambda: None,
    accel_path: Callable[[], str | None] = lambda: None,
    cache_control: str,
) -> Response:
    """Answer GET or HEAD for ``size`` bytes.

    ``etag`` is opaque and without quotes; ``digest`` the SHA-256 in hexadecimal, None where nobody knows it
    before all is sent; ``file_name`` a clean one.
    Where ``redirect_url`` gives one, a GET is sent there (302). Where ``accel_path`` does, the front server
    sends the bytes and answers ranges; nginx keeps only some of our headers then, so its internal location
    has to repeat the others: ``add_header X-Content-Type-Options $upstream_http_x_content_type_options
    always`` and so on for Content-Security-Policy, Cross-Origin-Resource-Policy, Repr-Digest and ETag, with
    ``etag off``. Neither is asked before bytes have to be sent.

    Raises PreconditionFailed, InvalidRange, and what ``open_range`` raises: the first bytes are read before
    the response is begun, so that a missing blob is a problem and no broken 200.
    """
    media_type = _inert(media_type)
    validators = {
        "ETag": f'"{etag}"',
        "Last-Modified": http_date(last_modified),
        "Cache-Control": cache_control,
    }
    _check_preconditions(request, etag=etag, last_modified=last_modified)
    if _not_modified(request, etag=etag, last_modified=last_modified):
        return Response(status=304, headers=validators)
    headers = validators | _harmless(file_name)
    if digest is not None:
        headers["Repr-Digest"] = _repr_digest(digest)
    if request.method != "HEAD":
        if (url := redirect_url()) is not None:
            return _redirect(url)
        judged_there = not any(name in request.headers for name in _JUDGED_HERE)
        if judged_there and (path := accel_path()) is not None:
            headers["X-Accel-Redirect"] = quote(path)
            return Response(headers=headers, content_type=media_type)
    headers["Accept-Ranges"] = "bytes"
    return _body(
        headers,
        None if request.method == "HEAD" else open_range,
        wanted=_wanted(request, etag=etag, size=size),
        size=size,
        media_type=media_type,
    )


def _check_preconditions(request: Request, *, etag: str, last_modified: datetime) -> None:
    # RFC 9110, section 13.2.2: the date counts only where there is no If-Match.
    if "If-Match" in request.headers:
        if not request.if_match.contains(etag):
            raise PreconditionFailed("This is not the file that you asked for (If-Match).")
    elif request.if_unmodified_since is not None and _seconds(last_modified) > request.if_unmodified_since:
        raise PreconditionFailed("The file has changed since (If-Unmodified-Since).")


def _not_modified(request: Request, *, etag: str, last_modified: datetime) -> bool:
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(etag)
    return request.if_modified_since is not None and _seconds(last_modified) <= request.if_modified_since


def _wanted(request: Request, *, etag: str, size: int) -> tuple[ByteRange, ...] | None:
    """The ranges to send, None for the whole. Range means something on GET only (RFC 9110, section 14.2)."""
    if request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != f'"{etag}"':
        return None  # another edition, a weak tag or a date (which is too coarse to splice bytes by)
    return ranges.parse(request.headers.get("Range"), size=size)


def _body(
    headers: dict[str, str],
    open_range: OpenRange | None,
    *,
    wanted: tuple[ByteRange, ...] | None,
    size: int,
    media_type: str,
) -> Response:
    """The response over the ranges wanted; ``open_range`` is None where only the headers are."""
    segments: Sequence[bytes | ByteRange]
    if wanted is None:
        status, content_type, length = 200, media_type, size
        segments = [ByteRange(0, size)] if size else []
    elif len(wanted) == 1:
        status, content_type, length = 206, media_type, wanted[0].length
        headers["Content-Range"] = wanted[0].content_range(size)
        segments = wanted
    else:
        framing = Multipart(wanted, size=size, media_type=media_type)
        status, content_type, length = 206, framing.content_type, framing.content_length
        segments = [
            *(part for pair in zip(framing.heads, framing.ranges, strict=True) for part in pair),
            framing.tail,
        ]
    headers["Content-Length"] = str(length)
    blocks = None if open_range is None else Blocks(segments, open_range)
    return Response(
        blocks, status=status, headers=headers, content_type=content_type, direct_passthrough=True
    )


class Blocks:
    """The bytes of a response body; the first are read at once. ``close`` (which the server calls when the
    client goes away) closes the reader that is open."""

    def __init__(self, segments: Sequence[bytes | ByteRange], open_range: OpenRange) -> None:
        self._request_id = request_ids.current()
        self._blocks = _blocks(segments, open_range)
        # Two, because the first may be framing.
        self._read = deque(islice(self._blocks, 2))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._read:
            return self._read.popleft()
        try:
            return next(self._blocks)
        except StopIteration:
            raise
        except Exception as error:
            # The status is out. All that is left is to break the connection: nobody may take this for whole.
            log.error("download broke off", request_id=self._request_id, exc_info=error)
            raise

    def close(self) -> None:
        """Stop early."""
        self._read.clear()
        self._blocks.close()


class MadeAsSent:
    """A ``BlobReader`` over bytes that are made while they are sent."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = memoryview(block)
        data = bytes(self._rest if size < 0 else self._rest[:size])
        self._rest = self._rest[len(data) :]
        return data

    def close(self) -> None:
        if isinstance(self._blocks, Generator):
            self._blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _blocks(segments: Sequence[bytes | ByteRange], open_range: OpenRange) -> Generator[bytes, None, None]:
    for segment in segments:
        if isinstance(segment, bytes):
            yield segment
            continue
        left = segment.length
        with open_range(segment.start, segment.length) as reader:
            while left:
                block = reader.read(min(BLOCK_SIZE, left))
                if not block:
                    raise StorageUnavailable(f"the blob ends {left} bytes early")
                left -= len(block)
                yield block


def _redirect(url: str) -> Response:
    # The address works for a short time only: nobody may keep it.
    return Response(status=302, headers={"Location": url, "Cache-Control": "private, no-store"})


def _harmless(file_name: str) -> dict[str, str]:
    """Foreign bytes are saved, never shown on our origin, whatever their type says."""
    return {
        "Content-Disposition": content_disposition(file_name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _inert(media_type: str) -> str:
    """Pages of ours take scripts and style sheets from our origin, and so from here, were it not for this:
    browsers refuse them under another type. Saving asks nobody's type."""
    return "text/plain" if _RUN_BY_PAGES.match(media_type) else media_type


def _repr_digest(digest: str) -> str:
    """RFC 9530, section 3."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode('ascii')}:"


def _seconds(moment: datetime) -> datetime:
    """What HTTP can say of a moment: whole seconds, in UTC."""
    return moment.astimezone(UTC).replace(microsecond=0)
