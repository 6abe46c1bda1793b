"""Letters to people: asked for within a transaction, written and sent by a job after it.

So no request waits for a mail server, none tells by the time it takes whether there is an account, and a
letter that cannot be sent now goes later. The secret of a link is made when its letter is written: no row
ever holds it.

Letters hold nothing that a stranger typed, not even a user name: mail programs make links of those that look
like a host. Whoever signs up with somebody else's address must not reach their mailbox in our name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import TooManyRequests
from repo_service.domain.identity import LinkPurpose, Role
from repo_service.domain.resources import JobKind, JobState
from repo_service.models import Account, Job, OneTimeLink
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.services import links
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report
from repo_service.services.mailing import Letter, Mailer, MailRefused, MailUnavailable
from repo_service.services.throttling import Allowance, Throttling, in_words

TO_ONE_ADDRESS = Allowance(name="letters", burst=6, every=timedelta(minutes=20))
"""However many ask for letters to an address, whoever reads it gets no more than these."""

_LINK = "link"
_PASSWORD_CHANGED = "password-changed"  # noqa: S105 - a kind of letter
_EMAIL_CHANGING = "email-changing"
_WORTH_SENDING = timedelta(days=1)
_JOBS_KEPT = timedelta(days=7)

log = structlog.get_logger(__name__)


class Letters:
    """Asks for letters, and sends them. ``site_name`` is who writes, ``base_url`` where links lead."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        mailer: Mailer,
        throttling: Throttling,
        *,
        site_name: str,
        base_url: str,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._mailer = mailer
        self._throttling = throttling
        self._site_name = site_name
        self._base_url = base_url

    def send_link(self, session: Session, link: OneTimeLink) -> None:
        """Have the letter with ``link`` written after the commit of ``session``."""
        self._ask(session, _LINK, link.id)

    def tell_password_changed(self, session: Session, account: Account) -> None:
        """Have its owner told, after the commit of ``session``."""
        self._ask(session, _PASSWORD_CHANGED, account.id)

    def tell_email_changing(self, session: Session, link: OneTimeLink) -> None:
        """Have who has the address so far told that ``link`` will bring another."""
        self._ask(session, _EMAIL_CHANGING, link.id)

    def run(self, key: str, report: Report) -> None:
        """The job: write one letter and send it. Done twice, it comes twice, and the later link works.

        Raises JobFailed, JobWaits.
        """
        kind, about, _ = key.split(":")
        about_id = UUID(about)
        if kind == _LINK and self._is_one_too_many(about_id):
            log.info("a letter was left out: its reader gets too many")
            return
        with self._database.write() as session:
            letter = self._writers[kind](session, about_id)
        if letter is None:
            return
        try:
            self._mailer.send(letter)
        except MailRefused as error:
            log.warning("a letter was refused", letter=kind, error=str(error))
            raise JobFailed(str(error)) from error
        except MailUnavailable as error:
            self._require_worth(key)
            raise JobWaits(str(error)) from error
        if kind == _LINK:
            with self._database.write() as session:
                link = session.get(OneTimeLink, about_id)
                if link is not None:
                    link.sent_at = now()

    def tidy(self, session: Session) -> int:
        """Forget jobs of letters that were sent, or not, a week ago; returns how many."""
        ended = (JobState.DONE.value, JobState.FAILED.value)
        stale = delete(Job).where(
            Job.kind == JobKind.MAIL.value, Job.state.in_(ended), Job.finished_at < now() - _JOBS_KEPT
        )
        return len(session.scalars(stale.returning(Job.id)).all())

    def _ask(self, session: Session, kind: str, about: UUID) -> None:
        # A job of its own for each letter: the same may be due again a minute later.
        self._jobs.enqueue(session, JobKind.MAIL, f"{kind}:{about}:{new_id()}")

    def _is_one_too_many(self, link_id: UUID) -> bool:
        """Whether strangers had enough letters sent there. One that is tried again is none more, and neither
        is one that an administrator asks for."""
        with self._database.read() as session:
            link = session.get(OneTimeLink, link_id)
        if link is None or link.account_id is None or link.email is None or link.secret_hash or link.made_by:
            return False
        try:
            self._throttling.take((TO_ONE_ADDRESS, link.email))
        except TooManyRequests:
            return True
        return False

    def _require_worth(self, key: str) -> None:
        with self._database.read() as session:
            asked_at = session.scalar(
                select(Job.created_at).where(Job.kind == JobKind.MAIL.value, Job.key == key)
            )
        if asked_at is not None and asked_at < now() - _WORTH_SENDING:
            raise JobFailed("The mail server could not be used for a day.")

    @property
    def _writers(self) -> Mapping[str, Callable[[Session, UUID], Letter | None]]:
        return {
            _LINK: self._link,
            _PASSWORD_CHANGED: self._password_changed,
            _EMAIL_CHANGING: self._email_changing,
        }

    # Each writes one letter, or None when there is nobody to tell, or nothing any more.

    def _link(self, session: Session, link_id: UUID) -> Letter | None:
        link = session.get(OneTimeLink, link_id, with_for_update=True)
        if link is None or link.used_at is not None or link.email is None or link.expires_at <= now():
            return None
        purpose = LinkPurpose(link.purpose)
        account = None if link.account_id is None else session.get(Account, link.account_id)
        if purpose is not LinkPurpose.INVITATION:
            if account is None or account.blocked_at is not None:
                return None
            holder = session.scalar(select(Account).where(Account.email == link.email))
            if holder is not None and holder.id != account.id:
                link.used_at = now()
                confirms = purpose is LinkPurpose.CONFIRM
                return self._you_have_an_account(holder, link.email) if confirms else None
        where = links.address(self._base_url, purpose, links.write_down(link))
        match purpose:
            case LinkPurpose.CONFIRM:
                return self._confirm(link.email, where)
            case LinkPurpose.RESET:
                assert account is not None
                return self._reset(account, link.email, where)
            case LinkPurpose.INVITATION:
                return self._invitation(session, link, link.email, where)

    def _confirm(self, to: str, where: str) -> Letter:
        return self._letter(
            to,
            "Confirm your e-mail address",
            f"Somebody, most likely you, gave this address at {self._site_name}.",
            f"Open this page to confirm that it is yours:\n\n{where}",
            f"The link works once, for {_days(LinkPurpose.CONFIRM)}. If it was not you, do nothing: then the "
            "address is not used.",
            link=where,
        )

    def _you_have_an_account(self, holder: Account, to: str) -> Letter:
        return self._letter(
            to,
            "You have an account already",
            f"Somebody, most likely you, gave this address at {self._site_name}. It belongs to your account "
            f"there already, whose user name is {holder.username}.",
            f"Sign in:\n\n{self._base_url}/sign-in",
            f"If you do not know your password any more:\n\n{self._base_url}/forgotten-password",
            "If it was not you, there is nothing that you have to do.",
        )

    def _reset(self, account: Account, to: str, where: str) -> Letter:
        if account.password_hash is None:
            return self._letter(
                to,
                "Choose a password",
                f"You have an account at {self._site_name}. Your user name is {account.username}.",
                f"Open this page to choose a password:\n\n{where}",
                f"The link works once, for {_days(LinkPurpose.RESET)}. After that, ask for another:\n\n"
                f"{self._base_url}/forgotten-password",
                link=where,
            )
        return self._letter(
            to,
            "Choose a new password",
            f"Somebody, most likely you, asked for a new password at {self._site_name}."
            + (f" Your user name is {account.username}." if account.email == to else ""),
            f"Open this page to choose it:\n\n{where}",
            f"The link works once, for {_days(LinkPurpose.RESET)}. If it was not you, do nothing: your "
            "password stays as it is.",
            link=where,
        )

    def _invitation(self, session: Session, link: OneTimeLink, to: str, where: str) -> Letter:
        host = None if link.made_by is None else session.get(Account, link.made_by)
        who = "You are" if host is None else f"{host.display_name or host.username} has"
        invited = "invited" if host is None else "invited you"
        role = "" if link.role in (None, Role.MEMBER.value) else f" as {_A_ROLE[Role(link.role)]}"
        return self._letter(
            to,
            f"Your invitation to {self._site_name}",
            f"{who} {invited} to {self._site_name}{role}, where teachers share courses and find those of "
            "others.",
            f"Open this page to make your account:\n\n{where}",
            f"The link works once, for {_days(LinkPurpose.INVITATION)}.",
            link=where,
        )

    def _password_changed(self, session: Session, account_id: UUID) -> Letter | None:
        account = session.get(Account, account_id)
        if account is None or account.email is None:
            return None
        return self._letter(
            account.email,
            "Your password was changed",
            f"The password of your account {account.username} at {self._site_name} was changed, and every "
            "other browser was signed out.",
            f"If it was not you, choose another at once:\n\n{self._base_url}/forgotten-password",
        )

    def _email_changing(self, session: Session, link_id: UUID) -> Letter | None:
        link = session.get(OneTimeLink, link_id)
        account = None if link is None or link.account_id is None else session.get(Account, link.account_id)
        if link is None or account is None or account.email in (None, link.email):
            return None
        return self._letter(
            account.email or "",
            "Your e-mail address is about to change",
            f"Whoever is signed in to your account {account.username} at {self._site_name} gave another "
            "e-mail address. Once that is confirmed, letters go there and no more to this one.",
            f"If it was not you, choose another password at once:\n\n{self._base_url}/forgotten-password",
        )

    def _letter(self, to: str, subject: str, *paragraphs: str, link: str | None = None) -> Letter:
        text = "\n\n".join(["Hello,", *paragraphs, f"{self._site_name}\n{self._base_url}/"])
        return Letter(to=to, subject=subject, text=text + "\n", link=link)


_A_ROLE = {Role.MEMBER: "a member", Role.MODERATOR: "a moderator", Role.ADMINISTRATOR: "an administrator"}


def _days(purpose: LinkPurpose) -> str:
    lasts = links.LASTS[purpose]
    if lasts >= timedelta(days=1):
        return f"{lasts.days} days"
    return in_words(int(lasts.total_seconds()))
