"""What the terms of our documents mean (JSON-LD).

Terms beyond the two contexts that every server has at hand are defined in place: nobody has to fetch a
context to understand them.
"""

from __future__ import annotations

from typing import Any, Final

ACTIVITY_STREAMS: Final = "https://www.w3.org/ns/activitystreams"
SECURITY: Final = "https://w3id.org/security/v1"
PUBLIC: Final = f"{ACTIVITY_STREAMS}#Public"
"""Everybody (ActivityPub, section 5.6)."""

MEDIA_TYPE: Final = "application/activity+json"
LD_MEDIA_TYPE: Final = "application/ld+json"
LD_WITH_PROFILE: Final = f'{LD_MEDIA_TYPE}; profile="{ACTIVITY_STREAMS}"'
"""What ActivityPub, section 3.2, has clients ask for."""

_RESOURCE_TERMS: Final[dict[str, Any]] = {
    "sc": "http://schema.org/",
    "license": {"@id": "sc:license", "@type": "@id"},
    "about": {"@id": "sc:about", "@type": "@id"},
    "inLanguage": "sc:inLanguage",
    "educationalLevel": {"@id": "sc:educationalLevel", "@type": "@id"},
    "learningResourceType": {"@id": "sc:learningResourceType", "@type": "@id"},
    "author": "sc:author",
    "keywords": "sc:keywords",
    "contentSize": "sc:contentSize",
    "sha256": "sc:sha256",
}

_ACTOR_TERMS: Final[dict[str, Any]] = {
    "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
    "sharedInbox": {"@id": "as:sharedInbox", "@type": "@id"},
    # FEP-521a, in the terms of https://w3id.org/security/multikey/v1
    "Multikey": "https://w3id.org/security#Multikey",
    "assertionMethod": {
        "@id": "https://w3id.org/security#assertionMethod",
        "@type": "@id",
        "@container": "@set",
    },
    "controller": {"@id": "https://w3id.org/security#controller", "@type": "@id"},
    "publicKeyMultibase": {
        "@id": "https://w3id.org/security#publicKeyMultibase",
        "@type": "https://w3id.org/security#multibase",
    },
    # FEP-2c59
    "webfinger": "https://purl.archive.org/socialweb/webfinger#webfinger",
    # FEP-844e
    "implements": {"@id": "https://w3id.org/fep/844e#implements", "@type": "@id", "@container": "@set"},
}

OF_ACTORS: Final = [ACTIVITY_STREAMS, SECURITY, _ACTOR_TERMS]
OF_OBJECTS: Final = [ACTIVITY_STREAMS, _RESOURCE_TERMS]
"""Also of activities and collections that hold objects."""


def in_context(document: dict[str, Any], context: list[Any] | str = ACTIVITY_STREAMS) -> dict[str, Any]:
    """A whole document out of something that can also stand within another one."""
    return {"@context": context, **document}
