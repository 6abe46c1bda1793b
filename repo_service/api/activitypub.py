"""``/ap/``: what other servers read by ActivityPub, and where they post. Everybody reads the same; who posts
is known by the signature."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.domain.errors import MalformedRequest, NotFound, PayloadTooLarge, UnsupportedMediaType
from repo_service.federation import lists
from repo_service.federation.activities import activity_document
from repo_service.federation.addresses import (
    FIRST_PAGE,
    SERVICE,
    ActivityKind,
    ActorKind,
    ActorRef,
    ObjectKind,
    read_moment,
)
from repo_service.federation.contexts import LD_MEDIA_TYPE, MEDIA_TYPE
from repo_service.federation.messages import Message
from repo_service.http.activity_streams import (
    actor_answer,
    addresses,
    answer,
    require_home,
    resource_answer,
)
from repo_service.http.authentication import takes_signed_bodies
from repo_service.http.body import content_length, read_exactly
from repo_service.http.context import services, site
from repo_service.services.inbox import MOST_BYTES
from repo_service.services.throttling import address_block

blueprint = APIBlueprint("activitypub", __name__, url_prefix="/ap", enable_openapi=False)

PAGE_SIZE = 20
"""Activities on one page of an outbox."""

_ACTOR: Final = "/<any(accounts, collections):kind>/<uuid:actor_id>"
_DEED: Final = (
    "<any(resources, collections, accounts):of>/<uuid:id_>/<any(create, update, delete):kind>/<moment>"
)


@blueprint.before_request
def _require_home() -> None:
    require_home()


@blueprint.get("/service")
@blueprint.get(_ACTOR)
def actor(kind: str = ActorKind.SERVICE, actor_id: UUID | None = None) -> Response:
    """The service, a person or a collection."""
    return actor_answer(_ref(kind, actor_id))


@blueprint.get("/service/outbox")
@blueprint.get(f"{_ACTOR}/outbox")
def outbox(kind: str = ActorKind.SERVICE, actor_id: UUID | None = None) -> Response:
    """What an actor did: how much it is, or with ``?page=`` some of it."""
    ref, cursor = _ref(kind, actor_id), request.args.get("page")
    if cursor is None:
        return answer(lists.outbox(ref, services().outboxes.total(ref), addresses()))
    found = services().outboxes.page(ref, limit=PAGE_SIZE, cursor=None if cursor == FIRST_PAGE else cursor)
    page = lists.outbox_page(
        ref, found.items, cursor=cursor, next_cursor=found.next_cursor, addresses=addresses()
    )
    return answer(page)


@blueprint.get("/service/followers")
@blueprint.get(f"{_ACTOR}/followers")
def followers(kind: str = ActorKind.SERVICE, actor_id: UUID | None = None) -> Response:
    """How many follow an actor; who they are is nobody's business."""
    ref = _ref(kind, actor_id)
    known = services().actors.acquaintances(ref)
    return answer(lists.counted(addresses().followers(ref), known.followers))


@blueprint.get("/service/following")
@blueprint.get(f"{_ACTOR}/following")
def following(kind: str = ActorKind.SERVICE, actor_id: UUID | None = None) -> Response:
    """How many an actor follows."""
    ref = _ref(kind, actor_id)
    known = services().actors.acquaintances(ref)
    return answer(lists.counted(addresses().following(ref), known.following))


@blueprint.post("/inbox")
@blueprint.post("/service/inbox")
@blueprint.post(f"{_ACTOR}/inbox")
@takes_signed_bodies
def inbox(kind: str = ActorKind.SERVICE, actor_id: UUID | None = None) -> Response:
    """Take an activity for an actor, or for any of them. It is handled after the answer."""
    if actor_id is not None:
        services().actors.require(_ref(kind, actor_id))
    services().inbox.receive(_message(), address=address_block(request.remote_addr))
    return Response(status=HTTPStatus.ACCEPTED)


@blueprint.get("/resources/<uuid:resource_id>")
def resource(resource_id: UUID) -> Response:
    """A resource."""
    return resource_answer(resource_id)


@blueprint.get(f"/{_DEED}")
def activity(of: str, id_: UUID, kind: str, moment: str) -> Response:
    """What was done to a resource, a collection or a person."""
    at = _moment(moment)
    told = services().outboxes.activity(ActivityKind(kind), ObjectKind(of), id_, at)
    return answer(activity_document(told, addresses()))


@blueprint.get(f"/service/announce/{_DEED}")
def announcement(of: str, id_: UUID, kind: str, moment: str) -> Response:
    """The service's telling of that."""
    at = _moment(moment)
    told = services().outboxes.announcement(ActivityKind(kind), ObjectKind(of), id_, at)
    return answer(activity_document(told, addresses()))


@blueprint.get("/collections/<uuid:collection_id>/announce/<uuid:resource_id>/<moment>")
def collected(collection_id: UUID, resource_id: UUID, moment: str) -> Response:
    """A collection's telling of what was put into it."""
    told = services().outboxes.collected(collection_id, resource_id, _moment(moment))
    return answer(activity_document(told, addresses()))


def _ref(kind: str, actor_id: UUID | None) -> ActorRef:
    return SERVICE if actor_id is None else ActorRef(ActorKind(kind), actor_id)


def _message() -> Message:
    """The request as it was signed. Raises UnsupportedMediaType, LengthRequired, PayloadTooLarge,
    MalformedRequest, SizeMismatch."""
    if request.mimetype not in (MEDIA_TYPE, LD_MEDIA_TYPE):
        raise UnsupportedMediaType(f"Send an activity as {MEDIA_TYPE}.", supported=[MEDIA_TYPE])
    if content_length(request.environ) > MOST_BYTES:
        raise PayloadTooLarge("This is longer than an activity may be.", limit=MOST_BYTES)
    body = b"".join(read_exactly(request.environ))
    try:
        return Message.received(
            method=request.method,
            origin=site().base_url,
            path=request.environ["PATH_INFO"].encode("latin-1"),
            query=request.environ.get("QUERY_STRING", ""),
            headers=request.headers.items(),
            body=body,
        )
    except ValueError as error:
        raise MalformedRequest("This is no request that could have been signed.") from error


def _moment(written: str) -> datetime:
    try:
        return read_moment(written)
    except ValueError as error:
        raise NotFound from error
