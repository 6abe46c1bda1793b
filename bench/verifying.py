"""The floor of the inbox: the signature of each request checked by the library that ours is checked by, and
nothing else, on the server that ours runs on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from repo_service.federation.messages import Message
from repo_service.federation.signatures import PublicKey, Scheme, cavage, rfc9421
from repo_service.serving import web_server
from repo_service.settings import Settings

# The public key in PEM, the address that was signed, and how.
_PUBLIC = PublicKey.from_pem(os.environ["BENCH_KEY"])
_ORIGIN = os.environ["BENCH_ORIGIN"]
_SCHEME = Scheme(os.environ["BENCH_SCHEME"])


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """202 for a signature by the key, 401 for another."""
    headers = [
        (name[5:].replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    headers.append(("content-type", environ["CONTENT_TYPE"]))
    message = Message("POST", f"{_ORIGIN}{environ['PATH_INFO']}", tuple(headers), body)
    claim = cavage.read(message) if _SCHEME is Scheme.CAVAGE else rfc9421.read(message)
    fits = claim.proven(_PUBLIC) is not None
    start_response("202 Accepted" if fits else "401 Unauthorized", [("Content-Length", "0")])
    return [b""]


if __name__ == "__main__":
    web_server(Settings(), "bench.verifying:app").serve()
