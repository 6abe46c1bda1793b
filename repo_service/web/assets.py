"""Style sheets and scripts: our own, Bootstrap's and tus-js-client.

From this machine, and kept by browsers for good.

A blueprint of its own, so that fetching one looks up no session.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, request, url_for

from repo_service.domain.errors import NotFound
from repo_service.web.packing import takes_gzip

blueprint = Blueprint("assets", __name__, url_prefix="/assets")

_OWN = Path(__file__).parent / "static"
_BOOTSTRAP = Path(str(files("flask_bootstrap"))) / "static" / "bootstrap5" / "css"
_FOLDERS = {path.name: _OWN for path in _OWN.iterdir() if path.is_file()} | {
    "bootstrap.min.css": _BOOTSTRAP,
    "tus.min.js": _OWN / "vendor",
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_A_YEAR = 365 * 24 * 3600


@blueprint.get("/<name>")
def asset(name: str) -> Response:
    """One file; for good when the address names its content."""
    if name not in _FOLDERS:
        raise NotFound("There is no such file.")
    packed = takes_gzip()
    response = Response(_packed(name) if packed else _bytes(name), mimetype=_TYPES[Path(name).suffix])
    if packed:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{_version(name)}{'-gzip' if packed else ''}")
    if request.args.get("v") == _version(name):
        response.cache_control.max_age = _A_YEAR
        response.cache_control.immutable = True
    else:
        response.cache_control.no_cache = True
    response.make_conditional(request)
    return response


def asset_url(name: str) -> str:
    """The address of an asset; it changes with the content."""
    return _url(name, request.script_root)


@functools.cache
def _url(name: str, _mounted_at: str) -> str:
    """Made once: a page of results has two hundred icons."""
    return url_for("assets.asset", name=name, v=_version(name))


@functools.cache
def _bytes(name: str) -> bytes:
    return (_FOLDERS[name] / name).read_bytes()


@functools.cache
def _packed(name: str) -> bytes:
    """Style sheets and scripts shrink to a quarter, and are the most of a first visit."""
    return gzip.compress(_bytes(name), mtime=0)


@functools.cache
def _version(name: str) -> str:
    return hashlib.sha256(_bytes(name)).hexdigest()[:12]
