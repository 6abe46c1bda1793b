"""The cover of a resource: a picture of its file, else one drawn from what it is about and what it is.

The colour is that of its field of education, the sign in it that of its kind. The shapes hang on its id, so
it looks the same everywhere and no two look alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from repo_service.domain.resources import Visibility
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.web.icons import icon_of

WIDTH, HEIGHT = 120, 80

_SHAPES = 4
_FIELDS = frozenset(f"{number:02d}" for number in range(11))
"""The broad fields of ISCED-F 2013: the first two digits of each of its codes."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A shape, in the units of the drawing."""

    x: int
    y: int
    radius: int


@dataclass(frozen=True, slots=True)
class Cover:
    """What is drawn. ``field`` is a broad field of ISCED-F, or ``none``; ``icon`` one of ``icons.svg``."""

    field: str
    icon: str
    shapes: Sequence[Circle]


def picture_of(resource: ResourceRecord, version: VersionRecord | None) -> str | None:
    """The address of a picture of the file itself, None where there is none."""
    if version is None or version.thumbnail is None:
        return None
    if version.released_at is None or resource.visibility is not Visibility.PUBLIC:
        return url_for("web.thumbnail", resource_id=resource.id, number=version.number)
    return url_for(
        "files.thumbnail",
        resource_id=resource.id,
        number=version.number,
        size="small",
        v=version.thumbnail[:8],
    )


def cover_of(resource: ResourceRecord, version: VersionRecord | None) -> Cover:
    """The cover of a resource, which shows what its ``version`` is."""
    field = next((code[:2] for code in resource.subjects if code[:2] in _FIELDS), "none")
    return Cover(field=field, icon=_icon(version), shapes=list(_shapes(resource)))


def _icon(version: VersionRecord | None) -> str:
    if version is None or version.kind is None:
        return "file"
    if version.kind == "activity" and version.glance is not None and version.glance.modules:
        return icon_of(version.glance.modules[0])
    return version.kind if version.kind in ("course", "section", "activity") else "file"


def _shapes(resource: ResourceRecord) -> Sequence[Circle]:
    digest = hashlib.sha256(resource.id.bytes).digest()
    return [
        Circle(
            x=digest[3 * number] * WIDTH // 255,
            y=digest[3 * number + 1] * HEIGHT // 255,
            radius=10 + digest[3 * number + 2] * 26 // 255,
        )
        for number in range(_SHAPES)
    ]
