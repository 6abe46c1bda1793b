"""Style sheets and scripts: our own and Bootstrap's, from this machine and kept by browsers for good.

A blueprint of its own, so that fetching one looks up no session.
"""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory, url_for

from repo_service.domain.errors import NotFound

blueprint = Blueprint("assets", __name__, url_prefix="/assets")

_OWN = Path(__file__).parent / "static"
_BOOTSTRAP = Path(str(files("flask_bootstrap"))) / "static" / "bootstrap5" / "css"
_FOLDERS = {path.name: _OWN for path in _OWN.iterdir() if path.is_file()} | {"bootstrap.min.css": _BOOTSTRAP}


@blueprint.get("/<name>")
def asset(name: str) -> Response:
    """One file; for good when the address names its content."""
    if name not in _FOLDERS:
        raise NotFound("There is no such file.")
    current = request.args.get("v") == _version(name)
    response = send_from_directory(_FOLDERS[name], name, max_age=31_536_000 if current else 0)
    response.cache_control.immutable = current
    return response


def asset_url(name: str) -> str:
    """The address of an asset; it changes with the content."""
    return url_for("assets.asset", name=name, v=_version(name))


@functools.cache
def _version(name: str) -> str:
    return hashlib.sha256((_FOLDERS[name] / name).read_bytes()).hexdigest()[:12]
