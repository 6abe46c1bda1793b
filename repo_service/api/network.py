"""``/api/v1/network``: the index of what other servers publish, and who these are."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.network_schemas import (
    BlockedActorIn,
    BlockedActorOut,
    BlockedActorPageOut,
    BlockedActorQueryIn,
    HiddenEntryOut,
    HiddenEntryPageOut,
    HideEntryIn,
    InstanceIn,
    InstanceOut,
    InstancePageOut,
    InstanceQueryIn,
    NetworkChangesOut,
    NetworkChangesQueryIn,
    NetworkEntryOut,
    NetworkOut,
    NetworkQueryIn,
    NetworkSearchOut,
)
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import IndexHomeOut, PageQuery
from repo_service.api.searching import facet_counts, search_query
from repo_service.domain.search import OF_NETWORK
from repo_service.http.context import identity, services

blueprint = APIBlueprint("network", __name__, url_prefix="/api/v1/network", tag="The network")

_REFUSED = ("forbidden", "insufficient-scope")


@blueprint.get("")
@blueprint.output(NetworkOut)
@blueprint.doc(operation_id="getNetwork", security=operations.PUBLIC, responses=problems())
def network() -> Response:
    """Whose index it is

    A mirror follows the index of another service. It answers also while that does not: `followed_at` says how
    old what it knows may be.
    """
    mirror = services().network_mirror
    home = None if mirror is None else IndexHomeOut.model_validate(mirror.home())
    return answer(NetworkOut(mirror_of=home), headers={"Cache-Control": "no-cache"})


@blueprint.get("/search")
@blueprint.input(NetworkQueryIn, location="query", arg_name="query")
@blueprint.output(NetworkSearchOut)
@blueprint.doc(
    operation_id="searchNetwork",
    security=operations.PUBLIC,
    responses=problems("invalid-cursor", "invalid-input"),
)
def search(query: NetworkQueryIn) -> Response:
    """Search communities, collections, resources and users of approved servers

    What is here is not among them: search `/api/v1/resources` for that. Without words: newest first.
    """
    found = services().network.search(search_query(query, OF_NETWORK))
    return answer(
        NetworkSearchOut(
            items=[NetworkEntryOut.model_validate(item) for item in found.items],
            total=found.total,
            facets=facet_counts(found.facets),
            next_cursor=found.next_cursor,
        )
    )


@blueprint.get("/changes")
@blueprint.input(NetworkChangesQueryIn, location="query", arg_name="query")
@blueprint.output(NetworkChangesOut)
@blueprint.doc(
    operation_id="listNetworkChanges",
    security=operations.PUBLIC,
    responses=problems("invalid-cursor", "invalid-input"),
)
def changes(query: NetworkChangesQueryIn) -> Response:
    """Follow the index

    Ask again with the `cursor` of the answer before: whoever does so has the same index, a moment later.
    """
    found = services().network.changes(since=query.since, limit=query.limit)
    return answer(NetworkChangesOut.model_validate(found))


@blueprint.get("/entries/<uuid:entry_id>")
@blueprint.output(NetworkEntryOut)
@blueprint.doc(operation_id="getNetworkEntry", security=operations.PUBLIC, responses=problems())
def entry(entry_id: UUID) -> Response:
    """One entry of the index"""
    return answer(NetworkEntryOut.model_validate(services().network.get(entry_id)))


@blueprint.post("/entries/<uuid:entry_id>/hide")
@blueprint.input(HideEntryIn, location="json", arg_name="given")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="hideNetworkEntry",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_REFUSED),
)
def hide(entry_id: UUID, given: HideEntryIn) -> Response:
    """Show an entry to nobody, whatever its server says of it (moderators)"""
    services().network.hide(identity(), entry_id, reason=given.reason)
    return Response(status=204)


@blueprint.post("/entries/<uuid:entry_id>/show")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="showNetworkEntry",
    security=operations.BEARER,
    responses=problems("conflict", *_REFUSED),
)
def show(entry_id: UUID) -> Response:
    """Take that back (moderators)"""
    services().network.show(identity(), entry_id)
    return Response(status=204)


@blueprint.get("/hidden-entries")
@blueprint.input(PageQuery, location="query", arg_name="query")
@blueprint.output(HiddenEntryPageOut)
@blueprint.doc(
    operation_id="listHiddenNetworkEntries",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def hidden_entries(query: PageQuery) -> Response:
    """What moderators hid, and its server still has (moderators)"""
    page = services().network.hidden(identity(), limit=query.limit, cursor=query.cursor)
    return answer(
        HiddenEntryPageOut(
            items=[HiddenEntryOut.model_validate(one) for one in page.items], next_cursor=page.next_cursor
        )
    )


@blueprint.get("/instances")
@blueprint.input(InstanceQueryIn, location="query", arg_name="query")
@blueprint.output(InstancePageOut)
@blueprint.doc(
    operation_id="listInstances",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def instances(query: InstanceQueryIn) -> Response:
    """Servers that were heard of, newest first (administrators)"""
    page = services().instances.list(
        identity(), standing=query.standing, limit=query.limit, cursor=query.cursor
    )
    return answer(
        InstancePageOut(
            items=[InstanceOut.model_validate(one) for one in page.items], next_cursor=page.next_cursor
        )
    )


@blueprint.get("/instances/<host>")
@blueprint.output(InstanceOut)
@blueprint.doc(operation_id="getInstance", security=operations.BEARER, responses=problems(*_REFUSED))
def instance(host: str) -> Response:
    """One server (administrators)"""
    return answer(InstanceOut.model_validate(services().instances.get(identity(), host)))


@blueprint.put("/instances/<host>")
@blueprint.input(InstanceIn, location="json", arg_name="given")
@blueprint.output(InstanceOut)
@blueprint.doc(
    operation_id="decideInstance",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_REFUSED),
)
def decide(host: str, given: InstanceIn) -> Response:
    """Approve or block a server, or take that back (administrators)

    One that is approved is followed, and what it has in public is read, in the background.
    """
    record = services().instances.decide(identity(), host, given.standing, reason=given.reason)
    return answer(InstanceOut.model_validate(record))


@blueprint.get("/blocked-actors")
@blueprint.input(PageQuery, location="query", arg_name="query")
@blueprint.output(BlockedActorPageOut)
@blueprint.doc(
    operation_id="listBlockedActors",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def blocked_actors(query: PageQuery) -> Response:
    """Actors elsewhere that are not spoken with, newest first (administrators)"""
    page = services().instances.blocked_actors(identity(), limit=query.limit, cursor=query.cursor)
    return answer(
        BlockedActorPageOut(
            items=[BlockedActorOut.model_validate(one) for one in page.items], next_cursor=page.next_cursor
        )
    )


@blueprint.post("/blocked-actors")
@blueprint.input(BlockedActorIn, location="json", arg_name="given")
@blueprint.output(BlockedActorOut, status_code=201)
@blueprint.doc(
    operation_id="blockActor",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_REFUSED),
)
def block(given: BlockedActorIn) -> Response:
    """Speak with an actor no more (administrators)"""
    blocked = services().instances.block(identity(), given.actor, reason=given.reason)
    return answer(BlockedActorOut.model_validate(blocked), 201)


@blueprint.delete("/blocked-actors")
@blueprint.input(BlockedActorQueryIn, location="query", arg_name="query")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="unblockActor",
    security=operations.BEARER,
    responses=problems("invalid-input", *_REFUSED),
)
def unblock(query: BlockedActorQueryIn) -> Response:
    """Take that back (administrators)"""
    services().instances.unblock(identity(), query.actor)
    return Response(status=204)
