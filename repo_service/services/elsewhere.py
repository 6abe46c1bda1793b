"""People who sign in elsewhere, with an OpenID Connect provider: whose account that is.

An account is found by issuer and subject, and by nothing else. That the provider vouches for an e-mail
address which is an account's here makes nobody its owner: they sign in as before, and connect the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Conflict, NotFound, Unauthorised
from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, Role, Scope
from repo_service.domain.resources import Noun
from repo_service.models import Account, ExternalIdentity
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import (
    BLOCKED,
    account_of,
    open_session,
    refuse_sites,
    require_account,
    require_whole_power,
)
from repo_service.services.trail import audit

MAX_CONNECTIONS: Final = 10
"""Identities of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Somebody at a provider, who has just shown who they are there. ``username`` and ``name`` are what they
    are called there, anything or nothing."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str = ""
    username: str = ""

    @property
    def proven_email(self) -> str | None:
        """The address that the provider vouches for."""
        return self.email if self.email_verified else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A way into an account. ``email`` is what the provider said at first."""

    id: UUID
    issuer: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


class Elsewhere:
    """Use cases about identities at providers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign_in(self, external: External, *, browser: str) -> str | None:
        """The secret of a new session of the account that this is connected to; None when it is to none.

        Raises Unauthorised for one that is blocked.
        """
        with self._database.write() as session:
            known = session.scalar(_that(external).with_for_update())
            if known is None:
                return None
            account = session.get(Account, known.account_id, with_for_update=True)
            if account is None or account.blocked_at is not None:
                raise Unauthorised(BLOCKED, reason="revoked")
            known.last_used_at = now()
            role = Role(account.role)
            who = Identity(
                account_id=account.id, username=account.username, role=role, scopes=SCOPES_OF_ROLE[role]
            )
            return open_session(session, who, account, browser=browser)

    def has_account(self, external: External) -> bool:
        """Whether an account has the address that the provider vouches for."""
        if external.proven_email is None:
            return False
        with self._database.read() as session:
            known = select(Account.id).where(Account.email == external.proven_email)
            return session.scalar(known) is not None

    def connections(self, identity: Identity) -> tuple[Connection, ...]:
        """The asker's own."""
        own = require_account(identity, Scope.READ)
        refuse_sites(identity)
        query = select(ExternalIdentity).where(ExternalIdentity.account_id == own)
        with self._database.read() as session:
            return tuple(
                Connection(
                    id=row.id,
                    issuer=row.issuer,
                    email=row.email,
                    created_at=row.created_at,
                    last_used_at=row.last_used_at,
                )
                for row in session.scalars(query.order_by(ExternalIdentity.id))
            )

    def connect(self, identity: Identity, external: External) -> None:
        """From now on this signs in to the asker's account; that they own it was asked before.

        Raises Conflict when it signs in to another one, Forbidden, Unauthorised.
        """
        own = require_whole_power(identity)
        with self._database.write() as session:
            session.get(Account, own, with_for_update=True)
            known = session.scalar(_that(external))
            if known is not None:
                if known.account_id != own:
                    raise Conflict(
                        "That identity signs in to another account here: disconnect it there first."
                    )
                return
            count = select(func.count()).where(ExternalIdentity.account_id == own)
            if (session.scalar(count) or 0) >= MAX_CONNECTIONS:
                raise Conflict("There are as many identities as an account may have: disconnect one first.")
            add_identity(session, identity, account_of(session, own), external)

    def disconnect(self, identity: Identity, connection_id: UUID) -> None:
        """It signs in to nothing any more.

        Raises NotFound, Conflict when there would be no other way into the account.
        """
        own = require_whole_power(identity)
        with self._database.write() as session:
            account = session.get(Account, own, with_for_update=True)
            found = session.get(ExternalIdentity, connection_id)
            if account is None or found is None or found.account_id != own:
                raise NotFound("There is no such identity.")
            others = select(func.count()).where(
                ExternalIdentity.account_id == own, ExternalIdentity.id != found.id
            )
            if account.password_hash is None and not session.scalar(others):
                raise Conflict("This is your only way in: choose a password first.")
            session.delete(found)
            audit(session, identity, "disconnect", Noun.ACCOUNT, own, issuer=found.issuer)


def add_identity(session: Session, identity: Identity, account: Account, external: External) -> None:
    """Let ``external`` sign in to an account, within ``session``."""
    session.add(
        ExternalIdentity(
            account_id=account.id,
            issuer=external.issuer,
            subject=external.subject,
            email=external.email,
        )
    )
    audit(session, identity, "connect", Noun.ACCOUNT, account.id, issuer=external.issuer)


def _that(external: External) -> Select[ExternalIdentity]:
    return select(ExternalIdentity).where(
        ExternalIdentity.issuer == external.issuer, ExternalIdentity.subject == external.subject
    )
