"""``/api/v1/collections``: sets of resources that people put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.collection_schemas import (
    CollectedOut,
    CollectionChangeIn,
    CollectionIn,
    CollectionItemChangeIn,
    CollectionItemIn,
    CollectionItemOut,
    CollectionOut,
    CollectionPageOut,
    CollectionsQueryIn,
    CollectionSummaryOut,
    HideIn,
)
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import PageQuery
from repo_service.domain.identity import Scope
from repo_service.http.context import identity, services, site
from repo_service.http.idempotency import idempotent
from repo_service.services.collections import CollectedItem, CollectionRecord, FullCollection, IfMatch
from repo_service.services.records import Page, ResourceRecord

blueprint = APIBlueprint("collections", __name__, url_prefix="/api/v1", tag="Collections")

_WRITES = ("forbidden", "insufficient-scope", "gone", "precondition-failed")
_ONE = "/collections/<uuid:collection_id>"
_ITEM = f"{_ONE}/items/<uuid:resource_id>"


@blueprint.get("/collections")
@blueprint.input(CollectionsQueryIn, location="query", arg_name="query")
@blueprint.output(CollectionPageOut)
@blueprint.doc(
    operation_id="listCollections",
    security=operations.PUBLIC,
    responses=problems("invalid-cursor", "invalid-input"),
)
def collections(query: CollectionsQueryIn) -> Response:
    """The public collections, newest first

    Those that hold nothing that everybody sees are left out.
    """
    return _page(
        services().collections.public(identity(), limit=query.limit, cursor=query.cursor, owner=query.owner)
    )


@blueprint.get("/me/collections")
@blueprint.input(PageQuery, location="query", arg_name="query")
@blueprint.output(CollectionPageOut)
@blueprint.doc(
    operation_id="listOwnCollections",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", "insufficient-scope"),
)
def mine(query: PageQuery) -> Response:
    """My collections, newest first"""
    return _page(services().collections.mine(identity(), limit=query.limit, cursor=query.cursor))


@blueprint.post("/collections")
@idempotent(Scope.WRITE)
@blueprint.input(CollectionIn, location="json", arg_name="given")
@blueprint.output(CollectionOut, status_code=201)
@blueprint.doc(
    operation_id="createCollection",
    security=operations.BEARER,
    responses=problems(
        "conflict",
        "email-unconfirmed",
        "forbidden",
        "insufficient-scope",
        *operations.JSON_BODY,
        *operations.IDEMPOTENT,
    ),
)
def create(given: CollectionIn) -> Response:
    """Make a collection"""
    made = services().collections.create(identity(), given.description())
    return _collection(made, 201, {"Location": _api_url(made.record)})


@blueprint.get(_ONE)
@blueprint.output(CollectionOut)
@blueprint.doc(
    operation_id="getCollection",
    security=operations.PUBLIC,
    responses=problems(
        "gone", also={304: {"description": "Not modified: the copy with this ETag is current"}}
    ),
)
def get(collection_id: UUID) -> Response:
    """One collection with what is in it

    Resources that were withdrawn, or that are not public, are shown to the curator only.
    """
    found = services().collections.get(identity(), collection_id)
    asked = request.if_none_match
    if asked and asked.contains_weak(found.etag):  # front servers that compress weaken our tags
        return _cached(Response(status=304, mimetype="application/json"), found.etag)
    return _collection(found)


@blueprint.patch(_ONE)
@blueprint.input(CollectionChangeIn, location="json", arg_name="given")
@blueprint.output(CollectionOut)
@blueprint.doc(
    operation_id="describeCollection",
    security=operations.BEARER,
    responses=problems("email-unconfirmed", *operations.JSON_BODY, *_WRITES),
)
def describe(collection_id: UUID, given: CollectionChangeIn) -> Response:
    """Change the description, or who may see it

    Send the ETag you have read as `If-Match` to be told when somebody was faster.
    """
    return _collection(
        services().collections.describe(identity(), collection_id, given.description(), if_match=_if_match())
    )


@blueprint.delete(_ONE)
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="deleteCollection", security=operations.BEARER, responses=problems(*_WRITES))
def delete(collection_id: UUID) -> Response:
    """Delete a collection

    The resources in it stay. The address of one that was public answers 410 from then on.
    """
    services().collections.delete(identity(), collection_id, if_match=_if_match())
    return Response(status=204)


@blueprint.post(f"{_ONE}/items")
@blueprint.input(CollectionItemIn, location="json", arg_name="given")
@blueprint.output(CollectionOut, status_code=201)
@blueprint.doc(
    operation_id="addToCollection",
    security=operations.BEARER,
    responses=problems("conflict", *operations.JSON_BODY, *_WRITES),
)
def add(collection_id: UUID, given: CollectionItemIn) -> Response:
    """Put a resource into a collection, at its end

    It may belong to anybody, as long as everybody may see it.
    """
    changed = services().collections.add(
        identity(), collection_id, given.resource, note=given.note, if_match=_if_match()
    )
    return _collection(changed, 201)


@blueprint.patch(_ITEM)
@blueprint.input(CollectionItemChangeIn, location="json", arg_name="given")
@blueprint.output(CollectionOut)
@blueprint.doc(
    operation_id="changeCollectionItem",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_WRITES),
)
def change_item(collection_id: UUID, resource_id: UUID, given: CollectionItemChangeIn) -> Response:
    """Move a resource within a collection, or change its note"""
    return _collection(
        services().collections.change_item(
            identity(),
            collection_id,
            resource_id,
            note=given.note,
            position=given.position,
            if_match=_if_match(),
        )
    )


@blueprint.delete(_ITEM)
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="removeFromCollection", security=operations.BEARER, responses=problems(*_WRITES))
def remove(collection_id: UUID, resource_id: UUID) -> Response:
    """Take a resource out of a collection"""
    services().collections.remove(identity(), collection_id, resource_id, if_match=_if_match())
    return Response(status=204)


@blueprint.post(f"{_ONE}/hide")
@blueprint.input(HideIn, location="json", arg_name="given")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="hideCollection",
    security=operations.BEARER,
    responses=problems("forbidden", "insufficient-scope", "gone", *operations.JSON_BODY),
)
def hide(collection_id: UUID, given: HideIn) -> Response:
    """Hide a public collection from everybody but its curator (moderators)"""
    services().collections.hide(identity(), collection_id, reason=given.reason)
    return Response(status=204)


@blueprint.post(f"{_ONE}/show")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="showCollection",
    security=operations.BEARER,
    responses=problems("forbidden", "insufficient-scope", "gone", "conflict"),
)
def show(collection_id: UUID) -> Response:
    """Show a hidden collection again (moderators)"""
    services().collections.show(identity(), collection_id)
    return Response(status=204)


def _if_match() -> IfMatch:
    # Weak tags never match here (RFC 9110, section 13.1.1), and a star matches whatever is there.
    asked = request.if_match
    return asked.as_set() if asked and not asked.star_tag else None


def _page(page: Page[CollectionRecord]) -> Response:
    items = [CollectionSummaryOut(**_members(record)) for record in page.items]
    return answer(CollectionPageOut(items=items, next_cursor=page.next_cursor))


def _collection(
    found: FullCollection, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    out = CollectionOut(**_members(found.record), items=[_item(item) for item in found.items])
    return _cached(answer(out, status, headers), found.etag)


def _cached(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Authorization"
    return response


def _members(record: CollectionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "url": f"{site().base_url}/collections/{record.id}",
        "api_url": _api_url(record),
        "title": record.title,
        "summary": record.summary_html,
        "summary_text": record.summary_text,
        "languages": record.languages,
        "subjects": record.subjects,
        "visibility": record.visibility,
        "owner": record.owner,
        "owner_name": record.owner_name,
        "count": record.count,
        "published_at": record.published_at,
        "hidden_at": record.hidden_at,
        "hidden_reason": record.hidden_reason,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def _item(item: CollectedItem) -> CollectionItemOut:
    return CollectionItemOut(
        position=item.position,
        note=item.note,
        added_at=item.added_at,
        state=item.state,
        resource_id=item.resource_id,
        resource=None if item.resource is None else _collected(item.resource),
        reason=item.reason,
    )


def _collected(record: ResourceRecord) -> CollectedOut:
    return CollectedOut(
        id=record.id,
        url=f"{site().base_url}/resources/{record.id}",
        api_url=f"{site().base_url}/api/v1/resources/{record.id}",
        title=record.title,
        summary_text=record.summary_text,
        licence=record.licence,
        languages=list(record.languages),
        subjects=list(record.subjects),
        levels=list(record.levels),
        types=list(record.types),
        owner=record.owner,
        owner_name=record.owner_name,
        released_at=record.released_at,
    )


def _api_url(record: CollectionRecord) -> str:
    return f"{site().base_url}/api/v1/collections/{record.id}"
