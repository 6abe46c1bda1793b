"""Requests that may come again: by the key that a client gave one, its answer is kept for a day.

What was refused changed nothing, so its key is free again. A request that ended in a way that nobody foresaw,
or together with the service, may have been done or not: its key stays taken, because doing it twice is worse
than having its client look.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from repo_service.domain.errors import IdempotencyKeyInUse
from repo_service.domain.identity import Identity, Scope
from repo_service.models import IdempotencyKey
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.accounts import require_account

KEPT_FOR: Final = timedelta(days=1)
LONGEST_KEY: Final = 255
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What was answered to the request with this ``fingerprint``."""

    fingerprint: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class IdempotencyKeys:
    """Use cases about the keys of requests. Each account has its own, and so has each site or app that acts
    for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, identity: Identity, key: str, scope: Scope) -> KeptAnswer | None:
        """The answer that is kept for ``key``; None when this is the first request with it, which has to
        ``keep`` an answer or ``release`` the key at its end.

        Raises as ``require_account`` for who may not ask at all, IdempotencyKeyInUse while a request with
        this key is under way.
        """
        account_id = require_account(identity, scope)
        moment = now()
        asker_key = _asker_key(identity, key)
        with self._database.write() as session:
            expired = delete(IdempotencyKey).where(
                IdempotencyKey.asker_key == asker_key, IdempotencyKey.expires_at <= moment
            )
            session.execute(expired)
            if insert_if_absent(
                session,
                IdempotencyKey,
                asker_key=asker_key,
                account_id=account_id,
                expires_at=moment + KEPT_FOR,
                created_at=moment,
            ):
                return None
            row = session.get(IdempotencyKey, asker_key)
            if row is None or row.fingerprint is None:
                raise IdempotencyKeyInUse(since=moment if row is None else row.created_at)
            assert row.status is not None
            assert row.body is not None
            headers = tuple((str(name), str(value)) for name, value in row.headers or ())
            return KeptAnswer(fingerprint=row.fingerprint, status=row.status, headers=headers, body=row.body)

    def keep(self, identity: Identity, key: str, answer: KeptAnswer) -> None:
        """Answer like this whenever the request comes again."""
        with self._database.write() as session:
            row = session.get(IdempotencyKey, _asker_key(identity, key), with_for_update=True)
            if row is not None:  # else it took longer than keys are kept, or its account has left
                row.fingerprint, row.status = answer.fingerprint, answer.status
                row.headers, row.body = [list(header) for header in answer.headers], answer.body

    def release(self, identity: Identity, key: str) -> None:
        """Nothing was done by the request: the next one with this key is as good as the first."""
        with self._database.write() as session:
            own = IdempotencyKey.asker_key == _asker_key(identity, key)
            session.execute(delete(IdempotencyKey).where(own, IdempotencyKey.fingerprint.is_(None)))

    def tidy(self) -> None:
        """Forget what is not kept any more."""
        with self._database.write() as session:
            session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at <= now()))


def _asker_key(identity: Identity, key: str) -> str:
    return hashlib.sha256(f"{identity.account_id} {identity.client_id} {key}".encode()).hexdigest()
