"""Letters to people: asked for within a transaction, written and sent by a job after it.

So no request waits for a mail server, none tells by the time it takes whether there is an account, and a
letter that cannot be sent now goes later. The secret of a link is made when its letter is written: no row
ever holds it.

Letters hold nothing that a stranger typed, not even a user name: mail programs make links of those that look
like a host. Whoever signs up with somebody else's address must not reach their mailbox in our name.

They are written in the language of their reader's account; an invitation in that of whoever invites.
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
from repo_service.domain.reports import Decision
from repo_service.domain.resources import JobKind, JobState
from repo_service.domain.texts import Text, counted, text
from repo_service.languages import Language, best_of, language
from repo_service.models import Account, Job, OneTimeLink, Report, Resource
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.services import links
from repo_service.services.jobs import JobFailed, Jobs, JobWaits
from repo_service.services.jobs import Report as Progress
from repo_service.services.mailing import Letter, Mailer, MailRefused, MailUnavailable
from repo_service.services.throttling import Allowance, Throttling, in_words

TO_ONE_ADDRESS = Allowance(name="letters", burst=6, every=timedelta(minutes=20))
"""However many ask for letters to an address, whoever reads it gets no more than these."""

_LINK = "link"
_PASSWORD_CHANGED = "password-changed"  # noqa: S105 - a kind of letter
_EMAIL_CHANGING = "email-changing"
_BLOCKED = "blocked"
_DISMISSED = "dismissed"
_HIDDEN = "hidden"
_ANSWERED = "answered"
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

    def tell_blocked(self, session: Session, account: Account) -> None:
        """Have its owner told that an account is blocked, or works again."""
        self._ask(session, _BLOCKED, account.id)

    def tell_hidden(self, session: Session, resource: Resource) -> None:
        """Have the owner told that a moderator withdrew what is theirs."""
        self._ask(session, _HIDDEN, resource.id)

    def tell_dismissed(self, session: Session, report: Report) -> None:
        """Have the owner of what was reported told that it stays."""
        self._ask(session, _DISMISSED, report.id)

    def tell_reporter(self, session: Session, report: Report) -> None:
        """Have who wrote ``report`` told what became of it, if they can be reached."""
        self._ask(session, _ANSWERED, report.id)

    def run(self, key: str, report: Progress) -> None:
        """The job: write one letter and send it. Done twice, it comes twice, and the later link works.

        Raises JobFailed, JobWaits.
        """
        kind, about, _ = key.split(":")
        about_id = UUID(about)
        if self._is_one_too_many(key, kind, about_id):
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

    def _is_one_too_many(self, key: str, kind: str, about_id: UUID) -> bool:
        """Whether strangers had enough letters sent there. One that is tried again is none more."""
        with self._database.read() as session:
            email = _given_by_a_stranger(session, kind, about_id)
            attempts = select(Job.attempts).where(Job.kind == JobKind.MAIL.value, Job.key == key)
            if email is None or (session.scalar(attempts) or 0) > 1:
                return False
        try:
            self._throttling.take((TO_ONE_ADDRESS, email))
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
            _BLOCKED: self._blocked,
            _HIDDEN: self._hidden,
            _DISMISSED: self._dismissed,
            _ANSWERED: self._answered,
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
                assert account is not None
                return self._confirm(account, link.email, where)
            case LinkPurpose.RESET:
                assert account is not None
                return self._reset(account, link.email, where)
            case LinkPurpose.INVITATION:
                return self._invitation(session, link, link.email, where)

    def _confirm(self, account: Account, to: str, where: str) -> Letter:
        return self._letter(
            to,
            _language_of(account),
            text("Confirm your e-mail address"),
            text("Somebody, most likely you, gave this address at %(site)s.", site=self._site_name),
            text("Open this page to confirm that it is yours:"),
            where,
            text(
                "The link works once, for %(time)s. If it was not you, do nothing: then the address is not "
                "used.",
                time=_lasts(LinkPurpose.CONFIRM),
            ),
            link=where,
        )

    def _you_have_an_account(self, holder: Account, to: str) -> Letter:
        return self._letter(
            to,
            _language_of(holder),
            text("You have an account already"),
            text(
                "Somebody, most likely you, gave this address at %(site)s. It belongs to your account there "
                "already, whose user name is %(username)s.",
                site=self._site_name,
                username=holder.username,
            ),
            text("Sign in:"),
            self._page("/sign-in"),
            text("If you do not know your password any more:"),
            self._page("/forgotten-password"),
            text("If it was not you, there is nothing that you have to do."),
        )

    def _reset(self, account: Account, to: str, where: str) -> Letter:
        lasts = _lasts(LinkPurpose.RESET)
        if account.password_hash is None:
            return self._letter(
                to,
                _language_of(account),
                text("Choose a password"),
                text(
                    "You have an account at %(site)s. Your user name is %(username)s.",
                    site=self._site_name,
                    username=account.username,
                ),
                text("Open this page to choose a password:"),
                where,
                text("The link works once, for %(time)s. After that, ask for another:", time=lasts),
                self._page("/forgotten-password"),
                link=where,
            )
        return self._letter(
            to,
            _language_of(account),
            text("Choose a new password"),
            self._asked_for_password(account, to),
            text("Open this page to choose it:"),
            where,
            text(
                "The link works once, for %(time)s. If it was not you, do nothing: your password stays as it "
                "is.",
                time=lasts,
            ),
            link=where,
        )

    def _asked_for_password(self, account: Account, to: str) -> Text:
        if account.email != to:  # whoever typed that address typed the user name, too
            return text(
                "Somebody, most likely you, asked for a new password at %(site)s.", site=self._site_name
            )
        return text(
            "Somebody, most likely you, asked for a new password at %(site)s. Your user name is "
            "%(username)s.",
            site=self._site_name,
            username=account.username,
        )

    def _invitation(self, session: Session, link: OneTimeLink, to: str, where: str) -> Letter:
        """In the language of who invites: nothing is known yet of who is invited."""
        host = None if link.made_by is None else session.get(Account, link.made_by)
        return self._letter(
            to,
            _language_of(host),
            text("Your invitation to %(site)s", site=self._site_name),
            _invited(host, self._site_name),
            *([_YOUR_ROLE[link.role]] if link.role in _YOUR_ROLE else []),
            text("Open this page to make your account:"),
            where,
            text("The link works once, for %(time)s.", time=_lasts(LinkPurpose.INVITATION)),
            link=where,
        )

    def _password_changed(self, session: Session, account_id: UUID) -> Letter | None:
        account = session.get(Account, account_id)
        if account is None or account.email is None:
            return None
        return self._letter(
            account.email,
            _language_of(account),
            text("Your password was changed"),
            text(
                "The password of your account %(username)s at %(site)s was changed, and every other browser "
                "was signed out.",
                username=account.username,
                site=self._site_name,
            ),
            text("If it was not you, choose another at once:"),
            self._page("/forgotten-password"),
        )

    def _email_changing(self, session: Session, link_id: UUID) -> Letter | None:
        link = session.get(OneTimeLink, link_id)
        account = None if link is None or link.account_id is None else session.get(Account, link.account_id)
        if link is None or account is None or account.email in (None, link.email):
            return None
        return self._letter(
            account.email or "",
            _language_of(account),
            text("Your e-mail address is about to change"),
            text(
                "Whoever is signed in to your account %(username)s at %(site)s gave another e-mail address. "
                "Once that is confirmed, letters go there and no more to this one.",
                username=account.username,
                site=self._site_name,
            ),
            text("If it was not you, choose another password at once:"),
            self._page("/forgotten-password"),
        )

    def _blocked(self, session: Session, account_id: UUID) -> Letter | None:
        account = session.get(Account, account_id)
        if account is None or account.email is None:
            return None
        to, reads = account.email, _language_of(account)
        values = {"username": account.username, "site": self._site_name}
        if account.blocked_at is None:
            return self._letter(
                to,
                reads,
                text("Your account works again"),
                text("Your account %(username)s at %(site)s is not blocked any more. Sign in:", **values),
                self._page("/sign-in"),
            )
        reason = account.blocked_reason
        return self._letter(
            to,
            reads,
            text("Your account is blocked"),
            text(
                "An administrator has blocked your account %(username)s at %(site)s: nobody can sign in to "
                "it, and its tokens and connected sites do not work. What you shared stays where it is.",
                **values,
            ),
            *([text("The reason:"), reason] if reason else []),
            text("If this is a mistake, answer this letter."),
        )

    def _hidden(self, session: Session, resource_id: UUID) -> Letter | None:
        resource = session.get(Resource, resource_id)
        if resource is None or resource.owner.email is None or resource.withdrawn_at is None:
            return None
        return self._letter(
            resource.owner.email,
            _language_of(resource.owner),
            text("Your resource was hidden"),
            text(
                "A moderator of %(site)s has hidden your resource “%(title)s”: nobody can find or download "
                "it any more.",
                title=resource.title,
                site=self._site_name,
            ),
            text("The reason, which everybody reads who asks for it:"),
            resource.withdrawn_reason or "",
            text(
                "You cannot bring it back yourself; moderators can, as long as its files are kept. If this "
                "is a mistake, or you know how to put right what is wrong, answer this letter. You can also "
                "share a file without what is wrong as a new resource:"
            ),
            self._page("/upload"),
        )

    def _dismissed(self, session: Session, report_id: UUID) -> Letter | None:
        report = session.get(Report, report_id)
        resource = None if report is None else session.get(Resource, report.resource_id)
        if report is None or resource is None or resource.owner.email is None:
            return None
        return self._letter(
            resource.owner.email,
            _language_of(resource.owner),
            text("Your resource was reported and stays"),
            text(
                "Somebody reported your resource “%(title)s” at %(site)s. A moderator has looked at it and "
                "leaves it as it is. There is nothing that you have to do.",
                title=resource.title,
                site=self._site_name,
            ),
            text("The moderator says:"),
            report.note or "",
            self._page(f"/resources/{resource.id}"),
        )

    def _answered(self, session: Session, report_id: UUID) -> Letter | None:
        """Nothing of it was typed by the owner of what was reported, nor by who reported it."""
        report = session.get(Report, report_id)
        if report is None:
            return None
        account = None if report.reporter_id is None else session.get(Account, report.reporter_id)
        to = report.email if account is None else account.email
        if to is None:
            return None
        hidden = report.decision == Decision.HIDDEN.value
        tag = report.language if account is None else account.language
        return self._letter(
            to,
            _language(tag),
            text("Your report"),
            text("Somebody, most likely you, reported this at %(site)s:", site=self._site_name),
            self._page(f"/resources/{report.resource_id}"),
            text("A moderator has hidden it from everybody. Thank you for your help. The reason:")
            if hidden
            else text("A moderator has looked at it and leaves it as it is. The moderator says:"),
            report.note or "",
            *([] if hidden else [text("If something is wrong all the same, report it again and say more.")]),
        )

    def _letter(
        self, to: str, reads: Language, subject: Text, *paragraphs: str, link: str | None = None
    ) -> Letter:
        """One in the language that its reader ``reads``. Addresses of pages are paragraphs of their own."""
        said = [reads.say(part) for part in (text("Hello,"), *paragraphs)]
        body = "\n\n".join([*said, f"{self._site_name}\n{self._page('/')}"])
        return Letter(to=to, subject=reads.say(subject), text=body + "\n", link=link, language=reads.tag)

    def _page(self, path: str) -> str:
        return self._base_url + path


def _language_of(account: Account | None) -> Language:
    """What an account reads, where there are words in it: the service's own language for nobody."""
    return _language(None if account is None else account.language)


def _language(tag: str | None) -> Language:
    return language(best_of(() if tag is None else (tag,)))


def _given_by_a_stranger(session: Session, kind: str, about_id: UUID) -> str | None:
    """The address that a letter goes to, where anybody could have typed it; None for what an administrator
    asks for."""
    if kind == _ANSWERED:
        report = session.get(Report, about_id)
        return None if report is None else report.email
    link = session.get(OneTimeLink, about_id) if kind == _LINK else None
    if link is None or link.account_id is None or link.secret_hash or link.made_by:
        return None
    return link.email


def _lasts(purpose: LinkPurpose) -> Text:
    lasts = links.LASTS[purpose]
    if lasts >= timedelta(days=1):
        return counted("%(count)s day", "%(count)s days", lasts.days)
    return in_words(int(lasts.total_seconds()))


def _invited(host: Account | None, site: str) -> Text:
    if host is None:
        return text(
            "You are invited to %(site)s, where teachers share courses and find those of others.", site=site
        )
    return text(
        "%(host)s has invited you to %(site)s, where teachers share courses and find those of others.",
        host=host.display_name or host.username,
        site=site,
    )


_YOUR_ROLE: Mapping[str | None, Text] = {
    Role.MODERATOR.value: text("You will be a moderator there."),
    Role.ADMINISTRATOR.value: text("You will be an administrator there."),
}
"""What is more than a member."""
