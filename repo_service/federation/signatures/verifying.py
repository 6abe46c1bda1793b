"""Checking the signature of a request that came.

What costs nothing is checked first: form, host, what is covered, digest, time. Only what passes all of it
makes us look for a key, which can mean a request to another server; and only what is proven is remembered, so
that strangers cannot fill the memory, or have somebody's real request refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.messages import Message
from repo_service.federation.signatures import cavage, rfc9421
from repo_service.federation.signatures.claims import ADDRESS, Claim, Scheme, Window
from repo_service.federation.signatures.ownership import ActorKey

_ONCE: Final = (
    "host",
    "date",
    "digest",
    "content-digest",
    "content-length",
    "content-type",
    "signature",
    "signature-input",
)
"""Headers of which two would mean that we and others could each believe another."""
_SAFE: Final = ("GET", "HEAD")
"""RFC 9110, section 9.2.1. Asking twice within a second, with the same signature, is what peers do."""


class Keys(Protocol):
    """Where keys come from: ``CachedKeys``, for example."""

    def find(self, key_id: str, *, fresh: bool = False) -> ActorKey:
        """The key at that address, and the actor whose it is beyond doubt. ``fresh`` asks for what is there
        now, if it was not looked at a moment ago. Raises InvalidSignature, and SignerUnreachable."""


class Seen(Protocol):
    """A memory of what came, shared by everything that answers for the same hosts."""

    def first(self, token: str, *, until: datetime) -> bool:
        """Remember ``token`` (64 characters) until then; False if it was remembered already.

        One of two that come at the same time is the first. Best done in the transaction that takes in what
        came: if that fails, the sender may try again.
        """


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed a request. ``actor`` is an address, as everything about it is."""

    key_id: str
    actor: str
    scheme: Scheme

    def speaks_for(self, actor: object) -> None:
        """Raises InvalidSignature unless ``actor``, as an activity names it, is who signed."""
        if actor != self.actor:
            raise InvalidSignature(
                "The actor of this activity is not the one who signed it.",
                reason=SignatureFault.ACTOR_MISMATCH,
            )


def verify(
    message: Message,
    *,
    keys: Keys,
    now: datetime,
    seen: Seen,
    hosts: Collection[str],
    window: Window = Window(),  # noqa: B008 - it is immutable
) -> Verified:
    """Who signed ``message``. ``hosts`` are the names, with port where it is not the usual one, that we
    answer for.

    Raises InvalidSignature with the reason of the first check that failed, and SignerUnreachable when the key
    could not be had now.
    """
    _check_headers(message, hosts)
    claim = _claim(message)
    until = window.check(claim, now)
    key, signed = _proof(claim, keys)
    if message.method not in _SAFE and not seen.first(_token(claim, signed), until=until):
        raise InvalidSignature("This request was here before.", reason=SignatureFault.REPLAYED)
    return Verified(key_id=claim.key_id, actor=key.actor, scheme=claim.scheme)


def _check_headers(message: Message, hosts: Collection[str]) -> None:
    for name in _ONCE:
        if len(message.values(name)) > 1:
            raise InvalidSignature(f"{name} is there more than once.", reason=SignatureFault.DUPLICATE_HEADER)
    host = (message.combined("host") or "").lower()
    if host not in hosts or host != message.authority:
        raise InvalidSignature("This request is for another host.", reason=SignatureFault.WRONG_HOST)


def _claim(message: Message) -> Claim:
    if message.values("signature-input"):
        claim: Claim = rfc9421.read(message)
    elif message.values("signature"):
        claim = cavage.read(message)
    else:
        raise InvalidSignature("Sign this request.", reason=SignatureFault.MISSING)
    if not ADDRESS.fullmatch(claim.key_id):
        raise InvalidSignature("The key has no address.", reason=SignatureFault.KEY_UNTRUSTED)
    return claim


def _proof(claim: Claim, keys: Keys) -> tuple[ActorKey, bytes]:
    """The key that made the signature, and what it signed. Keys change: one that does not fit is looked at
    once more."""
    key = keys.find(claim.key_id)
    signed = claim.proven(key.public)
    if signed is None:
        known, key = key, keys.find(claim.key_id, fresh=True)
        if key.public.pem != known.public.pem:
            signed = claim.proven(key.public)
    if signed is None:
        raise InvalidSignature(
            "The signature is not that of its key over this request.", reason=SignatureFault.MISMATCH
        )
    return key, signed


def _token(claim: Claim, signed: bytes) -> str:
    """The same for whatever could be made of a signature without its key: another label, other parameters
    that are not signed, another way to write base 64, another signature by PSS."""
    return hashlib.sha256(b"\0".join([claim.scheme.encode(), claim.key_id.encode(), signed])).hexdigest()
