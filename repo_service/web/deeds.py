"""The details of an audit entry, in words for whoever reads the trail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from repo_service.domain.reports import Decision
from repo_service.domain.resources import Noun
from repo_service.domain.texts import text
from repo_service.services.erasing import Shared
from repo_service.services.records import AuditRecord
from repo_service.web.job_list import KINDS
from repo_service.web.reasons import REASONS
from repo_service.web.rendering import number, size
from repo_service.web.roles import ROLE_NAMES
from repo_service.web.speaking import say, spoken

_NAMES: Final[Mapping[str, str]] = {
    "actor": text("Actor on another server"),
    "blocked": text("Blocked"),
    "client": text("Site or app"),
    "copies": text("Copies"),
    "decision": text("Decision"),
    "digest": text("SHA-256"),
    "everywhere": text("Signed out everywhere"),
    "fields": text("Fields"),
    "files": text("With files"),
    "host": text("Host name"),
    "hosts": text("Host names"),
    "issuer": text("Sign-in provider"),
    "key": text("About"),
    "kind": text("Kind"),
    "lost": text("Files without another copy"),
    "manifest": text("Manifest"),
    "note": text("Reason"),
    "number": text("Version"),
    "numbers": text("Versions"),
    "of": text("Version of"),
    "quota": text("Room"),
    "reason": text("Reason"),
    "reports": text("Reports"),
    "resource": text("Resource"),
    "role": text("Role"),
    "scopes": text("Scopes"),
    "sent": text("Sent by letter"),
    "shared": text("What they shared"),
    "size": text("Size"),
    "state": text("State"),
    "uri": text("Address at its home"),
}
_WORDS: Final[Mapping[str, Mapping[Any, str]]] = {
    "decision": {Decision.HIDDEN: text("hidden"), Decision.DISMISSED: text("dismissed")},
    "kind": KINDS,
    "role": ROLE_NAMES,
    "shared": {Shared.LEAVE: text("stays"), Shared.WITHDRAW: text("withdrawn")},
}
"""Of values that are one of a few, by the name of the detail."""
_REPORT: Final = "report"
_OF_BYTES: Final = frozenset({"quota", "size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One of them, in the language of the page; ``known`` says that ``name`` is a word of it, and no key."""

    name: str
    value: str
    known: bool


def details_of(entry: AuditRecord) -> Iterator[Detail]:
    """What more there is to say of a deed. Keys and values that nobody has words for are as they are."""
    for key, value in entry.details.items():
        if value is None:
            continue
        yield Detail(
            name=say(_NAMES.get(key, key)),
            value=_value(key, value, words=_words(entry, key)),
            known=key in _NAMES,
        )


def _words(entry: AuditRecord, key: str) -> Mapping[Any, str]:
    if key == "reason" and entry.noun == Noun.RESOURCE and entry.action == _REPORT:
        return REASONS
    return _WORDS.get(key, {})


def _value(key: str, value: object, *, words: Mapping[Any, str]) -> str:
    match value:
        case bool():
            return say(text("Yes") if value else text("No"))
        case int():
            return size(value) if key in _OF_BYTES else number(value)
        case str():
            return say(words[value]) if value in words else value
        case list():
            return spoken().comma.join(_value(key, each, words=words) for each in value)
        case _:
            return json.dumps(value, ensure_ascii=False)
