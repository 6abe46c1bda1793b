"""Activities of other servers as they come: JSON of which nothing is believed but its form.

It is read as plain JSON in the terms of ActivityStreams. Contexts are looked at and never fetched: what is
not compacted by that vocabulary is no activity here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from repo_service.federation.contexts import ACTIVITY_STREAMS, PUBLIC

LONGEST_ID: Final = 1000
"""Characters, all of them ASCII."""
EVERYBODY: Final = frozenset({PUBLIC, "as:Public", "Public"})
"""ActivityPub, section 5.6: compaction may have shortened it."""

_ID: Final = re.compile(r"https?://[!-~]+")
_REDEFINED: Final = frozenset({"id", "type", "actor", "object", "target", "to", "cc", "attributedTo"})
_MEANT: Final = frozenset({"@id", "@type"})


class UnfitActivity(ValueError):
    """This is no activity. The message says why."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An activity. ``object`` is an id, or a whole object with one; ``object_id`` is that id in both cases,
    None where the object has none, as in the Accept of a Follow without id. A Flag may be about several: then
    both are None, and they stand in the document."""

    id: str
    type: str
    actor: str
    object: Mapping[str, Any] | str | None
    object_id: str | None
    document: Mapping[str, Any]

    @property
    def embedded(self) -> Mapping[str, Any] | None:
        """The object, where it came along."""
        return self.object if isinstance(self.object, Mapping) else None


def read(value: object) -> Incoming:
    """An activity as a whole document. Raises UnfitActivity."""
    if not isinstance(value, dict):
        raise UnfitActivity("an activity is an object")
    _check_context(value.get("@context"))
    return within(value)


def within(value: Mapping[str, Any]) -> Incoming:
    """An activity that stands within a document, such as another activity. Raises UnfitActivity."""
    found = id_of(value.get("id"))
    actor = id_of(value.get("actor"))
    type_ = value.get("type")
    if found is None or actor is None or not isinstance(type_, str):
        raise UnfitActivity("an activity has an id, an actor and one type")
    object_ = value.get("object")
    if isinstance(object_, list) and len(object_) == 1:
        (object_,) = object_
    if isinstance(object_, list) and type_ == "Flag":
        object_ = None
    if object_ is not None and not isinstance(object_, str | dict):
        raise UnfitActivity("an activity is about one object")
    return Incoming(
        id=found, type=type_, actor=actor, object=object_, object_id=id_of(object_), document=value
    )


def id_of(value: object) -> str | None:
    """The id of something that is there, or is named; None for what has none that can be kept."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, str) and len(value) <= LONGEST_ID and _ID.fullmatch(value) and host_of(value):
        return value
    return None


def ids_of(value: object) -> Iterator[str]:
    """The ids in a value that is one thing or a list of them."""
    for one in value if isinstance(value, list) else [value]:
        if (found := id_of(one)) is not None:
            yield found


def host_of(url: str) -> str:
    """The host that answers for an id, with the port where it is not the usual one; empty for none."""
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        port = "" if parts.port in (None, default) else f":{parts.port}"
    except ValueError:
        return ""
    name = parts.hostname or ""
    return f"[{name}]{port}" if ":" in name else name + port


def same_origin(one: str, other: str) -> bool:
    """Whether the same server answers for both ids."""
    return host_of(one) == host_of(other) and one.partition(":")[0] == other.partition(":")[0]


def collection_of(activity: Incoming) -> str | None:
    """The id of what the object of an Add or Remove is put into or taken out of; None where it is not said.
    Its ``target`` (ActivityPub, sections 7.8 and 7.9), or the ``origin`` of a Remove, as ActivityStreams has
    it."""
    found = id_of(activity.document.get("target"))
    if found is None and activity.type == "Remove":
        found = id_of(activity.document.get("origin"))
    return found


def is_public(document: Mapping[str, Any]) -> bool:
    """Whether it is addressed to everybody (ActivityPub, section 5.6)."""
    for name in ("to", "cc"):
        value = document.get(name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one in EVERYBODY:
                return True
    return False


def _check_context(context: object) -> None:
    """Whether terms mean what we read them as: by the context of ActivityStreams, and with none of those that
    decide who does what to whom defined anew."""
    parts = context if isinstance(context, list) else [context]
    if ACTIVITY_STREAMS not in parts:
        raise UnfitActivity("it is not in the terms of ActivityStreams")
    for part in parts:
        if isinstance(part, dict):
            for name in _REDEFINED & set(part):
                if not _means_itself(name, part[name]):
                    raise UnfitActivity(f"its context defines {name} anew")


def _means_itself(name: str, definition: object) -> bool:
    if isinstance(definition, dict):
        definition = definition.get("@id")
    return definition in _MEANT | {f"as:{name}", f"{ACTIVITY_STREAMS}#{name}"}
