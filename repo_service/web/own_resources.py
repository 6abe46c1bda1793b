"""My resources: all that one has shared, where each thing stands, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from flask import request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.resources import JobState, Order, Standing
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.services.possessions import Possession
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

Choice = TypeVar("Choice", bound=StrEnum)

_PAGE_SIZE = 20

# The names of the states, as they stand beside each resource.
_STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ATTENTION: text("Needs attention"),
    Standing.DRAFT: text("Draft"),
    Standing.WAITING: text("Waiting"),
    Standing.PUBLIC: text("Public"),
    Standing.WITHDRAWN: text("Withdrawn"),
}
_ORDERS: Final[Mapping[Order, str]] = {
    Order.NEWEST: text("Newest first"),
    Order.CHANGED: text("Last changed first"),
    Order.TITLE: text("By title"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Something to choose. ``url`` is this page with it."""

    name: str
    url: str
    chosen: bool
    count: int = 0


@blueprint.get("/mine")
@for_the_signed_in
def mine() -> AnyResponse:
    """Everything that one has shared, drafts and withdrawn ones included."""
    cursor = request.args.get("cursor") or None
    standing = _asked(Standing, "state")
    order = _asked(Order, "sort") or Order.NEWEST
    listed = services().possessions.find(
        identity(), limit=_PAGE_SIZE, standing=standing, order=order, cursor=cursor
    )
    counts = services().possessions.count(identity())
    return page(
        "mine.html",
        listed=listed,
        why=why,
        standings=_filters(counts, standing, order),
        orders=[
            Link(name=name, url=_here(standing, each), chosen=each is order) for each, name in _ORDERS.items()
        ],
        has_any=bool(counts),
        account=services().accounts.own(identity()),
        first_url=None if cursor is None else _here(standing, order),
        next_url=None if listed.next_cursor is None else _here(standing, order, listed.next_cursor),
        sites_waiting=services().clients.count_pending(identity()),
    )


def why(possession: Possession) -> str:
    """What an owner has to decide about; empty when nothing wants them."""
    if possession.standing is not Standing.ATTENTION:
        return ""
    version = possession.resource.versions[0]
    if version.processing.state is JobState.FAILED:
        return version.processing.reason or text("The file could not be read.")
    if version.release_refused is not None:
        return version.release_refused["detail"]
    return text("It holds personal data or keys, so it cannot be released as it is.")


def _filters(counts: Mapping[Standing, int], chosen: Standing | None, order: Order) -> Sequence[Link]:
    """Those that there is anything of, and the one that is chosen."""
    everything = Link(
        name=text("All"), url=_here(None, order), chosen=chosen is None, count=sum(counts.values())
    )
    return [everything] + [
        Link(name=name, url=_here(each, order), chosen=each is chosen, count=counts.get(each, 0))
        for each, name in _STANDINGS.items()
        if each in counts or each is chosen
    ]


def _here(standing: Standing | None, order: Order, cursor: str | None = None) -> str:
    return url_for(
        "web.mine",
        state=None if standing is None else standing.value,
        sort=None if order is Order.NEWEST else order.value,
        cursor=cursor,
    )


def _asked(choices: type[Choice], argument: str) -> Choice | None:
    """What an address asks for; None for what there is not."""
    value = request.args.get(argument)
    return next((choice for choice in choices if choice.value == value), None)
