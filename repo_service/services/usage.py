"""Usage over time: what was added week by week, and how much was downloaded day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, distinct, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from repo_service.domain.identity import Identity, Scope
from repo_service.federation.nodeinfo import Numbers
from repo_service.models import Account, Blob, Collection, DownloadCount, Resource, Token, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import SHOWN, require_scope
from repo_service.services.collections import HOLDS_SOMETHING, SHOWN_TO_ALL
from repo_service.services.published import IS_OURS, IS_PUBLIC

WEEKS = 52
DAYS = 90
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_MONTH = timedelta(days=30)
_HALF_YEAR = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What was added in the week that began on that ``monday`` (UTC): ``bytes`` are those of the versions."""

    monday: date
    resources: int
    versions: int
    bytes: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How often public files were downloaded on a day (UTC)."""

    day: date
    downloads: int


class Usage:
    """Use cases about numbers. None of them is about a person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def numbers(self) -> Numbers:
        """How much there is, for everybody."""
        with self._database.read() as session:

            def count(query: Select[Any]) -> int:
                return session.scalar(query) or 0

            people = select(func.count()).select_from(Account).where(Account.blocked_at.is_(None))
            active = (
                select(func.count(distinct(Token.account_id)))
                .join(Account, Account.id == Token.account_id)
                .where(Account.blocked_at.is_(None))
            )
            return Numbers(
                people=count(people),
                active_in_month=count(active.where(Token.last_used_at >= now() - _MONTH)),
                active_in_half_year=count(active.where(Token.last_used_at >= now() - _HALF_YEAR)),
                resources=count(select(func.count()).select_from(Resource).where(IS_OURS, IS_PUBLIC)),
                collections=count(
                    select(func.count())
                    .select_from(Collection)
                    .join(Account, Account.id == Collection.owner_id)
                    .where(SHOWN_TO_ALL, HOLDS_SOMETHING, SHOWN)
                ),
            )

    def weeks(self, identity: Identity) -> Sequence[Week]:
        """The last ``WEEKS``, the present one included and last. For moderators."""
        require_scope(identity, Scope.MODERATE)
        present = _monday(now().date())
        first = present - (WEEKS - 1) * _WEEK
        one = func.count()
        with self._database.read() as session:
            resources = _by_week(session, Resource.created_at, select(one).select_from(Resource), first)
            people = _by_week(session, Account.created_at, select(one).select_from(Account), first)
            versions = _by_week(session, Version.created_at, select(one).select_from(Version), first)
            sizes = select(func.coalesce(func.sum(Blob.size), 0)).join(Version, Version.digest == Blob.digest)
            size = _by_week(session, Version.created_at, sizes, first)
        return [
            Week(
                monday=monday,
                resources=resources[monday],
                versions=versions[monday],
                bytes=size[monday],
                people=people[monday],
            )
            for monday in _steps(first, present, _WEEK)
        ]

    def days(self, identity: Identity) -> Sequence[Day]:
        """The last ``DAYS``, today included and last, for moderators. The last minute of each process may be
        missing."""
        require_scope(identity, Scope.MODERATE)
        today = now().date()
        first = today - (DAYS - 1) * _DAY
        with self._database.read() as session:
            query = select(DownloadCount.day, DownloadCount.downloads).where(DownloadCount.day >= first)
            counted = {row.day: row.downloads for row in session.execute(query)}
        return [Day(day=day, downloads=counted.get(day, 0)) for day in _steps(first, today, _DAY)]


def _by_week(
    session: Session, moment: InstrumentedAttribute[datetime], amount: Select[Any], first: date
) -> Counter[date]:
    """``amount`` by the Monday before ``moment``, from ``first`` on. The database adds up days, which both of
    them can; there are few of those."""
    day = _day_of(session, moment)
    since = datetime.combine(first, time(), UTC)
    found: Counter[date] = Counter()
    for count, on in session.execute(amount.add_columns(day).where(moment >= since).group_by(day)):
        found[_monday(date.fromisoformat(str(on)))] += int(count)
    return found


def _day_of(session: Session, moment: InstrumentedAttribute[datetime]) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone(literal_column("'UTC'"), moment))
    return func.date(moment)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _steps(first: date, last: date, step: timedelta) -> Iterator[date]:
    while first <= last:
        yield first
        first += step
