"""Keys of other servers' actors, kept in the database; and which requests were here."""

from __future__ import annotations

from threading import Lock
from typing import Final

from cachetools import TTLCache
from sqlalchemy import delete

from repo_service.federation.signatures import ActorKey, PublicKey
from repo_service.models import RemoteKey, SeenRequest
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent

_MOST: Final = 10_000
_SECONDS: Final = 60


class RemoteKeys:
    """A ``KeyStore`` (federation.signatures) that all processes share. What one found there it knows for a
    minute."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lately: TTLCache[str, ActorKey] = TTLCache(_MOST, _SECONDS)
        self._lock = Lock()

    def get(self, key_id: str) -> ActorKey | None:
        """What was put last, or by another process until a minute ago."""
        with self._lock:
            found = self._lately.get(key_id)
        if found is None and (found := self._kept(key_id)) is not None:
            self._note(found)
        return found

    def put(self, key: ActorKey) -> None:
        """Keep it in place of what was there."""
        values = {"actor": key.actor, "public_key": key.public.pem, "fetched_at": key.fetched_at}
        with self._database.write() as session:
            if not insert_if_absent(session, RemoteKey, uri=key.key_id, **values):
                row = session.get_one(RemoteKey, key.key_id, with_for_update=True)
                row.actor, row.public_key, row.fetched_at = key.actor, key.public.pem, key.fetched_at
        self._note(key)

    def discard(self, key_id: str) -> None:
        """Forget it."""
        with self._database.write() as session:
            session.execute(delete(RemoteKey).where(RemoteKey.uri == key_id))
        with self._lock:
            self._lately.pop(key_id, None)

    def _kept(self, key_id: str) -> ActorKey | None:
        with self._database.read() as session:
            row = session.get(RemoteKey, key_id)
        if row is None:
            return None
        public = PublicKey.from_pem(row.public_key)
        return ActorKey(key_id=row.uri, actor=row.actor, public=public, fetched_at=row.fetched_at)

    def _note(self, key: ActorKey) -> None:
        with self._lock:
            self._lately[key.key_id] = key


def tidy(database: Database) -> None:
    """Forget requests that could not be sent again."""
    with database.write() as session:
        session.execute(delete(SeenRequest).where(SeenRequest.until <= now()))
