"""What a signature claims, before anybody looked at its key; and the time in which it counts."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, Protocol

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.signatures.keys import PublicKey

ADDRESS: Final = re.compile(r"https?://[!-~]{1,990}")
"""What keys and their owners are known by: no longer than what is kept of them."""
_IMF_FIXDATE: Final = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, in seconds since 1970."""


class Scheme(enum.StrEnum):
    """How a request is signed."""

    CAVAGE = "draft-cavage-http-signatures-12"
    RFC9421 = "rfc9421"

    @property
    def other(self) -> Scheme:
        """What to try where this one was refused: "double knocking"
        (https://swicg.github.io/activitypub-http-signature/#how-to-upgrade-supported-versions)."""
        return Scheme.RFC9421 if self is Scheme.CAVAGE else Scheme.CAVAGE


class Claim(Protocol):
    """A signature that is well-formed and covers what it has to, digest included."""

    @property
    def scheme(self) -> Scheme:
        """How it was made."""

    @property
    def key_id(self) -> str:
        """The address of the key that it says it is by."""

    @property
    def signed_at(self) -> Sequence[datetime]:
        """When it was made, by everything covered that tells; never empty."""

    @property
    def expires(self) -> datetime | None:
        """When its maker lets it end."""

    def proven(self, key: PublicKey) -> bytes | None:
        """What was signed, if it was with this key; None if not.

        Raises InvalidSignature where the algorithm that the request names is none of the key's."""


@dataclass(frozen=True, slots=True)
class Window:
    """``age`` is how old a signature may be, ``skew`` how much clocks may differ."""

    age: timedelta = timedelta(hours=1)
    skew: timedelta = timedelta(minutes=5)

    def check(self, claim: Claim, now: datetime) -> datetime:
        """Until when this very signature could come again. Raises InvalidSignature outside of the window."""
        if min(claim.signed_at) < now - self.age - self.skew:
            raise InvalidSignature("This was signed too long ago.", reason=SignatureFault.STALE)
        if max(claim.signed_at) > now + self.skew:
            raise InvalidSignature("This was signed in the future.", reason=SignatureFault.FUTURE)
        if claim.expires is not None and claim.expires < now - self.skew:
            raise InvalidSignature("This signature has expired.", reason=SignatureFault.EXPIRED)
        return min(claim.signed_at) + self.age + self.skew


def http_date(moment: datetime) -> str:
    """As in ``Date`` (RFC 9110, section 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def from_http_date(text: str) -> datetime:
    """Raises InvalidSignature for anything but an IMF-fixdate."""
    try:
        if _IMF_FIXDATE.fullmatch(text):
            return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError) as error:
        raise _no_time("Date") from error
    raise _no_time("Date")


def from_seconds(seconds: float, name: str) -> datetime:
    """A moment given in seconds since 1970. Raises InvalidSignature where there is none."""
    if not 0 <= seconds <= _LAST_SECOND:
        raise _no_time(name)
    return datetime.fromtimestamp(seconds, UTC)


def _no_time(name: str) -> InvalidSignature:
    return InvalidSignature(f"{name} is no time.", reason=SignatureFault.MALFORMED)
