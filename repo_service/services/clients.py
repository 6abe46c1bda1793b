"""Sites and apps from elsewhere: how they register themselves, and what administrators say to that.

Registration is open (RFC 7591), because a Moodle registers by itself and sends no credentials. So what is
said in one proves nothing, nothing that it names is ever fetched, and how many there can be is bounded."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
)
from repo_service.domain.identity import (
    SCOPES_OF_SITES,
    AuthMethod,
    ClientKind,
    ClientState,
    GrantType,
    Identity,
    Scope,
)
from repo_service.domain.redirects import InsecureRedirects, fault_of, host_of
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.domain.texts import text
from repo_service.inspection.text import clean_line
from repo_service.models import Client, Grant
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_scope
from repo_service.services.canonical import take_back
from repo_service.services.client_records import client_record
from repo_service.services.hashing import hash_secret, new_secret
from repo_service.services.quota import used_by_client
from repo_service.services.records import ClientRecord, Page
from repo_service.services.throttling import address_block
from repo_service.services.trail import audit, record_change

SECRET_PREFIX = "mrc_"  # noqa: S105 - begins secrets and is none
"""Begins every client secret, so that scanners for leaked secrets can tell what they found."""
MAX_REDIRECT_URIS = 10
NAME_LENGTH = 200
_ADDRESS_IS_KEPT = timedelta(days=7)
_DAY = timedelta(days=1)
_SYSTEM = Identity(username="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPolicy:
    """What the operators want of software from elsewhere.

    ``registrations`` is how many may come from one address in a day; none: nobody registers alone.
    ``unused_ttl`` is how long one is kept that nobody lets act for them.
    """

    needs_approval: bool
    registrations: int
    unused_ttl: timedelta
    insecure_redirects: InsecureRedirects


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetadata:
    """What a client says of itself when it registers (RFC 7591, section 2). Empty where it says nothing."""

    redirect_uris: Sequence[str]
    name: str = ""
    client_uri: str = ""
    software_id: str = ""
    software_version: str = ""
    auth_method: AuthMethod = AuthMethod.BASIC
    grant_types: frozenset[GrantType] = frozenset({GrantType.CODE})
    scopes: frozenset[Scope] = frozenset(SCOPES_OF_SITES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A new client with its secret, which is shown this once and kept nowhere; public clients have none."""

    client: ClientRecord
    secret: str | None


class Clients:
    """Use cases about software that people can let act for them."""

    def __init__(self, database: Database, policy: ClientPolicy) -> None:
        self._database = database
        self.policy = policy

    def register(self, wanted: ClientMetadata, *, address: str | None) -> RegisteredClient:
        """Take in software that asks for it by itself, from the IP address ``address``. It waits for an
        administrator where the operators want that.

        Raises Forbidden where nobody registers alone, TooManyRequests, InvalidInput.
        """
        if not self.policy.registrations:
            raise Forbidden("Sites do not register by themselves here: ask an administrator to add yours.")
        made, secret = self._client(wanted)
        made.registered_from = address_block(address)
        made.approval = (ClientState.PENDING if self.policy.needs_approval else ClientState.APPROVED).value
        with self._database.write() as session:
            lately = and_(Client.registered_from == made.registered_from, Client.created_at > now() - _DAY)
            count = session.scalar(select(func.count()).select_from(Client).where(lately)) or 0
            if count >= self.policy.registrations:
                raise TooManyRequests(
                    "Too many sites were registered from this address today: try again tomorrow.",
                    retry_after=int(_DAY.total_seconds()),
                )
            return RegisteredClient(client=_save(session, Identity(), made), secret=secret)

    def add(self, identity: Identity, wanted: ClientMetadata) -> RegisteredClient:
        """Take in software that an administrator vouches for. Raises InvalidInput."""
        require_scope(identity, Scope.ADMINISTER)
        made, secret = self._client(wanted)
        made.decided_by, made.decided_at = identity.account_id, now()
        with self._database.write() as session:
            return RegisteredClient(client=_save(session, identity, made), secret=secret)

    def find(self, client_id: str) -> ClientRecord | None:
        """The client of that id, whatever its state; None when there is none that takes part in OAuth."""
        try:
            wanted = UUID(client_id)
        except ValueError:
            return None
        if str(wanted) != client_id:  # other ways to write it
            return None
        with self._database.read() as session:
            client = session.get(Client, wanted)
            return None if client is None or client.auth_method is None else client_record(client)

    def knows_secret(self, client: ClientRecord, secret: str) -> bool:
        """Whether ``secret`` is the client's. Who asks slows guessing down."""
        with self._database.read() as session:
            kept = session.scalar(select(Client.secret_hash).where(Client.id == client.id))
        return kept is not None and hmac.compare_digest(kept, hash_secret(secret))

    def get(self, identity: Identity, client_id: UUID) -> ClientRecord:
        """One client, for administrators. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            return client_record(_found(session, client_id))

    def list(
        self,
        identity: Identity,
        *,
        limit: int,
        cursor: str | None = None,
        state: ClientState | None = None,
    ) -> Page[ClientRecord]:
        """The clients that take part in OAuth, newest first, for administrators. Raises InvalidCursor."""
        require_scope(identity, Scope.ADMINISTER)
        query = select(Client).where(Client.auth_method.is_not(None)).order_by(Client.id.desc())
        if cursor is not None:
            query = query.where(Client.id < paging.decode_uuid(cursor))
        if state is not None:
            query = query.where(_is_in(state))
        with self._database.read() as session:
            rows = session.scalars(query.limit(limit + 1)).all()
            return paging.page_of(rows, limit, key=lambda row: row.id, record=client_record)

    def count_pending(self, identity: Identity) -> int:
        """How many wait for the asker's decision: none, unless they are an administrator."""
        if not identity.has(Scope.ADMINISTER):
            return 0
        pending = and_(Client.auth_method.is_not(None), _is_in(ClientState.PENDING))
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Client).where(pending)) or 0

    def decide(self, identity: Identity, client_id: UUID, state: ClientState) -> ClientRecord:
        """Approve, decline or disable a client: at once, and whatever was said before. Unless it is approved,
        all that people let it do has an end, and is not taken up again later.

        Raises NotFound, Conflict for ``PENDING``.
        """
        require_scope(identity, Scope.ADMINISTER)
        if state is ClientState.PENDING:
            raise Conflict("What was decided is not undecided again: approve, decline or disable it.")
        with self._database.write() as session:
            client = _found(session, client_id)
            disabled = state is ClientState.DISABLED
            client.disabled_at = (client.disabled_at or now()) if disabled else None
            if not disabled:
                client.approval = state.value
            client.decided_by, client.decided_at = identity.account_id, now()
            if state is not ClientState.APPROVED:
                end_grants(session, Grant.client_id == client.id)
                take_back(session, client)
            audit(session, identity, state.value, Noun.CLIENT, client.id, hosts=_hosts(client))
            record_change(session, Noun.CLIENT, client.id, ChangeKind.UPDATED)
            return client_record(client)

    def limit(self, identity: Identity, client_id: UUID, quota: int | None) -> ClientRecord:
        """How many bytes may be kept of what a client sends, for all its people together; None: as many as
        each of them may keep. What is there already stays. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            client = _found(session, client_id)
            client.quota = quota
            audit(session, identity, "change quota", Noun.CLIENT, client.id, quota=quota)
            record_change(session, Noun.CLIENT, client.id, ChangeKind.UPDATED)
            return client_record(client)

    def used(self, identity: Identity, client_id: UUID) -> int:
        """How many bytes are kept of what a client sent, for administrators. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            return used_by_client(session, _found(session, client_id).id)

    def sweep(self) -> int:
        """Forget clients that nobody ever let act for them, and from where the others came; returns how many
        went.

        What an administrator has approved or disabled stays.
        """
        moment = now()
        unused = and_(
            Client.account_id.is_(None),
            Client.auth_method.is_not(None),
            Client.authorised_at.is_(None),
            Client.created_at < moment - self.policy.unused_ttl,
            (Client.decided_at.is_(None)) | (Client.approval == ClientState.DECLINED.value),
            ~exists().where(Grant.client_id == Client.id),
        )
        with self._database.write() as session:
            gone = session.scalars(delete(Client).where(unused).returning(Client.id)).all()
            for client_id in gone:
                audit(session, _SYSTEM, "delete", Noun.CLIENT, client_id)
                record_change(session, Noun.CLIENT, client_id, ChangeKind.DELETED)
            session.execute(
                update(Client)
                .where(Client.registered_from.is_not(None), Client.created_at < moment - _ADDRESS_IS_KEPT)
                .values(registered_from=None)
            )
        return len(gone)

    def _client(self, wanted: ClientMetadata) -> tuple[Client, str | None]:
        uris = list(dict.fromkeys(wanted.redirect_uris))
        if not 1 <= len(uris) <= MAX_REDIRECT_URIS:
            raise InvalidInput(
                errors=[
                    FieldError(
                        "/redirect_uris", text("Between one and %(most)s are needed.", most=MAX_REDIRECT_URIS)
                    )
                ]
            )
        public = wanted.auth_method is AuthMethod.NONE
        for at, uri in enumerate(uris):
            insecure = InsecureRedirects.NEVER if public else self.policy.insecure_redirects
            if (fault := fault_of(uri, insecure=insecure)) is not None:
                raise InvalidInput(errors=[FieldError(f"/redirect_uris/{at}", fault)])
        if GrantType.CODE not in wanted.grant_types:
            raise InvalidInput(errors=[FieldError("/grant_types", "This service knows authorization_code.")])
        if not wanted.scopes or not wanted.scopes <= set(SCOPES_OF_SITES):
            raise InvalidInput(errors=[FieldError("/scope", "None of these scopes is known here.")])
        secret = None if public else SECRET_PREFIX + new_secret()
        return (
            Client(
                name=_line(wanted.name) or host_of(uris[0]),
                kind=_kind(wanted.software_id).value,
                auth_method=wanted.auth_method.value,
                secret_hash=None if secret is None else hash_secret(secret),
                redirect_uris=uris,
                grant_types=sorted(grant.value for grant in wanted.grant_types),
                scopes=[scope.value for scope in SCOPES_OF_SITES if scope in wanted.scopes],
                client_uri=_line(wanted.client_uri, 2000) or None,
                software_id=_line(wanted.software_id) or None,
                software_version=_line(wanted.software_version) or None,
                approval=ClientState.APPROVED.value,
            ),
            secret,
        )


def end_grants(session: Session, which: ColumnElement[bool]) -> int:
    """Make worthless whatever was given for these grants; returns how many there were."""
    query = update(Grant).where(which, Grant.revoked_at.is_(None)).values(revoked_at=now())
    return len(session.scalars(query.returning(Grant.id)).all())


def _save(session: Session, identity: Identity, client: Client) -> ClientRecord:
    session.add(client)
    session.flush()
    details: dict[str, Any] = {"hosts": _hosts(client), "state": client.approval}
    audit(session, identity, "register", Noun.CLIENT, client.id, **details)
    record_change(session, Noun.CLIENT, client.id, ChangeKind.CREATED)
    return client_record(client)


def _found(session: Session, client_id: UUID) -> Client:
    client = session.get(Client, client_id)
    if client is None or client.auth_method is None:
        raise NotFound("There is no such site.")
    return client


def _is_in(state: ClientState) -> ColumnElement[bool]:
    if state is ClientState.DISABLED:
        return Client.disabled_at.is_not(None)
    return and_(Client.disabled_at.is_(None), Client.approval == state.value)


def _hosts(client: Client) -> list[str]:
    return list(dict.fromkeys(map(host_of, client.redirect_uris)))


def _kind(software_id: str) -> ClientKind:
    """What it says that it is."""
    named = {kind.value: kind for kind in (ClientKind.MOODLE, ClientKind.MOODLENET)}
    return named.get(software_id.lower(), ClientKind.OTHER)


def _line(given: str, limit: int = NAME_LENGTH) -> str:
    return " ".join(clean_line(given, limit=limit).split())
