"""How the small record beside each blob is written: one JSON object, the same in every store."""

from __future__ import annotations

import json
import re

from storage.base import Digest, Sidecar
from storage.errors import InvalidSidecar

MAX_SIDECAR_SIZE = 4096
"""Bytes; anything longer is not one of ours."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")


def check_sidecar(sidecar: Sidecar) -> None:
    """Raises InvalidSidecar when the digest, size or media type cannot be one."""
    if not _DIGEST.fullmatch(sidecar.digest):
        raise InvalidSidecar("a digest is 64 lower-case hexadecimal characters")
    if sidecar.size < 0:
        raise InvalidSidecar("a size is not negative")
    if not _MEDIA_TYPE.fullmatch(sidecar.media_type):
        raise InvalidSidecar("a media type is 1 to 255 printable ASCII characters")


def encode_sidecar(sidecar: Sidecar) -> bytes:
    """The bytes that stand beside the blob."""
    record = {"digest": sidecar.digest, "size": sidecar.size, "media_type": sidecar.media_type}
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def decode_sidecar(data: bytes) -> Sidecar | None:
    """What ``encode_sidecar`` wrote; None when the bytes are anything else (torn, foreign, hostile)."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match record:
        case {"size": bool()}:  # which Python counts among the integers
            return None
        case {"digest": str(digest), "size": int(size), "media_type": str(media_type)}:
            sidecar = Sidecar(digest=Digest(digest), size=size, media_type=media_type)
        case _:
            return None
    try:
        check_sidecar(sidecar)
    except InvalidSidecar:
        return None
    return sidecar
