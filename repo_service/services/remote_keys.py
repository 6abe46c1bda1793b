"""Keys of other servers' actors, kept in the database; and which requests were here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.signatures import ActorKey, PublicKey
from repo_service.models import RemoteKey, SeenRequest
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent


class RemoteKeys:
    """A ``KeyStore`` (federation.signatures) that all processes share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key_id: str) -> ActorKey | None:
        """What was put last."""
        with self._database.read() as session:
            row = session.get(RemoteKey, key_id)
        if row is None:
            return None
        public = PublicKey.from_pem(row.public_key)
        return ActorKey(key_id=row.uri, actor=row.actor, public=public, fetched_at=row.fetched_at)

    def put(self, key: ActorKey) -> None:
        """Keep it in place of what was there."""
        values = {"actor": key.actor, "public_key": key.public.pem, "fetched_at": key.fetched_at}
        with self._database.write() as session:
            if not insert_if_absent(session, RemoteKey, uri=key.key_id, **values):
                row = session.get_one(RemoteKey, key.key_id, with_for_update=True)
                row.actor, row.public_key, row.fetched_at = key.actor, key.public.pem, key.fetched_at

    def discard(self, key_id: str) -> None:
        """Forget it."""
        with self._database.write() as session:
            session.execute(delete(RemoteKey).where(RemoteKey.uri == key_id))


class SeenOnce:
    """A ``Seen`` (federation.signatures) for one request: looks now, and remembers in the transaction that
    takes the request in, so that one that could not be taken in may be sent again as it is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token: tuple[str, datetime] | None = None

    def first(self, token: str, *, until: datetime) -> bool:
        """Whether it was not here; ``remember`` has the last word."""
        with self._database.read() as session:
            known = session.scalar(select(SeenRequest.token).where(SeenRequest.token == token))
        self._token = token, until
        return known is None

    def remember(self, session: Session) -> None:
        """Raises InvalidSignature when another process was faster."""
        assert self._token is not None, "nothing was verified"
        token, until = self._token
        if not insert_if_absent(session, SeenRequest, token=token, until=until):
            raise InvalidSignature("This request was here before.", reason=SignatureFault.REPLAYED)


def tidy(database: Database) -> None:
    """Forget requests that could not be sent again."""
    with database.write() as session:
        session.execute(delete(SeenRequest).where(SeenRequest.until <= now()))
