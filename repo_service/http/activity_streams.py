"""Answers in ActivityStreams, for the addresses under ``/ap/`` and for those of the pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request

from repo_service.domain.errors import NotFound
from repo_service.federation import contexts
from repo_service.federation.actors import actor_document
from repo_service.federation.addresses import ActorRef, Addresses
from repo_service.federation.objects import Tombstone, object_document
from repo_service.http.context import services, site

_TAG_LENGTH: Final = 24


def addresses() -> Addresses:
    """Where everything of this service is."""
    return Addresses(site().base_url)


def require_home() -> None:
    """Refuse on a mirror: what is there belongs to others, who publish it themselves. Raises NotFound."""
    if site().read_only:
        raise NotFound


def actor_answer(ref: ActorRef) -> Response:
    """An actor, or its tombstone. Raises NotFound."""
    require_home()
    found = services().actors.get(ref)
    if isinstance(found, Tombstone):
        return answer(object_document(found, addresses()), status=HTTPStatus.GONE)
    return answer(actor_document(found, services().actors.keys(ref), addresses()))


def resource_answer(resource_id: UUID) -> Response:
    """A resource, or its tombstone. Raises NotFound."""
    require_home()
    found = services().published.get(resource_id)
    status = HTTPStatus.GONE if isinstance(found, Tombstone) else HTTPStatus.OK
    return answer(object_document(found, addresses()), status=status)


def answer(document: Mapping[str, Any], *, status: int = HTTPStatus.OK) -> Response:
    """A document in the type that was asked for (ActivityPub, section 3.2). Whoever has it already is told
    so."""
    response = json_answer(document, mimetype=_asked_type(), status=status)
    response.vary.add("Accept")
    return response


def json_answer(document: Mapping[str, Any], *, mimetype: str, status: int = HTTPStatus.OK) -> Response:
    """JSON for everybody, scripts of other sites included, by its entity tag."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    tag = hashlib.sha256(body).hexdigest()[:_TAG_LENGTH]
    response = Response(body, status=status, mimetype=mimetype)
    response.set_etag(tag)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Front servers that compress weaken our tags.
    if status == HTTPStatus.OK and request.if_none_match.contains_weak(tag):
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.set_data(b"")
    return response


def _asked_type() -> str:
    """``application/activity+json`` for whoever does not ask for the same by its other name."""
    accept = request.accept_mimetypes
    return max(contexts.MEDIA_TYPE, contexts.LD_WITH_PROFILE, key=lambda name: accept[name])
