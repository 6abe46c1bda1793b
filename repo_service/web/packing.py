"""Pages packed for the line: HTML shrinks to an eighth.

Only those that hold no secret. Who sees the length of many packed pages, and can put words of their own into
them, learns a secret that stands there, too (BREACH, CVE-2013-3587): the token of a form, what the signed in
see.
"""

from __future__ import annotations

from flask import Flask, Response, g, request
from isal import isal_zlib

from repo_service.domain.identity import PUBLIC
from repo_service.web import csrf

_WORTH_IT = 1000
"""Bytes; less fits into one packet anyway."""
_LEVEL = 1
"""As small as zlib's third, at a twentieth of the time."""
_GZIP = 31  # zlib.h, inflateInit2: the largest window, with a gzip header


def register(app: Flask) -> None:
    """Pack what may be packed, for browsers that can unpack it."""
    app.after_request(_pack)


def takes_gzip() -> bool:
    """Whether the browser would rather have it packed."""
    return request.accept_encodings.best_match(["identity", "gzip"]) == "gzip"


def _pack(response: Response) -> Response:
    if not _may_be_packed(response):
        return response
    response.vary.add("Accept-Encoding")
    if takes_gzip():
        response.set_data(isal_zlib.compress(response.get_data(), _LEVEL, wbits=_GZIP))
        response.content_encoding = "gzip"
    return response


def _may_be_packed(response: Response) -> bool:
    return (
        response.mimetype == "text/html"
        and not response.is_streamed
        and not response.direct_passthrough
        and not response.content_encoding
        and not response.cache_control.no_store
        and g.get("identity", PUBLIC).is_public
        and not csrf.is_on_page()
        and (response.content_length or 0) >= _WORTH_IT
    )
