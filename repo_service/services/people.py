"""People: signing up and in, and looking after one's own account.

What strangers may not learn is whether an address is known here. So signing up and asking for a password are
answered the same for every address, after the same work; who reads the address gets the difference by letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    InvalidLink,
    NameTaken,
    NotFound,
    RegistrationClosed,
    Unauthorised,
)
from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, LinkPurpose, Registration, Role, Scope
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.domain.texts import text
from repo_service.models import (
    Account,
    Client,
    Collection,
    ExternalIdentity,
    Grant,
    OneTimeLink,
    Resource,
    StoredSite,
    Token,
    Upload,
    Version,
)
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import links
from repo_service.services.accounts import (
    BLOCKED,
    Accounts,
    IssuedToken,
    end_sessions,
    open_session,
    refuses_duplicates,
    require_account,
    require_language,
    require_scope,
    require_username,
    require_whole_power,
)
from repo_service.services.clients import end_grants
from repo_service.services.descriptions import plain_line
from repo_service.services.elsewhere import External, add_identity
from repo_service.services.emails import normalise_email
from repo_service.services.letters import Letters
from repo_service.services.passwords import Passwords, require_good
from repo_service.services.throttling import Allowance, Claim, Throttling
from repo_service.services.trail import audit, record_change

NAME_LENGTH = 200
HANDED_OVER_LASTS = timedelta(days=7)
"""How long a link to choose a password works that an operator was shown."""

UNCONFIRMED_KEPT = timedelta(days=30)
"""How long an account is kept that somebody made by themselves and never proved to be reached at."""
_SWEPT_AT_ONCE = 1000

# Of failures only: whoever knows the password is never kept waiting by them, except at the last.
SIGN_IN_HERE = Allowance(name="sign-in-here", burst=10, every=timedelta(minutes=2))
"""For one account from one address block."""
SIGN_IN_FROM = Allowance(name="sign-in-from", burst=100, every=timedelta(seconds=15))
"""For any accounts from one address block: a school may have one address for all."""
SIGN_IN_TO = Allowance(name="sign-in-to", burst=100, every=timedelta(minutes=1))
"""For one account from everywhere. Address blocks where its owner signed in lately are not counted, and not
kept out; a link by letter lets in from everywhere."""
_ACQUAINTED = timedelta(days=90)

SIGN_UP_FROM = Allowance(name="sign-up-from", burst=60, every=timedelta(minutes=1))
"""A class of teachers may sign up together behind one address."""
RESET_FROM = Allowance(name="reset-from", burst=30, every=timedelta(minutes=1))
RESET_FOR = Allowance(name="reset-for", burst=5, every=timedelta(minutes=15))
"""For one user name or address, known or not."""
CONFIRM_FOR = Allowance(name="confirm-for", burst=5, every=timedelta(minutes=15))
"""Letters of confirmation that one account asks for."""
LINK_FROM = Allowance(name="link-from", burst=50, every=timedelta(seconds=30))
"""Links that do not work, from one address block."""

_WRONG = text(
    "The name or the password is not right. As long as your e-mail address is not confirmed, sign in with "
    "your user name."
)

HAS_ACCOUNT = text(
    "There is an account here with your e-mail address already: sign in to it as you did before, then "
    "connect the two on My account."
)

_SYSTEM = Identity(username="system")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What an invitation brings: a role, and whom it was meant for, empty when for anybody."""

    role: Role
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOwner:
    """Whose a link is."""

    username: str
    has_password: bool


class People:
    """Use cases about people and their passwords. ``address`` is always a block (``address_block``)."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        letters: Letters,
        passwords: Passwords,
        throttling: Throttling,
        *,
        registration: Registration,
        base_url: str,
        site_name: str,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._letters = letters
        self._passwords = passwords
        self._throttling = throttling
        self._registration = registration
        self._base_url = base_url
        self._site_name = site_name

    # Coming in

    def sign_in(self, *, login: str, password: str, address: str, browser: str) -> str:
        """The secret of a new session of whoever has that user name or e-mail address, and that password.

        Raises Unauthorised, with the same words whether there is such an account or not, TooManyRequests.
        """
        login = _spelled(login)
        with self._database.read() as session:
            account = session.scalar(select(Account).where(_known_as(login)))
        who = login if account is None else str(account.id)
        here = f"{who} {address}"
        claims: list[Claim] = [(SIGN_IN_HERE, here), (SIGN_IN_FROM, address)]
        if not self._throttling.knows(here):
            claims.append((SIGN_IN_TO, who))
        taken = self._throttling.take(*claims)
        hashed = None if account is None else account.password_hash
        if not self._passwords.verify(hashed, password) or account is None or hashed is None:
            log.info("a sign-in was refused", account=None if account is None else account.username)
            raise Unauthorised(_WRONG, reason="invalid")
        self._throttling.give_back(taken)
        with self._database.write() as session:
            present = session.get(Account, account.id, with_for_update=True)
            if present is None or present.blocked_at is not None:
                raise Unauthorised(BLOCKED, reason="revoked")
            if present.password_hash != hashed:  # changed meanwhile, which ended the sessions of before
                raise Unauthorised(_WRONG, reason="invalid")
            secret = open_session(session, _identity_of(present), present, browser=browser)
        self._throttling.befriend(here, lasts=_ACQUAINTED)
        if self._passwords.is_outdated(hashed):
            self._rehash(account.id, hashed, password)
        return secret

    def sign_up(
        self,
        *,
        username: str,
        display_name: str,
        email: str,
        password: str,
        language: str,
        address: str,
        invitation: str | None = None,
        external: External | None = None,
    ) -> Identity:
        """A new account, whose address is to be confirmed by letter unless the ``invitation`` (the secret of
        its link) came there. Whether another account has the address makes no difference that shows. Letters
        to it are in ``language`` (BCP 47).

        ``external`` is somebody whom a provider has just shown to be who they are: they sign in there, so
        no password is taken, and an address that the provider vouches for counts as theirs at once.

        Raises RegistrationClosed, InvalidLink, InvalidInput (also for a user name that is taken), Conflict
        when another account has that proven address or is connected already, TooManyRequests.
        """
        self.require_registration(invitation, address=address)
        errors: list[FieldError] = []
        username, display_name = username.strip(), plain_line(display_name)[:NAME_LENGTH]
        try:
            require_username(username)
        except InvalidInput as error:
            errors += error.errors
        proven = None if external is None else external.proven_email
        try:
            email = proven or normalise_email(email)
        except InvalidInput as error:
            errors += error.errors
        if external is None:
            try:
                require_good(password, own=self._own(username, display_name, email))
            except InvalidInput as error:
                errors += error.errors
        try:
            require_language(language)
        except InvalidInput as error:
            errors += error.errors
        if errors:
            raise InvalidInput(errors=errors)
        self._throttling.take((SIGN_UP_FROM, address))
        account = Account(
            username=username,
            display_name=display_name or username,
            email=proven,
            email_confirmed_at=None if proven is None else now(),
            unconfirmed_email=None if proven else email,
            must_confirm=proven is None,
            language=language,
            password_hash=None if external else self._passwords.hash(password),
            role=Role.MEMBER.value,
        )
        try:
            with refuses_duplicates(account), self._database.write() as session:
                self._add(session, account, invitation, external)
        except NameTaken as error:
            if proven is not None and error.name == proven:
                raise Conflict(HAS_ACCOUNT) from error
            if error.name != username:
                raise
            raise InvalidInput(
                errors=[FieldError("/username", "Somebody has this user name already: choose another.")]
            ) from error
        return _identity_of(account)

    def require_registration(self, invitation: str | None, *, address: str) -> Invitation | None:
        """Refuse who may not sign up; what comes with a good ``invitation``, None without one.

        Raises RegistrationClosed, InvalidLink, TooManyRequests.
        """
        if self._registration is Registration.CLOSED:
            raise RegistrationClosed(
                "Accounts are made by the administrators of this service only: ask them for one.",
                registration=self._registration.value,
            )
        if invitation is not None:
            taken = self._throttling.take((LINK_FROM, address))
            with self._database.read() as session:
                link = links.find(session, LinkPurpose.INVITATION, invitation)
            self._throttling.give_back(taken)
            return Invitation(role=Role(link.role or Role.MEMBER), email=link.email or "")
        if self._registration is Registration.INVITE:
            raise RegistrationClosed(
                "You need an invitation to make an account here: ask an administrator of this service.",
                registration=self._registration.value,
            )
        return None

    # Links

    def try_link(self, purpose: LinkPurpose, secret: str, *, address: str) -> LinkOwner:
        """Whose link that is; it stays good. Raises InvalidLink, TooManyRequests."""
        taken = self._throttling.take((LINK_FROM, address))
        with self._database.read() as session:
            link = links.find(session, purpose, secret)
            account = session.get(Account, link.account_id)
            if account is None or account.blocked_at is not None:
                raise InvalidLink
            owner = LinkOwner(username=account.username, has_password=account.password_hash is not None)
        self._throttling.give_back(taken)
        return owner

    def confirm(self, secret: str, *, address: str) -> None:
        """The address that this link was sent to is its owner's from now on.

        Raises InvalidLink, NameTaken when another account was faster, TooManyRequests.
        """
        self.try_link(LinkPurpose.CONFIRM, secret, address=address)
        with self._database.write() as session:
            link = links.find(session, LinkPurpose.CONFIRM, secret, lock=True)
            account = session.get(Account, link.account_id, with_for_update=True)
            if (
                account is None
                or account.unconfirmed_email is None
                or account.unconfirmed_email != link.email
            ):
                raise InvalidLink  # another address was given since
            _confirm(session, account, account.unconfirmed_email)
            links.void(session, account.id, LinkPurpose.CONFIRM)
            # Who asked for a password at the address before may not be its owner any more.
            links.void(session, account.id, LinkPurpose.RESET)
            audit(session, Identity(account_id=account.id), "confirm e-mail", Noun.ACCOUNT, account.id)

    def ask_reset(self, *, login: str, address: str) -> None:
        """Have a link to choose a password sent to whoever has that user name or e-mail address, if anybody.

        Raises TooManyRequests.
        """
        login = _spelled(login)
        self._throttling.take((RESET_FROM, address), (RESET_FOR, login))
        with self._database.write() as session:
            account = session.scalar(select(Account).where(_known_as(login)))
            if account is None:
                account = session.scalar(_unconfirmed_with(login))
            email = None if account is None else account.email or account.unconfirmed_email
            link = links.make(
                session, LinkPurpose.RESET, account_id=None if account is None else account.id, email=email
            )
            self._letters.send_link(session, link)

    def choose_password(
        self, secret: str, password: str, *, language: str, address: str, everywhere: bool = False
    ) -> Identity:
        """Set a password by a link; it ends every session and every other link of the account, and
        ``everywhere`` its API tokens and connected sites, too. Where the link came by letter the address is
        confirmed; if nobody knew before whose it was, all of that ends in any case: whoever made it may be
        somebody else. ``language`` (BCP 47) is what they read, for an account that somebody else made and
        that has none yet.

        Raises InvalidLink, InvalidInput, TooManyRequests.
        """
        self.try_link(LinkPurpose.RESET, secret, address=address)
        with self._database.read() as session:
            account = session.get(Account, links.find(session, LinkPurpose.RESET, secret).account_id)
            own = [] if account is None else self._own_of(account)
        require_good(password, own=own)
        require_language(language)
        hashed = self._passwords.hash(password)
        with self._database.write() as session:
            link = links.find(session, LinkPurpose.RESET, secret, lock=True)
            account = session.get(Account, link.account_id, with_for_update=True)
            if account is None or account.blocked_at is not None:
                raise InvalidLink
            account.password_hash = hashed
            account.language = account.language or language
            if link.email is not None and link.sent_at is not None:
                self._prove(session, account, link.email)
            links.void(session, account.id)
            end_sessions(session, account.id)
            if everywhere:
                _end_access(session, account.id)
            who = Identity(account_id=account.id)
            audit(session, who, "reset password", Noun.ACCOUNT, account.id, everywhere=everywhere)
            self._letters.tell_password_changed(session, account)
            return _identity_of(account)

    def link_for_password(self, identity: Identity, username: str, *, send: bool) -> str | None:
        """A link by which an account's owner chooses a password: its address, or None when it is ``send``-ed.

        Raises NotFound, InvalidInput when there is no address to send it to.
        """
        require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            account = session.scalar(select(Account).where(Account.username == username))
            if account is None or account.erased_at is not None:
                raise NotFound("There is no such account.")
            if send and account.email is None:
                raise InvalidInput(
                    "This account has no e-mail address.", errors=[FieldError("/email", "There is none.")]
                )
            link = links.make(
                session,
                LinkPurpose.RESET,
                account_id=account.id,
                email=account.email if send else None,
                made_by=identity.account_id,
            )
            audit(session, identity, "offer password", Noun.ACCOUNT, account.id, sent=send)
            if send:
                self._letters.send_link(session, link)
                return None
            secret = links.write_down(link, lasts=HANDED_OVER_LASTS)
        return links.address(self._base_url, LinkPurpose.RESET, secret)

    # One's own account

    def rename(self, identity: Identity, display_name: str) -> None:
        """Change the name that others see. Raises InvalidInput, Unauthorised, Forbidden."""
        own = require_account(identity, Scope.WRITE)
        name = plain_line(display_name)[:NAME_LENGTH]
        if not name:
            raise InvalidInput(errors=[FieldError("/display_name", "Type the name that others shall see.")])
        with self._database.write() as session:
            account = _present(session, own)
            account.display_name = name
            audit(session, identity, "rename", Noun.ACCOUNT, own)
            record_change(session, Noun.ACCOUNT, own, ChangeKind.UPDATED)

    def change_language(self, identity: Identity, language: str) -> None:
        """Get letters in another language (BCP 47). Raises InvalidInput, Unauthorised, Forbidden."""
        own = require_account(identity, Scope.WRITE)
        require_language(language)
        with self._database.write() as session:
            _present(session, own).language = language
            audit(session, identity, "change language", Noun.ACCOUNT, own)
            record_change(session, Noun.ACCOUNT, own, ChangeKind.UPDATED)

    def change_email(self, identity: Identity, email: str, *, password: str, address: str) -> None:
        """Have a letter sent to another address, which is the account's once its link was opened. The answer
        is the same when the address belongs to somebody else.

        Raises InvalidInput, TooManyRequests, Forbidden.
        """
        own = self.require_owner(identity, password, address=address)
        email = normalise_email(email)
        self._throttling.take((CONFIRM_FOR, str(own)))
        with self._database.write() as session:
            account = _present(session, own)
            links.void(session, own, LinkPurpose.CONFIRM)
            if email == account.email and account.email_confirmed_at is not None:
                account.unconfirmed_email = None  # they think better of it
                return
            account.unconfirmed_email = email
            link = links.make(session, LinkPurpose.CONFIRM, account_id=own, email=email)
            if account.email is not None:
                self._letters.tell_email_changing(session, link)
            self._letters.send_link(session, link)
            audit(session, identity, "change e-mail", Noun.ACCOUNT, own)

    def send_confirmation_again(self, identity: Identity) -> None:
        """The letter to the address that is not confirmed, again. Raises TooManyRequests, Unauthorised."""
        own = require_account(identity, Scope.WRITE)
        self._throttling.take((CONFIRM_FOR, str(own)))
        with self._database.write() as session:
            account = _present(session, own)
            if account.unconfirmed_email is not None:
                link = links.make(
                    session, LinkPurpose.CONFIRM, account_id=own, email=account.unconfirmed_email
                )
                self._letters.send_link(session, link)

    def change_password(
        self, identity: Identity, *, present: str, new: str, address: str, everywhere: bool = False
    ) -> None:
        """Another password; every other browser is signed out, and links that were sent are void.
        ``everywhere`` ends API tokens and connected sites, too.

        Raises InvalidInput, TooManyRequests, Forbidden.
        """
        own = self.require_owner(identity, present, address=address)
        with self._database.read() as session:
            names = self._own_of(_present(session, own))
        require_good(new, own=names, pointer="/new_password")
        hashed = self._passwords.hash(new)
        with self._database.write() as session:
            account = _present(session, own)
            account.password_hash = hashed
            links.void(session, own, LinkPurpose.RESET)
            end_sessions(session, own, but=identity.token_id)
            if everywhere:
                _end_access(session, own, but=identity.token_id)
            audit(session, identity, "change password", Noun.ACCOUNT, own, everywhere=everywhere)
            self._letters.tell_password_changed(session, account)

    def make_token(
        self, identity: Identity, *, name: str, lasts: timedelta, password: str, address: str
    ) -> IssuedToken:
        """An API token for a program of one's own, that reads and shares; it outlives the session, so the
        password is asked for.

        Raises InvalidInput, Conflict, TooManyRequests, Forbidden.
        """
        own = require_account(identity, Scope.WRITE)
        if not name:
            raise InvalidInput(
                errors=[FieldError("/name", "Say what it is for: you will want to know later.")]
            )
        if lasts <= timedelta(0):
            raise InvalidInput(errors=[FieldError("/lasts", "Choose how long it shall work.")])
        with self._database.read() as session:
            if _present(session, own).password_hash is None:
                raise Conflict("Choose a password first: it is asked for here.")
        self.require_owner(identity, password, address=address)
        return self._accounts.issue_token(
            replace(identity, expires_at=None),
            name=name,
            scopes=frozenset({Scope.READ, Scope.WRITE}),
            expires_at=now() + lasts,
        )

    def tidy(self) -> int:
        """Forget links and jobs of letters that are of no use; returns how many."""
        with self._database.write() as session:
            return links.tidy(session) + self._letters.tidy(session)

    def sweep(self) -> int:
        """Where everybody may sign up, forget those who did and never came back: their address is not
        confirmed after ``UNCONFIRMED_KEPT``, nothing is theirs, nobody is signed in. Their user names
        are free again. Returns how many went."""
        if self._registration is not Registration.OPEN:
            return 0
        abandoned = _is_abandoned(now())
        with self._database.read() as session:
            found = session.scalars(select(Account.id).where(abandoned).limit(_SWEPT_AT_ONCE)).all()
        return sum(self._forget(account_id, abandoned) for account_id in found)

    def _forget(self, account_id: UUID, abandoned: ColumnElement[bool]) -> bool:
        with self._database.write() as session:
            session.get(Account, account_id, with_for_update=True)
            # After the lock: they may have signed in meanwhile.
            if session.scalar(select(Account.id).where(Account.id == account_id, abandoned)) is None:
                return False
            session.execute(delete(OneTimeLink).where(OneTimeLink.account_id == account_id))
            session.execute(delete(Token).where(Token.account_id == account_id))
            session.execute(delete(ExternalIdentity).where(ExternalIdentity.account_id == account_id))
            session.execute(delete(Account).where(Account.id == account_id))
            audit(session, _SYSTEM, "delete", Noun.ACCOUNT, account_id)
            record_change(session, Noun.ACCOUNT, account_id, ChangeKind.DELETED)
        return True

    def _add(
        self, session: Session, account: Account, invitation: str | None, external: External | None
    ) -> None:
        invited: OneTimeLink | None = None
        if invitation is not None:
            invited = links.find(session, LinkPurpose.INVITATION, invitation, lock=True)
            invited.used_at = now()
            account.role = invited.role or Role.MEMBER.value
        session.add(account)
        session.flush()
        who = Identity(account_id=account.id)
        audit(session, who, "sign up", Noun.ACCOUNT, account.id, role=account.role)
        record_change(session, Noun.ACCOUNT, account.id, ChangeKind.CREATED)
        if external is not None:
            add_identity(session, who, account, external)
        if invited is not None:
            audit(session, who, "accept", Noun.INVITATION, invited.id)
            if invited.sent_at is not None and invited.email and invited.email == account.unconfirmed_email:
                self._prove(session, account, invited.email)
        if account.email is None:
            link = links.make(
                session, LinkPurpose.CONFIRM, account_id=account.id, email=account.unconfirmed_email
            )
            self._letters.send_link(session, link)

    def _prove(self, session: Session, account: Account, email: str) -> None:
        """Its owner opened a link that was sent to ``email``; nothing happens when another account has it."""
        if account.email == email:
            account.email_confirmed_at = account.email_confirmed_at or now()
        elif account.email is None and account.unconfirmed_email == email:
            if session.scalar(select(Account.id).where(Account.email == email)) is not None:
                return
            _confirm(session, account, email)
            _end_access(session, account.id)

    def require_owner(self, identity: Identity, password: str, *, address: str) -> UUID:
        """The account of who asks for themselves, with its whole power, and knows its password if it has one.

        Raises Forbidden, InvalidInput, TooManyRequests.
        """
        own = require_whole_power(identity)
        with self._database.read() as session:
            hashed = _present(session, own).password_hash
        if hashed is None:
            return own
        taken = self._throttling.take((SIGN_IN_HERE, f"{own} {address}"))
        if not self._passwords.verify(hashed, password):
            raise InvalidInput(errors=[FieldError("/password", "This is not your present password.")])
        self._throttling.give_back(taken)
        return own

    def _rehash(self, account_id: UUID, before: str, password: str) -> None:
        hashed = self._passwords.hash(password)
        with self._database.write() as session:
            session.execute(
                update(Account)
                .where(Account.id == account_id, Account.password_hash == before)
                .values(password_hash=hashed)
            )

    def _own_of(self, account: Account) -> Iterable[str]:
        email = account.email or account.unconfirmed_email or ""
        return self._own(account.username, account.display_name, email)

    def _own(self, username: str, display_name: str, email: str) -> Iterable[str]:
        return (username, display_name, email, email.partition("@")[0], self._site_name)


def _spelled(login: str) -> str:
    """A user name or an e-mail address as it is kept, whatever was typed."""
    with suppress(InvalidInput):
        return normalise_email(login)
    return login.strip().casefold()[:NAME_LENGTH]


def _known_as(login: str) -> ColumnElement[bool]:
    return Account.email == login if "@" in login else Account.username == login


def _unconfirmed_with(email: str) -> Select[Account]:
    """Of those who gave the address at their sign-up and never proved it: the last."""
    query = select(Account).where(Account.unconfirmed_email == email, Account.email.is_(None))
    return query.order_by(Account.id.desc()).limit(1)


def _is_abandoned(moment: datetime) -> ColumnElement[bool]:
    owned = (
        Resource.owner_id,
        Version.created_by,
        Upload.account_id,
        StoredSite.account_id,
        Client.account_id,
        Grant.account_id,
        Collection.owner_id,
        OneTimeLink.made_by,
    )
    lives = and_(
        Token.account_id == Account.id,
        Token.revoked_at.is_(None),
        or_(Token.expires_at.is_(None), Token.expires_at > moment),
    )
    return and_(
        Account.must_confirm,
        Account.email.is_(None),
        Account.created_at < moment - UNCONFIRMED_KEPT,
        Account.role == Role.MEMBER.value,
        Account.blocked_at.is_(None),
        ~exists().where(lives),
        *(~exists().where(column == Account.id) for column in owned),
    )


def _present(session: Session, account_id: UUID) -> Account:
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


def _confirm(session: Session, account: Account, email: str) -> None:
    account.email, account.email_confirmed_at, account.unconfirmed_email = email, now(), None
    account.must_confirm = False
    with refuses_duplicates(account):
        session.flush()
    record_change(session, Noun.ACCOUNT, account.id, ChangeKind.UPDATED)


def _end_access(session: Session, account_id: UUID, *, but: UUID | None = None) -> None:
    """End whatever acts for an account, ``but`` one token: sessions, API tokens, connected sites."""
    query = update(Token).where(Token.account_id == account_id, Token.revoked_at.is_(None))
    if but is not None:
        query = query.where(Token.id != but)
    session.execute(query.values(revoked_at=now()))
    end_grants(session, Grant.account_id == account_id)


def _identity_of(account: Account) -> Identity:
    role = Role(account.role)
    return Identity(account_id=account.id, username=account.username, role=role, scopes=SCOPES_OF_ROLE[role])
