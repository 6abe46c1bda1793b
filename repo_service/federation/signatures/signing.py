"""Signing requests that go out."""

from __future__ import annotations

from datetime import UTC, datetime

from repo_service.federation.messages import Message
from repo_service.federation.signatures import cavage, rfc9421
from repo_service.federation.signatures.claims import Scheme
from repo_service.federation.signatures.keys import SigningKey


def sign(
    message: Message, key: SigningKey, *, scheme: Scheme = Scheme.CAVAGE, now: datetime | None = None
) -> dict[str, str]:
    """The headers that ``message`` has to be sent with, in place of its own of the same names: Host and Date,
    a digest of the body of a POST, and the signature over them. ``now`` is the time, if not this very
    moment."""
    make = cavage.headers if scheme is Scheme.CAVAGE else rfc9421.headers
    return make(message, key, now or datetime.now(UTC))
