"""Erasing an account: the person goes, and what they did stays as the deed of somebody.

Other rows refer to the row of the account, so it stays, with nothing in it. Whatever could be used to act for
it, and all that nobody else ever saw, goes in one transaction; what they shared goes after that, by a job,
resource by resource, because there may be thousands.
"""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.collections import CollectionVisibility
from repo_service.domain.errors import Conflict, NotFound
from repo_service.domain.identity import Identity, Role, Scope
from repo_service.domain.resources import ChangeKind, JobKind, Noun, Visibility
from repo_service.models import (
    Account,
    AuditEntry,
    AuthorizationCode,
    Client,
    Collection,
    ExternalIdentity,
    Grant,
    IdempotencyKey,
    OneTimeLink,
    RefreshToken,
    Report,
    Resource,
    StoredSite,
    Token,
    Upload,
    Version,
    Webhook,
)
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import require_scope
from repo_service.services.collections import delete_collection
from repo_service.services.jobs import Jobs
from repo_service.services.jobs import Report as Progress
from repo_service.services.people import People
from repo_service.services.records import FORMER_MEMBER
from repo_service.services.releasing import touch
from repo_service.services.replication import Replicator
from repo_service.services.trail import audit, record_change
from repo_service.services.withdrawing import withdrawn_by

_LEFT: Final = "The person who shared it has left."
_ERASED: Final = "erased"
_BATCH: Final = 100
_RECENT: Final = timedelta(minutes=15)
_FREE_TEXT: Final = frozenset({"reason"})
"""Details of the audit trail that somebody typed."""
_SYSTEM: Final = Identity(username="system")

log = structlog.get_logger(__name__)


class Shared(enum.StrEnum):
    """What becomes of what everybody sees: it stays under ``FORMER_MEMBER``, or is withdrawn."""

    LEAVE = "leave"
    WITHDRAW = "withdraw"


class Erasing:
    """Use case: leave, or be taken out by an administrator."""

    def __init__(self, database: Database, people: People, jobs: Jobs, replicator: Replicator) -> None:
        self._database = database
        self._people = people
        self._jobs = jobs
        self._replicator = replicator

    def erase(
        self,
        identity: Identity,
        account_id: UUID,
        *,
        shared: Shared,
        password: str = "",
        address: str = "",
    ) -> None:
        """Erase one's own account, or any as an administrator; ``password`` is the asker's own, where they
        have one: operators at the command line have none. It cannot be undone.

        Raises Unauthorised, Forbidden, NotFound, InvalidInput for the password, TooManyRequests, Conflict for
        the last administrator, and for a session of long ago where there is no password.
        """
        if identity.account_id != account_id:
            require_scope(identity, Scope.ADMINISTER)
        if identity.account_id is not None:
            self._people.require_owner(identity, password, address=address)
        with self._database.write() as session:
            account = session.get(Account, account_id, with_for_update=True)
            if account is None or account.erased_at is not None:
                raise NotFound("There is no such account.")
            _require_recent_sign_in(session, identity)
            _require_another_administrator(session, account)
            audit(session, identity, "erase", Noun.ACCOUNT, account_id, shared=shared.value)
            _end_access(session, account_id)
            _delete_what_is_private(session, account_id)
            self._delete_collections(session, account_id, shared)
            _empty(account)
            record_change(session, Noun.ACCOUNT, account_id, ChangeKind.DELETED)
            self._jobs.enqueue(session, JobKind.ERASE, f"{account_id}:{shared.value}")

    def run(self, key: str, report: Progress) -> None:
        """The job: what they shared, and what they typed into the audit trail."""
        account, _, shared = key.partition(":")
        account_id = UUID(account)
        with self._database.read() as session:
            owned = select(Resource.id).where(Resource.owner_id == account_id).order_by(Resource.id)
            ids = session.scalars(owned).all()
        for done, resource_id in enumerate(ids):
            self._let_go(resource_id, Shared(shared))
            report(done / len(ids))
        self._forget_words(account_id)
        log.info("an account was erased", account=account, resources=len(ids), shared=shared)

    def _let_go(self, resource_id: UUID, shared: Shared) -> None:
        with self._database.write() as session:
            resource = session.scalars(
                select(Resource).where(Resource.id == resource_id).with_for_update()
            ).one()
            if resource.visibility == Visibility.PUBLIC.value and shared is Shared.LEAVE:
                resource.changed_at = now()  # it is by a former member now
                unreleased = [version for version in resource.versions if version.released_at is None]
                if _without(unreleased):
                    touch(resource)
                    record_change(session, Noun.RESOURCE, resource_id, ChangeKind.UPDATED)
                return
            if resource.visibility == Visibility.WITHDRAWN.value and not resource.title:
                return  # a run before has been here
            released = [v.digest for v in resource.versions if v.released_at is not None]
            if resource.visibility != Visibility.WITHDRAWN.value:
                resource.visibility = Visibility.WITHDRAWN.value
                resource.withdrawn_at, resource.withdrawn_reason = now(), _LEFT
            elif withdrawn_by(session, [resource_id]).get(resource_id) == resource.owner_id:
                resource.withdrawn_reason = _LEFT  # a moderator's words are not theirs to take along
            _without(resource.versions, bytes_too=False)  # the garbage collector's, after the grace period
            resource.title = resource.summary_html = resource.summary_text = ""
            resource.authors, resource.keywords, resource.found = [], [], []
            resource.canonical_url = resource.canonical_by = None
            touch(resource)
            audit(session, _SYSTEM, "withdraw", Noun.RESOURCE, resource_id)
            record_change(session, Noun.RESOURCE, resource_id, ChangeKind.WITHDRAWN)
            self._replicator.ask(session, released)

    def _delete_collections(self, session: Session, account_id: UUID, shared: Shared) -> None:
        query = select(Collection).where(Collection.owner_id == account_id, Collection.deleted_at.is_(None))
        for collection in session.scalars(query.with_for_update()):
            public = (
                collection.visibility == CollectionVisibility.PUBLIC.value and collection.hidden_at is None
            )
            if not (public and shared is Shared.LEAVE):
                delete_collection(session, _SYSTEM, collection)

    def _forget_words(self, account_id: UUID) -> None:
        """The trail keeps what was done, and nothing that they typed."""
        last = 0
        while True:
            query = (
                select(AuditEntry)
                .where(AuditEntry.account_id == account_id, AuditEntry.id > last)
                .order_by(AuditEntry.id)
                .limit(_BATCH)
            )
            with self._database.write() as session:
                entries = session.scalars(query).all()
                for entry in entries:
                    if _FREE_TEXT & entry.details.keys():
                        entry.details = {k: v for k, v in entry.details.items() if k not in _FREE_TEXT}
            if not entries:
                return
            last = entries[-1].id


def _require_recent_sign_in(session: Session, identity: Identity) -> None:
    """In the place of a password, for who has none and is signed in with a browser. Raises Conflict."""
    asker = None if identity.account_id is None else session.get(Account, identity.account_id)
    token = None if identity.token_id is None else session.get(Token, identity.token_id)
    if asker is None or token is None or asker.password_hash is not None or not token.is_session:
        return
    if token.created_at < now() - _RECENT:
        raise Conflict("You have no password to ask for: sign out and in again, and do this right after.")


def _require_another_administrator(session: Session, account: Account) -> None:
    others = select(func.count()).where(
        Account.role == Role.ADMINISTRATOR.value,
        Account.blocked_at.is_(None),
        Account.id != account.id,
    )
    if account.role == Role.ADMINISTRATOR.value and not session.scalar(others):
        raise Conflict("There is no other administrator: make somebody one first.")


def _end_access(session: Session, account_id: UUID) -> None:
    """Delete tokens, sessions, consents, and the software that this account answers for."""
    grants = select(Grant.id).where(Grant.account_id == account_id)
    for model in (AuthorizationCode, RefreshToken):
        session.execute(delete(model).where(model.grant_id.in_(grants)))
    clients = select(Client.id).where(Client.account_id == account_id)
    session.execute(delete(Token).where(or_(Token.account_id == account_id, Token.client_id.in_(clients))))
    session.execute(delete(Grant).where(Grant.account_id == account_id))
    in_use = select(Grant.client_id).where(Grant.client_id.in_(clients))
    session.execute(delete(Client).where(Client.account_id == account_id, Client.id.not_in(in_use)))
    session.execute(
        update(Client)
        .where(Client.account_id == account_id)
        .values(disabled_at=now(), name=_ERASED, registered_from=None)
    )


def _delete_what_is_private(session: Session, account_id: UUID) -> None:
    links = or_(OneTimeLink.account_id == account_id, OneTimeLink.made_by == account_id)
    session.execute(delete(OneTimeLink).where(links))
    session.execute(delete(ExternalIdentity).where(ExternalIdentity.account_id == account_id))
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.account_id == account_id))
    session.execute(delete(Webhook).where(Webhook.account_id == account_id))
    session.execute(delete(StoredSite).where(StoredSite.account_id == account_id))
    # What they reported stays until it is decided: it is about somebody else's resource.
    reported = update(Report).where(Report.reporter_id == account_id)
    session.execute(reported.where(Report.decided_at.is_not(None)).values(words=""))
    session.execute(reported.values(reporter_id=None))
    # The sweep of uploads deletes these with what the stores keep of them.
    expired = update(Upload).where(Upload.account_id == account_id)
    session.execute(expired.values(file_name=_ERASED, expires_at=now()))


def _empty(account: Account) -> None:
    account.username = f"former-{account.id.hex[-16:]}"  # the end of a UUIDv7 says nothing of when
    account.display_name = FORMER_MEMBER
    account.email = account.email_confirmed_at = account.unconfirmed_email = None
    account.password_hash = account.language = account.quota = None
    account.must_confirm = False
    account.role = Role.MEMBER.value
    account.blocked_at = account.erased_at = now()
    account.blocked_reason = None


def _without(versions: list[Version], *, bytes_too: bool = True) -> bool:
    """Take names and notes off versions, and let go of their bytes; whether there was anything to do."""
    changed = False
    for version in versions:
        if version.file_name == _ERASED:
            continue
        version.file_name, version.change_note = _ERASED, ""
        version.release_requested, version.cleaning = False, None
        if bytes_too:
            version.digest = None
        changed = True
    return changed
