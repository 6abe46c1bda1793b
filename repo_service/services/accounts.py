"""Accounts, clients and tokens: who may come in, and what they show at the door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InsufficientScope,
    InvalidInput,
    NameTaken,
    NotFound,
    Unauthorised,
)
from repo_service.domain.identity import (
    SCOPES_OF_ROLE,
    AccountState,
    ClientKind,
    ClientState,
    Identity,
    Role,
    Scope,
)
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.domain.texts import text
from repo_service.languages import LANGUAGES
from repo_service.models import Account, Client, Grant, Token
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import links, paging
from repo_service.services.client_records import client_record
from repo_service.services.descriptions import plain_line
from repo_service.services.emails import normalise_email
from repo_service.services.hashing import hash_secret, new_secret
from repo_service.services.letters import Letters
from repo_service.services.quota import quota_of, used_bytes
from repo_service.services.records import AccountRecord, ClientRecord, Page, TokenRecord
from repo_service.services.trail import audit, record_change

PREFIX = "mrr_"
"""Begins every API token, so that scanners for leaked secrets can tell what they found."""
USERNAME = "[a-z0-9][a-z0-9._-]{0,63}"
ADMINISTRATOR = "admin"
"""User name of the first account."""
BLOCKED = text("This account is blocked: ask an administrator.")
SHOWN = or_(Account.blocked_at.is_(None), Account.erased_at.is_not(None))
"""Whether others find what an account shared by its owner: not that of those who are blocked, but what those
left who have gone."""
MAX_TOKENS = 200
MAX_CLIENTS = 200
MAX_SESSIONS = 50
SESSION_LASTS = timedelta(hours=12)
REASON_LENGTH = 1000
_USE_IS_NOTED_EVERY = timedelta(hours=1)
_SEARCHED = (Account.username, Account.display_name, Account.email, Account.unconfirmed_email)
_IN_STATE = {
    AccountState.ACTIVE: and_(Account.blocked_at.is_(None), Account.must_confirm.is_(False)),
    AccountState.UNCONFIRMED: and_(Account.blocked_at.is_(None), Account.must_confirm),
    AccountState.BLOCKED: and_(Account.blocked_at.is_not(None), Account.erased_at.is_(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token with its secret, which is shown this once and kept nowhere."""

    token: TokenRecord
    secret: str


def require_scope(identity: Identity, scope: Scope) -> None:
    """Refuse one who may not do ``scope``.

    Raises Unauthorised for the public, Forbidden when the account's role lacks the scope, InsufficientScope
    when only the token does.
    """
    if identity.role is None:
        raise Unauthorised("Sign in, or send an API token, to do this.")
    if scope not in SCOPES_OF_ROLE[identity.role]:
        raise Forbidden("Your account may not do this.")
    if scope not in identity.scopes:
        raise InsufficientScope(
            "This token may not do this: make one with the scope it lacks.", scope=scope.value
        )


def require_account(identity: Identity, scope: Scope) -> UUID:
    """The account of one who may do ``scope`` for themselves. Raises as ``require_scope``."""
    require_scope(identity, scope)
    if identity.account_id is None:
        raise Unauthorised("This needs an account.")
    return identity.account_id


def require_username(username: str) -> None:
    """Refuse what is no user name (``USERNAME``). Raises InvalidInput."""
    if not re.fullmatch(USERNAME, username):
        raise InvalidInput(
            errors=[
                FieldError("/username", "Small letters, digits, dots, hyphens and underscores; at most 64.")
            ]
        )


def require_language(tag: str) -> None:
    """Refuse a language that nothing can be said in. Raises InvalidInput."""
    if tag not in LANGUAGES:
        raise InvalidInput(
            errors=[
                FieldError(
                    "/language", text("Choose one of these languages: %(tags)s.", tags=", ".join(LANGUAGES))
                )
            ]
        )


def account_of(session: Session, account_id: UUID | None) -> Account:
    """The account, unless it was erased. Raises NotFound."""
    account = None if account_id is None else session.get(Account, account_id)
    if account is None or account.erased_at is not None:
        raise NotFound("There is no such account.")
    return account


def require_whole_power(identity: Identity) -> UUID:
    """The account of one who asks with all that they may do: no site, and no program that was given less.

    Raises Unauthorised, Forbidden, InsufficientScope.
    """
    own = require_account(identity, Scope.WRITE)
    require_undivided(identity)
    return own


def require_undivided(identity: Identity) -> None:
    """Refuse sites and programs that may do less than the account, or the operator, that they act for.

    Raises Unauthorised, Forbidden, InsufficientScope.
    """
    require_scope(identity, Scope.WRITE)
    assert identity.role is not None
    if identity.client_id is not None or not identity.scopes >= SCOPES_OF_ROLE[identity.role]:
        raise Forbidden("Only its owner may do this: sign in with your password.")


@contextmanager
def refuses_duplicates(account: Account) -> Iterator[None]:
    """Tell what of ``account``, which is written in this block, belongs to another. Raises NameTaken."""
    username, email = account.username, account.email
    try:
        yield
    except IntegrityError as error:
        if any(name in str(error.orig) for name in ("accounts.email", "ix_accounts_email")):
            raise NameTaken(
                "Another account has this e-mail address: each can have one only.", name=email or ""
            ) from error
        raise NameTaken("There is an account of that name already: choose another.", name=username) from error


def end_sessions(session: Session, account_id: UUID, *, but: UUID | None = None) -> None:
    """Sign an account out of every browser, ``but`` that of one token."""
    query = update(Token).where(
        Token.account_id == account_id, Token.is_session.is_(True), Token.revoked_at.is_(None)
    )
    if but is not None:
        query = query.where(Token.id != but)
    session.execute(query.values(revoked_at=now()))


def refuse_sites(identity: Identity) -> None:
    """Refuse a site or an app that somebody lets act for them (OAuth): whatever its scopes, it looks after no
    credentials, clients, accounts or consents, or it could give itself more, for longer. Raises Forbidden."""
    if identity.grant_id is not None:
        raise Forbidden("A connected site may not do this for you: sign in here and do it yourself.")


def open_session(session: Session, who: Identity, account: Account, *, browser: str) -> str:
    """The secret of a new session: a token of its own, of ``who``, that ends by itself, called ``browser``.
    ``account``, whose row is locked, has a number of them; the oldest go.
    """
    living = select(Token).where(
        Token.account_id == account.id,
        Token.is_session.is_(True),
        Token.revoked_at.is_(None),
        Token.expires_at > now(),
    )
    for oldest in session.scalars(living.order_by(Token.id.desc()).offset(MAX_SESSIONS - 1)):
        oldest.revoked_at = now()
    ends = now() + SESSION_LASTS
    return _issue(
        session,
        who,
        account,
        name=browser,
        scopes=who.scopes & SCOPES_OF_ROLE[Role(account.role)],
        expires_at=min(who.expires_at or ends, ends),
        client_id=who.client_id,
        is_session=True,
    ).secret


class Accounts:
    """Use cases about people, programs and their tokens. ``default_quota`` in bytes."""

    def __init__(self, database: Database, letters: Letters, *, default_quota: int) -> None:
        self._database = database
        self._letters = letters
        self._default_quota = default_quota

    def authenticate(self, secret: str) -> Identity:
        """Who shows this secret. Raises Unauthorised."""
        hashed = hash_secret(secret)
        with self._database.read() as session:
            row = session.execute(
                select(
                    Token.id,
                    Token.scopes,
                    Token.client_id,
                    Token.expires_at,
                    Token.revoked_at,
                    Token.last_used_at,
                    Account.id.label("account_id"),
                    Account.username,
                    Account.role,
                    Account.blocked_at,
                    Client.disabled_at,
                    Client.approval,
                    Grant.id.label("grant_id"),
                    Grant.revoked_at.label("grant_revoked_at"),
                )
                .join(Account, Account.id == Token.account_id)
                .outerjoin(Client, Client.id == Token.client_id)
                .outerjoin(Grant, Grant.id == Token.grant_id)
                .where(Token.secret_hash == hashed)
            ).one_or_none()
        moment = now()
        if (
            row is None
            or row.revoked_at
            or row.grant_revoked_at
            or (row.expires_at and row.expires_at <= moment)
        ):
            raise Unauthorised("This token is unknown, expired or revoked: make a new one.", reason="invalid")
        if row.blocked_at or row.disabled_at or row.approval not in (None, ClientState.APPROVED.value):
            raise Unauthorised("This account or client is blocked: ask an administrator.", reason="revoked")
        if row.last_used_at is None or row.last_used_at < moment - _USE_IS_NOTED_EVERY:
            with self._database.write() as session:
                token = session.get(Token, row.id)
                if token is not None:
                    token.last_used_at = moment
                if row.grant_id is not None:
                    session.execute(update(Grant).where(Grant.id == row.grant_id).values(last_used_at=moment))
        return Identity(
            account_id=row.account_id,
            username=row.username,
            role=Role(row.role),
            scopes=frozenset(Scope(scope) for scope in row.scopes),
            token_id=row.id,
            client_id=row.client_id,
            expires_at=row.expires_at,
            grant_id=row.grant_id,
        )

    def ensure_administrator(self, username: str = ADMINISTRATOR) -> IssuedToken | None:
        """Make the first administrator with a token; None when there is an account already."""
        with self._database.write() as session:
            if session.scalar(select(Account.id).limit(1)) is not None:
                return None
            account = Account(username=username, display_name="Administrator", role=Role.ADMINISTRATOR.value)
            session.add(account)
            session.flush()
            audit(session, Identity(), "create", Noun.ACCOUNT, account.id, role=account.role)
            record_change(session, Noun.ACCOUNT, account.id, ChangeKind.CREATED)
            return _issue(session, Identity(), account, name="first start", scopes=frozenset(Scope))

    def create(
        self,
        identity: Identity,
        *,
        username: str,
        display_name: str = "",
        email: str | None = None,
        language: str | None = None,
        role: Role = Role.MEMBER,
        quota: int | None = None,
    ) -> AccountRecord:
        """A new account, for whose e-mail address the asker vouches.

        Raises NameTaken, for a name or an address, InvalidInput for one that is none, or for a language that
        nobody can be written to in.
        """
        require_scope(identity, Scope.ADMINISTER)
        require_username(username)
        if language is not None:
            require_language(language)
        account = Account(
            username=username,
            display_name=plain_line(display_name) or username,
            email=None if email is None else normalise_email(email),
            language=language,
            role=role.value,
            quota=quota,
        )
        with refuses_duplicates(account), self._database.write() as session:
            session.add(account)
            session.flush()
            audit(session, identity, "create", Noun.ACCOUNT, account.id, role=role.value)
            record_change(session, Noun.ACCOUNT, account.id, ChangeKind.CREATED)
            return self._record(session, account)

    def change(
        self,
        identity: Identity,
        account_id: UUID,
        *,
        display_name: str | None = None,
        email: str | None = None,
        language: str | None = None,
        role: Role | None = None,
        quota: int | None = None,
        default_quota: bool = False,
        blocked: bool | None = None,
        reason: str | None = None,
    ) -> AccountRecord:
        """Change what is given; ``default_quota`` goes back to that of the service. Nobody blocks or demotes
        themselves. Links that were sent to an address before are void once there is another, and those that
        an administrator made who is none any more. Who is blocked, or let in again, is told by letter, with
        the ``reason``.

        Raises NotFound, Forbidden, NameTaken, InvalidInput.
        """
        require_scope(identity, Scope.ADMINISTER)
        if identity.account_id == account_id and (
            blocked or (role is not None and role is not identity.role)
        ):
            raise Forbidden("You cannot block yourself or change your own role: ask another administrator.")
        address = None if email is None else normalise_email(email)
        if language is not None:
            require_language(language)
        with self._database.write() as session:
            account = account_of(session, account_id)
            if display_name is not None:
                account.display_name = plain_line(display_name) or account.username
            if address is not None and address != account.email:
                account.email, account.email_confirmed_at, account.unconfirmed_email = address, None, None
                account.must_confirm = False
                with refuses_duplicates(account):
                    session.flush()
                links.void(session, account.id)
            if language is not None:
                account.language = language
            if role is not None:
                account.role = role.value
            if quota is not None or default_quota:
                account.quota = None if default_quota else quota
            if blocked is not None:
                self._block(session, account, blocked=blocked, reason=reason)
            if account.blocked_at is not None or account.role != Role.ADMINISTRATOR.value:
                links.end_made_by(session, account.id)
            told = {"role": account.role, "blocked": blocked, "quota": account.quota}
            if blocked:
                told["reason"] = account.blocked_reason
            audit(session, identity, "change", Noun.ACCOUNT, account.id, **told)
            record_change(session, Noun.ACCOUNT, account.id, ChangeKind.UPDATED)
            return self._record(session, account)

    def _block(self, session: Session, account: Account, *, blocked: bool, reason: str | None) -> None:
        was_blocked = account.blocked_at is not None
        if blocked:
            account.blocked_at = account.blocked_at or now()
            account.blocked_reason = plain_line(reason or "")[:REASON_LENGTH] or account.blocked_reason
        else:
            account.blocked_at = account.blocked_reason = None
        if blocked is not was_blocked:
            self._letters.tell_blocked(session, account)

    def get(self, identity: Identity, account_id: UUID) -> AccountRecord:
        """One account: one's own, or any for an administrator. Raises NotFound."""
        if identity.account_id != account_id:
            require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            account = account_of(session, account_id)
            return self._record(session, account)

    def get_any(self, identity: Identity, account_id: UUID) -> AccountRecord:
        """One account, for administrators only, their own included. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        return self.get(identity, account_id)

    def own(self, identity: Identity) -> AccountRecord:
        """The account of the one who asks."""
        return self.get(identity, require_account(identity, Scope.READ))

    def find(self, identity: Identity, username: str) -> AccountRecord:
        """The account of that name. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            account = session.scalar(select(Account).where(Account.username == username))
            if account is None or account.erased_at is not None:
                raise NotFound("There is no such account.")
            return self._record(session, account)

    def list(
        self,
        identity: Identity,
        *,
        limit: int,
        cursor: str | None = None,
        words: str = "",
        role: Role | None = None,
        state: AccountState | None = None,
    ) -> Page[AccountRecord]:
        """Every account, oldest first, or those of a role, in a state, or with all ``words`` somewhere in
        their names and addresses. Raises InvalidCursor."""
        require_scope(identity, Scope.ADMINISTER)
        query = select(Account).where(Account.erased_at.is_(None)).order_by(Account.id).limit(limit + 1)
        if cursor is not None:
            query = query.where(Account.id > paging.decode_uuid(cursor))
        for word in words.lower().split():
            query = query.where(or_(*(func.lower(c).contains(word, autoescape=True) for c in _SEARCHED)))
        if role is not None:
            query = query.where(Account.role == role.value)
        if state is not None:
            query = query.where(_IN_STATE[state])
        with self._database.read() as session:
            rows = session.scalars(query).all()
            return paging.page_of(
                rows, limit, key=lambda row: row.id, record=lambda row: self._record(session, row)
            )

    def count(self, identity: Identity, state: AccountState) -> int:
        """How many accounts are in a state."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Account).where(_IN_STATE[state])) or 0

    def register_client(
        self, identity: Identity, *, name: str, kind: ClientKind, account_id: UUID | None = None
    ) -> ClientRecord:
        """Register software. It acts for the asker's account, or for any that an administrator names."""
        require_scope(identity, Scope.WRITE)
        refuse_sites(identity)
        if account_id not in (None, identity.account_id):
            require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            owner = account_of(session, account_id or identity.account_id)
            count = session.scalar(
                select(func.count()).select_from(Client).where(Client.account_id == owner.id)
            )
            if (count or 0) >= MAX_CLIENTS:
                raise Conflict("There are as many clients as an account may have.")
            client = Client(name=name, kind=kind.value, account_id=owner.id)
            session.add(client)
            session.flush()
            audit(session, identity, "register", Noun.CLIENT, client.id, kind=kind.value)
            record_change(session, Noun.CLIENT, client.id, ChangeKind.CREATED)
            return client_record(client)

    def clients(self, identity: Identity) -> tuple[ClientRecord, ...]:
        """The asker's registered software."""
        own = require_account(identity, Scope.READ)
        refuse_sites(identity)
        with self._database.read() as session:
            rows = session.scalars(select(Client).where(Client.account_id == own).order_by(Client.id))
            return tuple(client_record(row) for row in rows)

    def disable_client(self, identity: Identity, client_id: UUID) -> None:
        """Shut a client out that somebody answers for: all its tokens stop working at once. Others are shut
        out by ``Clients.decide``.

        Raises NotFound.
        """
        require_scope(identity, Scope.WRITE)
        refuse_sites(identity)
        with self._database.write() as session:
            client = session.get(Client, client_id)
            if client is None or client.account_id is None:
                raise NotFound("There is no such client.")
            if client.account_id != identity.account_id and not identity.has(Scope.ADMINISTER):
                raise NotFound("There is no such client.")
            client.disabled_at = client.disabled_at or now()
            audit(session, identity, "disable", Noun.CLIENT, client.id)
            record_change(session, Noun.CLIENT, client.id, ChangeKind.UPDATED)

    def issue_token(
        self,
        identity: Identity,
        *,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None = None,
        account_id: UUID | None = None,
        client_id: UUID | None = None,
    ) -> IssuedToken:
        """A new token for the asker, or for another account when an administrator asks.

        A token never carries a scope that the one who made it, or the account it is for, does not have; a
        client's token makes tokens of that client only; and none outlives the token it was made with.
        Raises NotFound, Forbidden, InsufficientScope.
        """
        require_scope(identity, Scope.READ)
        refuse_sites(identity)
        if account_id not in (None, identity.account_id):
            require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            account = account_of(session, account_id or identity.account_id)
            if identity.client_id is not None and client_id not in (None, identity.client_id):
                raise Forbidden("A client makes tokens for itself only.")
            client_id = client_id or identity.client_id
            if client_id is not None:
                client = session.get(Client, client_id)
                if client is None or client.account_id != account.id or client.disabled_at is not None:
                    raise NotFound("There is no such client, or it is disabled.")
            if identity.expires_at is not None:
                expires_at = min(expires_at or identity.expires_at, identity.expires_at)
            living = session.scalar(
                select(func.count())
                .select_from(Token)
                .where(
                    Token.account_id == account.id,
                    Token.is_session.is_(False),
                    Token.grant_id.is_(None),
                    Token.revoked_at.is_(None),
                    or_(Token.expires_at.is_(None), Token.expires_at > now()),
                )
            )
            if (living or 0) >= MAX_TOKENS:
                raise Conflict("There are as many tokens as an account may have: revoke one first.")
            if not scopes <= SCOPES_OF_ROLE[Role(account.role)]:
                raise Forbidden("The account's role does not have all of these scopes.")
            for scope in scopes:
                require_scope(identity, scope)
            return _issue(
                session,
                identity,
                account,
                name=name,
                scopes=scopes,
                expires_at=expires_at,
                client_id=client_id,
            )

    def begin_session(self, who: Identity, *, browser: str) -> str:
        """The secret of a new session of ``who``: see ``open_session``.

        Raises Unauthorised for an account that is blocked, Forbidden for a connected site.
        """
        if who.account_id is None:
            raise Unauthorised
        refuse_sites(who)
        with self._database.write() as session:
            account = session.get(Account, who.account_id, with_for_update=True)
            if account is None or account.blocked_at is not None:
                raise Unauthorised(BLOCKED, reason="revoked")
            return open_session(session, who, account, browser=browser)

    def tokens(self, identity: Identity) -> tuple[TokenRecord, ...]:
        """The asker's tokens, revoked ones included; those of connected sites are not among them."""
        own = require_account(identity, Scope.READ)
        refuse_sites(identity)
        query = select(Token).where(Token.account_id == own, Token.grant_id.is_(None)).order_by(Token.id)
        with self._database.read() as session:
            return tuple(_token_record(row) for row in session.scalars(query))

    def revoke_token(self, identity: Identity, token_id: UUID) -> None:
        """Make a token worthless at once: any token revokes itself, one that may write also others.

        Raises NotFound.
        """
        require_scope(identity, Scope.READ if token_id == identity.token_id else Scope.WRITE)
        if token_id != identity.token_id:
            refuse_sites(identity)
        with self._database.write() as session:
            token = session.get(Token, token_id)
            if token is None or (
                token.account_id != identity.account_id and not identity.has(Scope.ADMINISTER)
            ):
                raise NotFound("There is no such token.")
            token.revoked_at = token.revoked_at or now()
            audit(session, identity, "revoke", Noun.CREDENTIAL, token.id)

    def _record(self, session: Session, account: Account) -> AccountRecord:
        return AccountRecord(
            id=account.id,
            username=account.username,
            display_name=account.display_name,
            email=account.email,
            email_confirmed_at=account.email_confirmed_at,
            unconfirmed_email=account.unconfirmed_email,
            must_confirm=account.must_confirm,
            has_password=account.password_hash is not None,
            language=account.language,
            role=Role(account.role),
            quota=quota_of(account, default_quota=self._default_quota),
            has_own_quota=account.quota is not None,
            used=used_bytes(session, account.id),
            blocked_at=account.blocked_at,
            blocked_reason=account.blocked_reason,
            created_at=account.created_at,
        )


def _issue(
    session: Session,
    identity: Identity,
    account: Account,
    *,
    name: str,
    scopes: frozenset[Scope],
    expires_at: datetime | None = None,
    client_id: UUID | None = None,
    is_session: bool = False,
) -> IssuedToken:
    secret = PREFIX + new_secret()
    token = Token(
        account_id=account.id,
        client_id=client_id,
        name=name,
        secret_hash=hash_secret(secret),
        scopes=sorted(scope.value for scope in scopes),
        is_session=is_session,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    audit(session, identity, "issue", Noun.CREDENTIAL, token.id, scopes=token.scopes)
    return IssuedToken(token=_token_record(token), secret=secret)


def _token_record(token: Token) -> TokenRecord:
    return TokenRecord(
        id=token.id,
        name=token.name,
        scopes=tuple(Scope(scope) for scope in token.scopes),
        client_id=token.client_id,
        is_session=token.is_session,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        last_used_at=token.last_used_at,
        created_at=token.created_at,
    )
