"""What people let sites and apps do for them: consents, and the codes and tokens that come of each.

A *grant* is one consent of one person for one client. Everything that the client ever gets for it (a code,
access tokens, refresh tokens) belongs to it and ends with it. Access tokens are rows like those that people
make by hand, so whatever asks who somebody is need not know of OAuth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import Forbidden, NotFound
from repo_service.domain.identity import (
    SCOPES_OF_SITES,
    ClientState,
    GrantType,
    Identity,
    Scope,
)
from repo_service.domain.redirects import host_of
from repo_service.domain.resources import Noun
from repo_service.models import Account, AuthorizationCode, Client, Grant, RefreshToken, Token
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import PREFIX, refuse_sites, require_account, require_scope
from repo_service.services.clients import end_grants
from repo_service.services.hashing import hash_secret, new_secret
from repo_service.services.records import ClientRecord, ConnectedSiteRecord
from repo_service.services.trail import audit

REFRESH_PREFIX = "mrf_"
"""Begins every refresh token, so that scanners for leaked secrets can tell what they found."""
CODE_LASTS = timedelta(minutes=2)
"""RFC 6749, section 4.1.2, recommends ten minutes at most. Servers trade a code within a second."""
GRACE = timedelta(minutes=1)
"""How long a refresh token is good for after its first use: a Moodle in which two pages of one person refresh
at once sends it twice, and so does one that lost an answer on its way."""
MAX_IN_GRACE = 10
"""Most successors of one refresh token."""
MAX_GRANTS = 20
"""Most grants of one account for one client; the oldest end."""

_USED_TOKENS_ARE_KEPT = timedelta(days=14)
"""So long a used refresh token that comes again gives a thief away; after that it is unknown."""
_ENDED_IS_KEPT = timedelta(days=1)
"""So long codes and tokens that have expired are kept: a code that comes twice has to be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLifetimes:
    """How long access tokens and refresh tokens are good for; each refresh begins anew."""

    access: timedelta
    refresh: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRecord:
    """A code that can still be traded: what it was given for."""

    redirect_uri: str | None
    code_challenge: str | None
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTokens:
    """What a client gets: shown this once and kept nowhere. ``refresh`` is None for clients that use none."""

    access: str
    lasts: timedelta
    refresh: str | None
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOwner:
    """Whose a token is that somebody wants revoked."""

    client_id: UUID
    grant_id: UUID
    access_token_id: UUID | None


class Grants:
    """Use cases about consents. Methods that take a client expect it to have proved who it is."""

    def __init__(self, database: Database, lifetimes: TokenLifetimes) -> None:
        self._database = database
        self._lifetimes = lifetimes

    def authorise(
        self,
        identity: Identity,
        client: ClientRecord,
        *,
        scopes: frozenset[Scope],
        redirect_uri: str,
        named_redirect_uri: str | None,
        code_challenge: str | None,
    ) -> str:
        """Let ``client`` do ``scopes`` for the asker; returns the code to send it by way of ``redirect_uri``.

        ``named_redirect_uri`` is that of the request, None when it named none. Only people do this, by their
        own hands: neither a connected site nor a token that belongs to a client, or either could get out of
        its bounds. Nobody gives what they may not do themselves.

        Raises Unauthorised, Forbidden, InsufficientScope, NotFound for a client that is not approved.
        """
        account_id = require_account(identity, Scope.READ)
        refuse_sites(identity)
        if identity.client_id is not None:
            raise Forbidden("This token belongs to a program: sign in yourself to connect a site.")
        for scope in scopes:  # who may write may share: that is less
            require_scope(identity, Scope.WRITE if scope is Scope.SHARE else scope)
        code, moment = new_secret(), now()
        with self._database.write() as session:
            kept = session.get(Client, client.id, with_for_update=True)
            if kept is None or kept.disabled_at or kept.approval != ClientState.APPROVED.value:
                raise NotFound("This site is not connected to this service.")
            kept.authorised_at = kept.authorised_at or moment
            self._end_oldest(session, account_id, client.id)
            grant = Grant(
                account_id=account_id,
                client_id=client.id,
                host=host_of(redirect_uri)[:255],
                scopes=[scope.value for scope in _in_order(scopes)],
            )
            session.add(grant)
            session.flush()
            session.add(
                AuthorizationCode(
                    grant_id=grant.id,
                    code_hash=hash_secret(code),
                    redirect_uri=named_redirect_uri,
                    code_challenge=code_challenge,
                    expires_at=moment + CODE_LASTS,
                )
            )
            audit(
                session,
                identity,
                "authorise",
                Noun.GRANT,
                grant.id,
                client=str(client.id),
                host=grant.host,
                scopes=grant.scopes,
            )
        return code

    def find_code(self, client: ClientRecord, code: str) -> CodeRecord | None:
        """What a code of this client's was given for; None when it is unknown, another client's, or expired.
        One that was traded before ends its grant: somebody has a copy (RFC 6749, section 4.1.2)."""
        with self._database.write() as session:
            found = _code(session, client, code)
            if found is None:
                return None
            kept, grant = found
            return CodeRecord(
                redirect_uri=kept.redirect_uri,
                code_challenge=kept.code_challenge,
                scopes=tuple(map(Scope, grant.scopes)),
            )

    def redeem_code(self, client: ClientRecord, code: str) -> IssuedTokens | None:
        """Trade a code for tokens, once; None as in ``find_code``. Of two that come at once one gets tokens,
        and the other ends them."""
        with self._database.write() as session:
            found = _code(session, client, code)
            if found is None:
                return None
            kept, grant = found
            kept.used_at = now()
            return self._issue(session, client, grant, parent=None, scopes=grant.scopes)

    def scopes_of_refresh_token(self, client: ClientRecord, secret: str) -> tuple[Scope, ...] | None:
        """What the grant of a refresh token of this client's allows; None when it is unknown or another's."""
        query = (
            select(Grant.scopes)
            .join(RefreshToken, RefreshToken.grant_id == Grant.id)
            .where(RefreshToken.secret_hash == hash_secret(secret), Grant.client_id == client.id)
        )
        with self._database.read() as session:
            scopes = session.scalar(query)
        return None if scopes is None else tuple(map(Scope, scopes))

    def refresh(
        self, client: ClientRecord, secret: str, *, scopes: frozenset[Scope] | None = None
    ) -> IssuedTokens | None:
        """Trade a refresh token for new tokens; ``scopes`` narrows what the new access token can do.

        A token that was traded before is taken for ``GRACE`` longer. After that either its owner or whoever
        sends it now has a stolen one, so the whole family ends (RFC 9700, section 4.14.2). None when there is
        nothing to get for it: unknown, another client's, expired, or ended."""
        moment = now()
        with self._database.write() as session:
            known = session.execute(
                select(RefreshToken.id, RefreshToken.grant_id).where(
                    RefreshToken.secret_hash == hash_secret(secret)
                )
            ).one_or_none()
            grant = None if known is None else _living(session, client, known.grant_id)
            if known is None or grant is None:
                return None
            token = session.get_one(
                RefreshToken, known.id
            )  # after the lock: somebody may have used it meanwhile
            if token.expires_at <= moment:
                return None
            if token.used_at is not None and moment - token.used_at > GRACE:
                _end(session, grant, "a used refresh token came again")
                return None
            if token.used_at is not None and _successors(session, token) >= MAX_IN_GRACE:
                return None
            if token.used_at is None:
                token.used_at = moment
                _use_siblings(session, token, moment)
            narrowed = grant.scopes if scopes is None else [scope.value for scope in _in_order(scopes)]
            return self._issue(session, client, grant, parent=token.id, scopes=narrowed)

    def owner_of(self, secret: str) -> TokenOwner | None:
        """Whose access or refresh token this is; None for one that OAuth did not give out."""
        hashed = hash_secret(secret)
        of_access = select(Token.id, Grant.id.label("grant_id"), Grant.client_id).join(
            Grant, Grant.id == Token.grant_id
        )
        of_refresh = select(Grant.id, Grant.client_id).join(RefreshToken, RefreshToken.grant_id == Grant.id)
        with self._database.read() as session:
            access = session.execute(of_access.where(Token.secret_hash == hashed)).one_or_none()
            if access is not None:
                return TokenOwner(
                    client_id=access.client_id, grant_id=access.grant_id, access_token_id=access.id
                )
            refresh = session.execute(of_refresh.where(RefreshToken.secret_hash == hashed)).one_or_none()
        if refresh is None:
            return None
        return TokenOwner(client_id=refresh.client_id, grant_id=refresh.id, access_token_id=None)

    def revoke(self, token: TokenOwner) -> None:
        """Make a token worthless: an access token alone, a refresh token with its grant (RFC 7009, section
        2.1)."""
        with self._database.write() as session:
            if token.access_token_id is not None:
                access = session.get_one(Token, token.access_token_id)
                access.revoked_at = access.revoked_at or now()
                return
            grant = session.get_one(Grant, token.grant_id, with_for_update=True)
            if grant.revoked_at is None:
                _end(session, grant, "the site gave it back")

    def connected(self, identity: Identity) -> tuple[ConnectedSiteRecord, ...]:
        """The sites and apps that act for the asker, the newest first."""
        own = require_account(identity, Scope.READ)
        refuse_sites(identity)
        query = select(Grant).where(Grant.account_id == own, _lives(now())).order_by(Grant.id.desc())
        with self._database.read() as session:
            by_client: dict[UUID, list[Grant]] = {}
            for grant in session.scalars(query):
                by_client.setdefault(grant.client_id, []).append(grant)
        return tuple(_site(grants) for grants in by_client.values())

    def disconnect(self, identity: Identity, client_id: UUID) -> None:
        """End all that the asker lets a client do, at once. Raises NotFound when that is nothing."""
        own = require_account(identity, Scope.WRITE)
        refuse_sites(identity)
        with self._database.write() as session:
            mine = (Grant.account_id == own) & (Grant.client_id == client_id)
            if not end_grants(session, mine):
                raise NotFound("No such site is connected with your account.")
            audit(session, identity, "disconnect", Noun.CLIENT, client_id)

    def sweep(self) -> int:
        """Forget what is of no use any more: codes, tokens, and grants that came to their end; returns how
        many rows went."""
        moment = now()
        long_ago = moment - _ENDED_IS_KEPT
        used_long_ago = RefreshToken.used_at < moment - _USED_TOKENS_ARE_KEPT
        gone = 0
        with self._database.write() as session:
            held = [
                exists().where(row.grant_id == Grant.id) for row in (AuthorizationCode, RefreshToken, Token)
            ]
            for row, is_over in (
                (AuthorizationCode, AuthorizationCode.expires_at < long_ago),
                (RefreshToken, or_(RefreshToken.expires_at < long_ago, used_long_ago)),
                (Token, Token.grant_id.is_not(None) & (Token.expires_at < long_ago)),
                (Grant, ~or_(*held) & (Grant.created_at < long_ago)),  # last: the others refer to it
            ):
                gone += len(session.scalars(delete(row).where(is_over).returning(row.id)).all())
        return gone

    def _issue(
        self,
        session: Session,
        client: ClientRecord,
        grant: Grant,
        *,
        parent: UUID | None,
        scopes: list[str],
    ) -> IssuedTokens:
        moment = now()
        access, refresh = PREFIX + new_secret(), None
        session.add(
            Token(
                account_id=grant.account_id,
                client_id=grant.client_id,
                grant_id=grant.id,
                name=grant.host[:200],
                secret_hash=hash_secret(access),
                scopes=scopes,
                expires_at=moment + self._lifetimes.access,
            )
        )
        if GrantType.REFRESH in client.grant_types:
            refresh = REFRESH_PREFIX + new_secret()
            session.add(
                RefreshToken(
                    grant_id=grant.id,
                    secret_hash=hash_secret(refresh),
                    parent_id=parent,
                    expires_at=moment + self._lifetimes.refresh,
                )
            )
        grant.last_used_at = moment
        return IssuedTokens(
            access=access,
            lasts=self._lifetimes.access,
            refresh=refresh,
            scopes=tuple(map(Scope, scopes)),
        )

    def _end_oldest(self, session: Session, account_id: UUID, client_id: UUID) -> None:
        these = (Grant.account_id == account_id, Grant.client_id == client_id, Grant.revoked_at.is_(None))
        newest = select(Grant.id).where(*these).order_by(Grant.id.desc())
        oldest = session.scalars(newest.offset(MAX_GRANTS - 1)).all()
        end_grants(session, Grant.id.in_(oldest))


def _code(session: Session, client: ClientRecord, code: str) -> tuple[AuthorizationCode, Grant] | None:
    """A code that can be traded, and its grant, both held until the end of the transaction."""
    query = select(AuthorizationCode.id, AuthorizationCode.grant_id)
    known = session.execute(query.where(AuthorizationCode.code_hash == hash_secret(code))).one_or_none()
    grant = None if known is None else _living(session, client, known.grant_id)
    if known is None or grant is None:
        return None
    kept = session.get_one(AuthorizationCode, known.id)  # after the lock: somebody may have used it meanwhile
    if kept.used_at is not None:
        _end(session, grant, "an authorization code came again")
        return None
    return None if kept.expires_at <= now() else (kept, grant)


def _living(session: Session, client: ClientRecord, grant_id: UUID) -> Grant | None:
    """The grant, locked, if it is this client's and neither it nor the account has an end. Whoever trades
    something takes this lock first, so that all who trade for one grant take turns."""
    grant = session.get_one(Grant, grant_id, with_for_update=True)
    if grant.client_id != client.id or grant.revoked_at is not None:
        return None
    account = session.get_one(Account, grant.account_id)
    return None if account.blocked_at is not None else grant


def _end(session: Session, grant: Grant, reason: str) -> None:
    grant.revoked_at = now()
    audit(session, Identity(), "revoke", Noun.GRANT, grant.id, reason=reason)


def _successors(session: Session, token: RefreshToken) -> int:
    query = select(func.count()).select_from(RefreshToken).where(RefreshToken.parent_id == token.id)
    return session.scalar(query) or 0


def _use_siblings(session: Session, token: RefreshToken, moment: datetime) -> None:
    """Where a token was traded twice, its owner goes on with one of its successors: the others are used with
    it. If one of them comes later, somebody else has it."""
    if token.parent_id is not None:
        siblings = update(RefreshToken).where(
            RefreshToken.grant_id == token.grant_id,
            RefreshToken.parent_id == token.parent_id,
            RefreshToken.used_at.is_(None),
            RefreshToken.id != token.id,
        )
        session.execute(siblings.values(used_at=moment))


def _lives(moment: datetime) -> ColumnElement[bool]:
    """Whether a client could still do something with a grant."""
    return Grant.revoked_at.is_(None) & or_(
        exists().where(RefreshToken.grant_id == Grant.id, RefreshToken.expires_at > moment),
        exists().where(Token.grant_id == Grant.id, Token.expires_at > moment, Token.revoked_at.is_(None)),
        exists().where(
            AuthorizationCode.grant_id == Grant.id,
            AuthorizationCode.used_at.is_(None),
            AuthorizationCode.expires_at > moment,
        ),
    )


def _site(grants: list[Grant]) -> ConnectedSiteRecord:
    uses = [grant.last_used_at for grant in grants if grant.last_used_at is not None]
    return ConnectedSiteRecord(
        client_id=grants[0].client_id,
        hosts=tuple(dict.fromkeys(grant.host for grant in grants)),
        scopes=_in_order({Scope(scope) for grant in grants for scope in grant.scopes}),
        connected_at=min(grant.created_at for grant in grants),
        last_used_at=max(uses, default=None),
    )


def _in_order(scopes: set[Scope] | frozenset[Scope]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES_OF_SITES if scope in scopes)
