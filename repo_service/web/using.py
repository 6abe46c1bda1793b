"""Usage over time, for moderators, as plots and as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from flask import Response

from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.services.usage import Week
from repo_service.web.blueprint import blueprint
from repo_service.web.plots import Plot, plot_of
from repo_service.web.rendering import number, page, size
from repo_service.web.signing import for_the_signed_in
from repo_service.web.speaking import spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A row of numbers: what it is called on the page, and its plot. ``name`` begins ids."""

    name: str
    title: str
    plot: Plot


_BY_WEEK: Sequence[tuple[str, str, Callable[[Week], int], Callable[[int], str]]] = (
    ("resources", text("New resources"), lambda week: week.resources, number),
    ("versions", text("New versions"), lambda week: week.versions, number),
    ("bytes", text("Bytes added"), lambda week: week.bytes, size),
    ("people", text("New people"), lambda week: week.people, number),
)


@blueprint.get("/look-after/usage")
@for_the_signed_in
def usage() -> Response:
    """What was added, and downloaded."""
    weeks = services().usage.weeks(identity())
    days = services().usage.days(identity())
    mondays = [_said(week.monday) for week in weeks]
    return page(
        "usage.html",
        by_week=[
            Series(name=name, title=title, plot=plot_of([value(week) for week in weeks], mondays, read))
            for name, title, value, read in _BY_WEEK
        ],
        weeks=weeks,
        downloads=Series(
            name="downloads",
            title=text("Downloads"),
            plot=plot_of([day.downloads for day in days], [_said(day.day) for day in days], number),
        ),
        days=days,
        said=_said,
    )


def _said(day: date) -> str:
    return spoken().day(datetime.combine(day, time(), UTC))
