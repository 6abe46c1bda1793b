"""The keys of actors: made when somebody first needs one, kept sealed in the database."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import delete, select

from repo_service.federation.actors import PublicKeys
from repo_service.federation.addresses import ActorRef
from repo_service.federation.keys import Algorithm, Sealer, WrongSeal, make_key, multikey
from repo_service.models import ActorKey
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent

_ALL: Final = tuple(Algorithm)

log = structlog.get_logger(__name__)


class ActorKeys:
    """Use cases about keys. Nobody is asked who they are: callers have looked whether there is such an actor,
    and no private key leaves the service."""

    def __init__(self, database: Database, *, secret_key: str) -> None:
        self._database = database
        self._sealer = Sealer(secret_key)

    def public(self, ref: ActorRef) -> PublicKeys:
        """What is in the document of an actor; made now where there is none."""
        keys = {algorithm: self._key(ref, algorithm).public_key for algorithm in _ALL}
        return PublicKeys(rsa=keys[Algorithm.RSA], ed25519=multikey(keys[Algorithm.ED25519]))

    def private(self, ref: ActorRef, algorithm: Algorithm) -> bytes:
        """What an actor signs with, a PKCS #8 in PEM.

        A key that was sealed with another secret than the service has now is lost, and another takes its
        place: other servers fetch the document again when a signature does not fit.
        """
        key = self._key(ref, algorithm)
        try:
            return self._open(key)
        except WrongSeal:
            log.warning("the key of an actor cannot be opened and is replaced", actor=ref.path)
            with self._database.write() as session:
                session.execute(delete(ActorKey).where(ActorKey.id == key.id))
            return self._open(self._key(ref, algorithm))

    def _open(self, key: ActorKey) -> bytes:
        return self._sealer.open(key.private_key, owner=_owner(key.actor, key.algorithm))

    def _key(self, ref: ActorRef, algorithm: Algorithm) -> ActorKey:
        found = self._find(ref, algorithm)
        if found is None:
            self._add(ref, algorithm)
            found = self._find(ref, algorithm)
            assert found is not None
        return found

    def _find(self, ref: ActorRef, algorithm: Algorithm) -> ActorKey | None:
        wanted = select(ActorKey).where(ActorKey.actor == ref.path, ActorKey.algorithm == algorithm.value)
        with self._database.read() as session:
            return session.scalar(wanted)

    def _add(self, ref: ActorRef, algorithm: Algorithm) -> None:
        """Of several who do this at once, one is first and the others use that one's."""
        made = make_key(algorithm)
        sealed = self._sealer.seal(made.private, owner=_owner(ref.path, algorithm.value))
        with self._database.write() as session:
            insert_if_absent(
                session,
                ActorKey,
                id=new_id(),
                actor=ref.path,
                algorithm=algorithm.value,
                public_key=made.public,
                private_key=sealed,
                created_at=now(),
            )


def _owner(actor: str, algorithm: str) -> str:
    return f"{actor} {algorithm}"
