"""The overview of those who look after the service: what needs them, and the way there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, url_for

from repo_service.domain.identity import AccountState, Scope
from repo_service.domain.network import Standing
from repo_service.domain.resources import JobState
from repo_service.domain.texts import counted, text
from repo_service.http.context import identity, services
from repo_service.services.accounts import require_scope
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One subject: where it is looked after, the words for what is there, and whether somebody is needed."""

    url: str
    title: str
    words: str
    needs_you: bool = False


@blueprint.get("/look-after")
@for_the_signed_in
def look_after() -> Response:
    """Everything there is to look after, for whoever may."""
    who = identity()
    require_scope(who, Scope.MODERATE)
    tiles = [*_for_moderators(), *(_for_administrators() if who.has(Scope.ADMINISTER) else ())]
    return page("overview.html", tiles=tiles)


def _for_moderators() -> Iterator[Tile]:
    waiting = services().reporting.count_waiting(identity())
    yield Tile(
        url=url_for("web.reports"),
        title=text("Reports"),
        words=counted("%(count)s resource waits", "%(count)s resources wait", waiting),
        needs_you=waiting > 0,
    )
    hidden = services().network.count_hidden(identity())
    yield Tile(
        url=url_for("web.hidden_entries"),
        title=text("Hidden entries"),
        words=counted("%(count)s entry of another server", "%(count)s entries of other servers", hidden),
    )
    yield Tile(url=url_for("web.audit"), title=text("Audit"), words=text("Who did what"))
    yield Tile(url=url_for("web.usage"), title=text("Usage"), words=text("What was added and downloaded"))


def _for_administrators() -> Iterator[Tile]:
    who = identity()
    blocked = services().accounts.count(who, AccountState.BLOCKED)
    yield Tile(
        url=url_for("web.people"),
        title=text("People"),
        words=counted("%(count)s account blocked", "%(count)s accounts blocked", blocked),
    )
    yield Tile(
        url=url_for("web.invitations"),
        title=text("Invitations"),
        words=text("Invite people"),
    )
    pending = services().clients.count_pending(who)
    yield Tile(
        url=url_for("web.sites"),
        title=text("Sites"),
        words=counted("%(count)s site waits", "%(count)s sites wait", pending),
        needs_you=pending > 0,
    )
    yield _servers()
    counts = services().job_board.counts(who)
    failed = sum(count.count for count in counts if count.state is JobState.FAILED)
    yield Tile(
        url=url_for("web.jobs", state=JobState.FAILED.value if failed else None),
        title=text("Jobs"),
        words=counted("%(count)s job failed", "%(count)s jobs failed", failed),
        needs_you=failed > 0,
    )
    yield _storage()


def _servers() -> Tile:
    instances, who = services().instances, identity()
    silent = instances.count(who, Standing.APPROVED, silent=True)
    if silent:
        words = counted("%(count)s server does not answer", "%(count)s servers do not answer", silent)
    else:
        approved = instances.count(who, Standing.APPROVED)
        words = counted("%(count)s server approved", "%(count)s servers approved", approved)
    return Tile(url=url_for("web.servers"), title=text("Other servers"), words=words, needs_you=silent > 0)


def _storage() -> Tile:
    stores = services().storage_report.stores(identity())
    silent = sum(store.answers is False for store in stores)
    wrong = sum(store.wrong for store in stores)
    if silent:
        words = counted("%(count)s store does not answer", "%(count)s stores do not answer", silent)
    elif wrong:
        words = counted("%(count)s copy is not right", "%(count)s copies are not right", wrong)
    else:
        words = text("All copies are as they should be")
    return Tile(
        url=url_for("web.storage"), title=text("Storage"), words=words, needs_you=bool(silent or wrong)
    )
