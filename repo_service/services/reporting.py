"""Reports: anybody says what is wrong with a resource, and moderators decide.

All open reports of one resource are decided together. What a moderator has not seen is not dismissed: a
report that came meanwhile stays open. Nobody decides over a resource of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from repo_service.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.reports import Decision, ReportReason
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.models import Account, Report, Resource
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_language, require_scope
from repo_service.services.descriptions import plain_line
from repo_service.services.emails import normalise_email
from repo_service.services.letters import Letters
from repo_service.services.reading import visible
from repo_service.services.records import Page, name_of
from repo_service.services.replication import Replicator
from repo_service.services.throttling import Allowance, Throttling
from repo_service.services.trail import audit, record_change
from repo_service.services.withdrawing import withdraw_now

WORDS_LENGTH = 2000
NOTE_LENGTH = 1000
SHOWN = 50
"""Reports of one resource that are shown: the newest."""
EMAIL_KEPT = timedelta(days=30)
"""How long after the decision the address of somebody without an account is kept."""

REPORT_FROM = Allowance(name="report-from", burst=30, every=timedelta(minutes=2))
"""From one address block: a school may have one address for all."""
REPORT_HERE = Allowance(name="report-here", burst=3, every=timedelta(hours=1))
"""About one resource from one address block."""
REPORT_ABOUT = Allowance(name="report-about", burst=50, every=timedelta(minutes=10))
"""About one resource from everywhere: a moderator has enough to read by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """One report. ``reporter`` is a user name, None for somebody who was not signed in; ``wants_to_know``
    says that they can be told what became of it."""

    id: UUID
    reason: ReportReason
    words: str
    reporter: str | None
    wants_to_know: bool
    created_at: datetime
    decision: Decision | None
    note: str | None
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRecord:
    """A resource with its reports: how many wait for a decision, how many were decided, and the newest
    ``SHOWN``. ``is_own`` says that the asker cannot decide, for it is theirs."""

    resource_id: UUID
    title: str
    owner: str
    owner_name: str
    visibility: Visibility
    withdrawn_reason: str | None
    is_own: bool
    waiting: int
    decided: int
    reports: tuple[ReportRecord, ...]


class Reporting:
    """Use cases about reports. ``address`` is always a block (``address_block``)."""

    def __init__(
        self, database: Database, letters: Letters, replicator: Replicator, throttling: Throttling
    ) -> None:
        self._database = database
        self._letters = letters
        self._replicator = replicator
        self._throttling = throttling

    def require_reportable(self, identity: Identity, resource_id: UUID) -> None:
        """Refuse what cannot be reported: one's own, and what not everybody can see.

        Raises NotFound, Gone, Conflict.
        """
        with self._database.read() as session:
            _reportable(session, identity, resource_id)

    def report(
        self,
        identity: Identity,
        resource_id: UUID,
        *,
        reason: ReportReason,
        words: str,
        email: str | None,
        language: str,
        address: str,
    ) -> UUID:
        """Say what is wrong with a resource; returns the report's id. ``email`` is for who is not signed in,
        and wants to be told in ``language`` (BCP 47) what becomes of it.

        Raises NotFound, Gone, Conflict, InvalidInput, TooManyRequests.
        """
        errors: list[FieldError] = []
        words = words.strip()[:WORDS_LENGTH]
        if not words:
            errors.append(FieldError("/words", "Say in a few words what is wrong."))
        if identity.account_id is not None:
            email = None  # it is known where they are reached
        elif email is not None:
            try:
                email = normalise_email(email)
            except InvalidInput as error:
                errors += error.errors
        if errors:
            raise InvalidInput(errors=errors)
        require_language(language)
        self.require_reportable(identity, resource_id)
        here, about = f"{resource_id} {address}", str(resource_id)
        self._throttling.take((REPORT_FROM, address), (REPORT_HERE, here), (REPORT_ABOUT, about))
        with self._database.write() as session:
            resource = _reportable(session, identity, resource_id)
            report = Report(
                resource_id=resource.id,
                reason=reason.value,
                words=words,
                reporter_id=identity.account_id,
                email=email,
                language=None if email is None else language,
            )
            session.add(report)
            session.flush()
            audit(session, identity, "report", Noun.RESOURCE, resource.id, reason=reason.value)
            record_change(session, Noun.REPORT, report.id, ChangeKind.CREATED)
            return report.id

    def count_waiting(self, identity: Identity) -> int:
        """How many resources wait for a decision."""
        require_scope(identity, Scope.MODERATE)
        with self._database.read() as session:
            counted = select(func.count(Report.resource_id.distinct())).where(Report.decided_at.is_(None))
            return session.scalar(counted) or 0

    def list(
        self, identity: Identity, *, decided: bool = False, limit: int, cursor: str | None = None
    ) -> Page[ReportedRecord]:
        """Resources with reports that wait for a decision, or with ``decided`` ones, by their newest report.

        Raises InvalidCursor.
        """
        require_scope(identity, Scope.MODERATE)
        newer = aliased(Report)
        query = (
            select(Report.id, Report.resource_id)
            .where(
                _is_decided(Report.decided_at, decided),
                ~exists().where(
                    newer.resource_id == Report.resource_id,
                    newer.id > Report.id,
                    _is_decided(newer.decided_at, decided),
                ),
            )
            .order_by(Report.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(Report.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            rows = session.execute(query).all()
            return paging.page_of(
                rows,
                limit,
                key=lambda row: row.id,
                record=lambda row: _record(session, identity, row.resource_id),
            )

    def get(self, identity: Identity, resource_id: UUID) -> ReportedRecord:
        """One resource with its reports. Raises NotFound when nobody ever reported it."""
        require_scope(identity, Scope.MODERATE)
        with self._database.read() as session:
            record = _record(session, identity, resource_id)
        if not record.reports:
            raise NotFound("Nobody has reported this.")
        return record

    def decide(
        self,
        identity: Identity,
        resource_id: UUID,
        decision: Decision,
        *,
        note: str,
        until: UUID | None = None,
    ) -> ReportedRecord:
        """Hide a resource from everybody, who read ``note`` in its place, or dismiss what was reported up to
        the report ``until``, all of it without one. Its owner and who reported it are told by letter.

        Raises NotFound, Conflict when everything is decided already, Forbidden for one's own, InvalidInput.
        """
        require_scope(identity, Scope.MODERATE)
        note = plain_line(note)[:NOTE_LENGTH]
        if not note:
            raise InvalidInput(
                errors=[FieldError("/note", "Say in a few words why: its owner gets it by letter.")]
            )
        with self._database.write() as session:
            resource = session.get(Resource, resource_id, with_for_update=True)
            if resource is None:
                raise NotFound("Nobody has reported this.")
            if resource.owner_id == identity.account_id:
                raise Forbidden("This is your own: another moderator has to decide.")
            query = select(Report).where(Report.resource_id == resource_id, Report.decided_at.is_(None))
            if until is not None and decision is Decision.DISMISSED:
                query = query.where(Report.id <= until)
            reports = session.scalars(query.order_by(Report.id).with_for_update()).all()
            if not reports:
                reported = select(Report.id).where(Report.resource_id == resource_id).limit(1)
                if session.scalar(reported) is None:
                    raise NotFound("Nobody has reported this.")
                raise Conflict("Another moderator was faster: these reports are decided already.")
            moment = now()
            for report in reports:
                report.decision, report.note = decision.value, note
                report.decided_by, report.decided_at = identity.account_id, moment
            if decision is Decision.HIDDEN:
                withdraw_now(
                    session,
                    identity,
                    resource,
                    reason=note,
                    replicator=self._replicator,
                    letters=self._letters,
                )
            else:
                self._letters.tell_dismissed(session, reports[-1])
            audit(
                session,
                identity,
                "decide reports",
                Noun.RESOURCE,
                resource.id,
                decision=decision.value,
                note=note,
                reports=[str(report.id) for report in reports],
            )
            for report in _one_a_reader(reports):
                self._letters.tell_reporter(session, report)
            session.flush()
            return _record(session, identity, resource_id)

    def tidy(self) -> int:
        """Forget the addresses of people who were told what became of their report; returns how many."""
        with self._database.write() as session:
            told = (
                update(Report)
                .where(Report.email.is_not(None), Report.decided_at < now() - EMAIL_KEPT)
                .values(email=None)
                .returning(Report.id)
            )
            return len(session.scalars(told).all())


def _reportable(session: Session, identity: Identity, resource_id: UUID) -> Resource:
    resource = visible(session, identity, resource_id)
    if resource.visibility != Visibility.PUBLIC.value:
        raise Conflict("Only what everybody can see can be reported.")
    if resource.owner_id == identity.account_id:
        raise Conflict("This is your own: you can change or withdraw it.")
    return resource


def _is_decided(decided_at: InstrumentedAttribute[datetime | None], decided: bool) -> ColumnElement[bool]:
    return decided_at.is_not(None) if decided else decided_at.is_(None)


def _one_a_reader(reports: Sequence[Report]) -> list[Report]:
    """One report of each who can be told: nobody gets the same letter twice."""
    readers = {report.reporter_id or report.email: report for report in reports}
    readers.pop(None, None)
    return list(readers.values())


def _record(session: Session, identity: Identity, resource_id: UUID) -> ReportedRecord:
    owner = session.execute(
        select(
            Resource.title,
            Resource.visibility,
            Resource.withdrawn_reason,
            Resource.owner_id,
            Account.username,
            Account.display_name,
            Account.erased_at,
        )
        .join(Account, Account.id == Resource.owner_id)
        .where(Resource.id == resource_id)
    ).one_or_none()
    if owner is None:
        raise NotFound("Nobody has reported this.")
    waiting = func.count().filter(Report.decided_at.is_(None))
    counts = session.execute(
        select(func.count().label("all"), waiting.label("waiting")).where(Report.resource_id == resource_id)
    ).one()
    reporter, moderator = aliased(Account), aliased(Account)
    rows = session.execute(
        select(Report, reporter.username, reporter.email.label("address"), moderator.username.label("by"))
        .outerjoin(reporter, reporter.id == Report.reporter_id)
        .outerjoin(moderator, moderator.id == Report.decided_by)
        .where(Report.resource_id == resource_id)
        .order_by(Report.id.desc())
        .limit(SHOWN)
    ).all()
    return ReportedRecord(
        resource_id=resource_id,
        title=owner.title,
        owner=owner.username,
        owner_name=name_of(owner.display_name, owner.erased_at),
        visibility=Visibility(owner.visibility),
        withdrawn_reason=owner.withdrawn_reason,
        is_own=owner.owner_id == identity.account_id,
        waiting=counts.waiting,
        decided=counts.all - counts.waiting,
        reports=tuple(
            ReportRecord(
                id=row.Report.id,
                reason=ReportReason(row.Report.reason),
                words=row.Report.words,
                reporter=row.username,
                wants_to_know=bool(row.Report.email or row.address),
                created_at=row.Report.created_at,
                decision=None if row.Report.decision is None else Decision(row.Report.decision),
                note=row.Report.note,
                decided_by=row.by,
                decided_at=row.Report.decided_at,
            )
            for row in rows
        ),
    )
