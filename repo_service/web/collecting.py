"""Collections as people look at them: all there are, one with what is in it, one's own."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request
from markupsafe import Markup
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.identity import PUBLIC, Scope
from repo_service.federation.addresses import ActorKind, ActorRef
from repo_service.federation.contexts import LD_MEDIA_TYPE
from repo_service.http.activity_streams import actor_answer, json_answer
from repo_service.http.context import identity, services
from repo_service.http.negotiation import also_as
from repo_service.services.collections import FullCollection
from repo_service.web.blueprint import blueprint
from repo_service.web.metadata import collection_json_ld_of, collection_metadata_of
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

PAGE_SIZE = 20


@blueprint.get("/collections")
def collections() -> Response:
    """All that are public."""
    cursor = request.args.get("cursor") or None
    return page(
        "collections.html",
        listed=services().collections.public(identity(), limit=PAGE_SIZE, cursor=cursor),
        is_first=cursor is None,
        mine=False,
    )


@blueprint.get("/collections/mine")
@for_the_signed_in
def my_collections() -> AnyResponse:
    """One's own."""
    cursor = request.args.get("cursor") or None
    return page(
        "collections.html",
        listed=services().collections.mine(identity(), limit=PAGE_SIZE, cursor=cursor),
        is_first=cursor is None,
        mine=True,
    )


def collection_activity(collection_id: UUID) -> AnyResponse:
    """The collection as an actor."""
    return actor_answer(ActorRef(ActorKind.COLLECTION, collection_id))


def collection_metadata(collection_id: UUID) -> AnyResponse:
    """What everybody may know of a collection, as harvesters read it."""
    found = services().collections.get(PUBLIC, collection_id)
    return json_answer(collection_json_ld_of(found), mimetype=LD_MEDIA_TYPE)


@blueprint.get("/collections/<uuid:collection_id>")
@also_as(activity=collection_activity, metadata=collection_metadata)
def collection(collection_id: UUID) -> AnyResponse:
    """One, with what is in it."""
    return collection_page(services().collections.get(identity(), collection_id))


def collection_page(found: FullCollection, *, status: int = 200, refusal: str = "") -> Response:
    """The page of one; ``refusal`` says why what was just asked for was not done."""
    who = identity()
    record = found.record
    return page(
        "collection.html",
        status=status,
        collection=record,
        items=found.items,
        unseen=sum(item.resource is None for item in found.items),
        summary=Markup(record.summary_html),  # noqa: S704 - the services keep sanitised HTML only
        may_edit=record.is_own and who.has(Scope.WRITE),
        may_moderate=who.has(Scope.MODERATE) and not record.is_own,
        metadata=collection_metadata_of(found) if record.is_shown else None,
        refusal=refusal,
    )
