"""Throttling: how often somebody may try, across all processes and whatever is restarted.

For whatever can be guessed or used to pester others: passwords, tokens, secrets of clients, letters. Before a
try, take one of an allowance for each thing that is to be protected or held to account; after a success give
it back, so that only failures count::

    WRONG_SECRETS = Allowance(name="client-secret", burst=20, every=timedelta(seconds=30))
    taken = throttling.take((WRONG_SECRETS, f"{client_id} {address_block(address)}"))
    check the secret, and raise when it is wrong
    throttling.give_back(taken)

Taking comes first so that many tries at once are counted, too. What is refused does not count: whoever keeps
trying does not prolong their own wait, and nobody can keep another out for longer than ``every``.

Each allowance is a bucket that leaks (the generic cell rate algorithm, ITU-T I.371): all that is kept of it
is the moment at which it is whole again.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import TooManyRequests
from repo_service.domain.texts import Text, counted, text
from repo_service.models import Throttle
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import locked_rows

_IPV6_SITE = 56
"""What a household or an office gets at least (RIPE-690, section 4.2): its owner has all of it."""
_ACQUAINTANCE = "acquaintance"
_MINUTE = 60
_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """``burst`` tries at once, and then one more ``every`` so often. ``name`` keeps it apart from others."""

    name: str
    burst: int
    every: timedelta


Claim = tuple[Allowance, str]
"""An allowance, and whose it is: an account, an address block, both, a client …"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, to be given back: rows by key, with what each lost."""

    costs: Mapping[str, timedelta]


class Held:
    """An allowance, and what some have of it, within one transaction."""

    def __init__(self, allowance: Allowance, rows: Mapping[str, Throttle]) -> None:
        self._allowance = allowance
        self._rows = rows

    def take(self, subject: str) -> TooManyRequests | None:
        """Take one, or say how long to wait for it."""
        row = self._rows[subject]
        try:
            _require_room({row.key: self._allowance}, {row.key: row.full_at})
        except TooManyRequests as error:
            return error
        _take_of(row, self._allowance)
        return None


class Throttling:
    """Allowances, kept in the database. ``secret_key`` hides whose they are from those who read it."""

    def __init__(self, database: Database, *, secret_key: str) -> None:
        self._database = database
        self._secret_key = secret_key.encode()

    def take(self, *claims: Claim) -> Taken:
        """Take one of each allowance, or of none. Raises TooManyRequests with the longest wait."""
        wanted = {self._key(allowance.name, subject): allowance for allowance, subject in claims}
        with self._database.read() as session:  # most refusals end here, without waiting for a writer
            query = select(Throttle.key, Throttle.full_at).where(Throttle.key.in_(wanted))
            _require_room(wanted, {row.key: row.full_at for row in session.execute(query)})
        with self._database.write() as session:
            rows = _locked(session, wanted.keys())
            _require_room(wanted, {key: row.full_at for key, row in rows.items()})
            for key, allowance in wanted.items():
                _take_of(rows[key], allowance)
        return Taken({key: allowance.every for key, allowance in wanted.items()})

    def hold(self, session: Session, allowance: Allowance, subjects: Collection[str]) -> Held:
        """What each of ``subjects`` has of an allowance, locked: for a transaction that does for many what is
        allowed. If that fails, nothing was taken."""
        keys = {subject: self._key(allowance.name, subject) for subject in subjects}
        rows = _locked(session, set(keys.values()))
        return Held(allowance, {subject: rows[key] for subject, key in keys.items()})

    def give_back(self, taken: Taken) -> None:
        """Undo ``take``: the try was a good one."""
        with self._database.write() as session:
            for key in sorted(taken.costs):
                row = session.scalar(select(Throttle).where(Throttle.key == key).with_for_update())
                if row is not None:
                    row.full_at -= taken.costs[key]

    def befriend(self, subject: str, *, lasts: timedelta) -> None:
        """Remember that ``subject`` (an account at an address, say) proved itself."""
        key, until = self._key(_ACQUAINTANCE, subject), now() + lasts
        with self._database.write() as session:
            _locked(session, [key])[key].full_at = until

    def knows(self, subject: str) -> bool:
        """Whether ``subject`` was befriended lately."""
        key = self._key(_ACQUAINTANCE, subject)
        with self._database.read() as session:
            until = session.scalar(select(Throttle.full_at).where(Throttle.key == key))
        return until is not None and until > now()

    def tidy(self) -> int:
        """Forget allowances that are whole again; returns how many."""
        with self._database.write() as session:
            stale = delete(Throttle).where(Throttle.full_at <= now()).returning(Throttle.key)
            return len(session.scalars(stale).all())

    def _key(self, name: str, subject: str) -> str:
        said = f"{name}\n{subject}".encode(errors="surrogatepass")
        return hmac.digest(self._secret_key, said, "sha256").hex()


def address_block(address: str | None) -> str:
    """Whoever has one address of this block has them all: an IPv4 address, or an IPv6 site.

    ``address`` is the client's as the trusted front servers give it; None, or a name, where there is none.
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return "elsewhere"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((int(found), _IPV6_SITE), strict=False))
    return str(found)


def in_words(seconds: int) -> Text:
    """A wait as people say it, rounded up: ``40 seconds``, ``3 minutes``, ``2 hours``."""
    if seconds > _HOUR:
        return counted("%(count)s hour", "%(count)s hours", math.ceil(seconds / _HOUR))
    if seconds > _MINUTE:
        return counted("%(count)s minute", "%(count)s minutes", math.ceil(seconds / _MINUTE))
    return counted("%(count)s second", "%(count)s seconds", seconds)


def _locked(session: Session, keys: Collection[str]) -> dict[str, Throttle]:
    return locked_rows(session, Throttle.key, keys, full_at=now)


def _take_of(row: Throttle, allowance: Allowance) -> None:
    row.full_at = max(row.full_at, now()) + allowance.every


def _require_room(wanted: Mapping[str, Allowance], full_at: Mapping[str, datetime]) -> None:
    moment = now()
    waits = [
        (max(full_at.get(key, moment), moment) + allowance.every)
        - (moment + allowance.burst * allowance.every)
        for key, allowance in wanted.items()
    ]
    longest = max(waits, default=timedelta(0))
    if longest > timedelta(0):
        wait = math.ceil(longest.total_seconds())
        raise TooManyRequests(
            text("Too many attempts: try again in %(wait)s.", wait=in_words(wait)), retry_after=wait
        )
