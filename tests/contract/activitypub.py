"""What tests of ActivityPub share: asking as another server does, and reading the answers as JSON-LD."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from pyld import jsonld
from pyld.documentloader.frozen import FrozenDocumentLoader
from werkzeug.test import TestResponse

from repo_service.federation.contexts import ACTIVITY_STREAMS, MEDIA_TYPE
from tests.contract.support import path_of
from tests.support.service import Service, json_of

AS = f"{ACTIVITY_STREAMS}#"
SECURITY = "https://w3id.org/security#"
SCHEMA = "http://schema.org/"
BASE = "http://127.0.0.1:8080"

_LOADER = FrozenDocumentLoader()
"""Contexts that the library brings along, and none that would have to be fetched."""


def expanded(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says, with every term as the IRI that it stands for. Terms without a meaning fail."""
    undefined = [term for term in _terms(document) if term not in _meanings(document)]
    assert undefined == []
    (node,) = jsonld.expand(document, {"documentLoader": _LOADER})
    found: dict[str, Any] = node
    return found


def _terms(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_terms, value))
    if not isinstance(value, dict):
        return set()
    inside = {name: below for name, below in value.items() if name != "@context"}
    return set(inside).union(*map(_terms, inside.values()))


def _meanings(document: dict[str, Any]) -> set[str]:
    """The terms that the context of a document defines."""
    context = document["@context"]
    found: set[str] = set()
    for part in context if isinstance(context, list) else [context]:
        loaded = _LOADER(part, {})["document"]["@context"] if isinstance(part, str) else part
        found |= set(loaded)
    return found


def ask(service: Service, address: str, **headers: str) -> TestResponse:
    """What another server gets that asks for ActivityStreams."""
    client: FlaskClient = service.client()
    return client.get(path_of(address), headers={"Accept": MEDIA_TYPE, **headers})


def read(service: Service, address: str, status: int = 200) -> dict[str, Any]:
    """A document, which has to be whole and JSON-LD, and to be what it was asked for."""
    answer = ask(service, address)
    assert answer.mimetype == MEDIA_TYPE, answer.text
    document: dict[str, Any] = json_of(answer, status)
    expanded(document)
    return document


def outbox(service: Service, actor: str) -> list[dict[str, Any]]:
    """Everything in an outbox, newest first, read page by page; its length has to be what it says."""
    listed = read(service, f"{actor}/outbox")
    assert listed["type"] == "OrderedCollection"
    items: list[dict[str, Any]] = []
    following: str | None = listed["first"]
    while following is not None:
        page = read(service, following)
        assert (page["id"], page["partOf"]) == (following, listed["id"])
        items += page["orderedItems"]
        following = page.get("next")
    assert len(items) == listed["totalItems"]
    assert len({item["id"] for item in items}) == len(items)
    return items


def person_of(service: Service, username: str) -> str:
    """The id of a person as an actor, found as other servers find it."""
    host = BASE.partition("://")[2]
    found = json_of(service.client().get(f"/.well-known/webfinger?resource=acct:{username}@{host}"))
    (link,) = [link for link in found["links"] if link["rel"] == "self"]
    actor: str = link["href"]
    return actor


def told(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Type, type of what was told of, and id of the object, for each activity; the service's telling of
    others' activities is looked into."""
    return [_told(item) for item in items]


def _told(item: dict[str, Any]) -> tuple[str, str, str]:
    inner = item["object"]
    if item["type"] == "Announce" and isinstance(inner, dict):
        item, inner = inner, inner["object"]
        prefix = "Announce "
    else:
        prefix = ""
    if isinstance(inner, str):
        return f"{prefix}{item['type']}", "", inner
    return f"{prefix}{item['type']}", inner["type"], inner["id"]
