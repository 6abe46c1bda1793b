"""Digests of bodies: ``Digest`` of RFC 3230, which draft-cavage goes with, and ``Content-Digest`` of RFC
9530."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

from http_message_signatures import ContentDigest, HTTPMessageSignaturesException

from repo_service.domain.errors import InvalidSignature, SignatureFault

_HASHES: Final[dict[str, Callable[[bytes], Any]]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def digest(body: bytes) -> str:
    """The value of ``Digest``."""
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


def content_digest(body: bytes) -> str:
    """The value of ``Content-Digest``."""
    return ContentDigest.create(body)


def check_digest(value: str, body: bytes) -> None:
    """Every SHA-2 in ``Digest`` is that of ``body``, and there is one. Raises InvalidSignature.

    Other algorithms beside it are not looked at (RFC 3230, section 4.3.2), and prove nothing alone.
    """
    instances = [part.strip(" \t").partition("=") for part in value.split(",")]
    names = [name.lower() for name, _, _ in instances]
    if len(set(names)) < len(names):
        raise InvalidSignature("Digest names an algorithm twice.", reason=SignatureFault.MALFORMED)
    known = [
        (_HASHES[name], text) for name, (_, _, text) in zip(names, instances, strict=True) if name in _HASHES
    ]
    if not known:
        raise InvalidSignature("Digest has no SHA-256.", reason=SignatureFault.DIGEST_UNCOVERED)
    for algorithm, text in known:
        try:
            said = base64.b64decode(text.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise InvalidSignature("Digest is not base 64.", reason=SignatureFault.MALFORMED) from error
        if not hmac.compare_digest(said, algorithm(body).digest()):
            raise _mismatch()


def check_content_digest(value: str, body: bytes) -> None:
    """Every digest in ``Content-Digest`` is that of ``body``, and each is a SHA-2. Raises
    InvalidSignature."""
    try:
        ContentDigest.verify(value, body)
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise _mismatch() from error


def _mismatch() -> InvalidSignature:
    return InvalidSignature(
        "The digest is not that of the body that came.", reason=SignatureFault.DIGEST_MISMATCH
    )
