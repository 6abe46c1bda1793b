"""Pages that go deeper into one version: will it restore there, what changed, which files and licences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flask import Response, request

from repo_service.backups.changes import Changed
from repo_service.backups.compatibility import Compatibility
from repo_service.backups.sites import InvalidPlugins, Restorer, SiteProfile, parse_plugins
from repo_service.domain.errors import DomainError, InvalidInput, NotFound, NotIndexed
from repo_service.domain.identity import Scope
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.inspection.moodle.core import RELEASES, UnknownMoodle, parse_version
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.services.site_profiles import SiteRecord
from repo_service.web.blueprint import NUMBER, blueprint
from repo_service.web.fields import line_field, text_field
from repo_service.web.rendering import page

FILES = 100
"""Files on one page."""

_NUMBER = re.compile(r"[0-9]{1,9}")
"""Of a version."""
_MAX_MOODLE = 40
_MAX_PLUGINS = 20_000

_SORTS = {
    "sections": text("Sections"),
    "activities": text("Activities"),
    "questions": text("Questions"),
    "files": text("Files"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands in the form about a site. ``profile`` is the id of one of the visitor's own."""

    moodle: str = ""
    plugins: str = ""
    manager: bool = False
    profile: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.moodle or self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedGroup:
    """What came of all parts of one sort."""

    name: str
    title: str
    changed: Changed


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/restoring")
def restoring(resource_id: UUID, number: int) -> Response:
    """Whether it will restore on the visitor's Moodle. Everything is in the address: it can be shared."""
    record, version = _version(resource_id, number)
    asked = Asked(
        moodle=line_field(request.args, "moodle", limit=_MAX_MOODLE),
        plugins=text_field(request.args, "plugins", limit=_MAX_PLUGINS),
        manager=request.args.get("restorer") == Restorer.MANAGER,
        profile=line_field(request.args, "site", limit=_MAX_MOODLE),
    )
    judged: Compatibility | None = None
    refusal: DomainError | None = None
    try:
        if not asked.is_empty:
            judged = services().judge.judge(identity(), resource_id, number, site=_site(asked))
    except InvalidInput as error:
        refusal = error
    return page(
        "restoring.html",
        status=200 if refusal is None else CATALOGUE[refusal.code].status,
        resource=record,
        version=version,
        asked=asked,
        judged=judged,
        refusal=refusal,
        releases=RELEASES,
        profiles=site_profiles(),
    )


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/changes")
def changes(resource_id: UUID, number: int) -> Response:
    """What changed since another version, the one before it unless another is named."""
    record, version = _version(resource_id, number)
    since = request.args.get("since", "")
    try:
        found = services().comparing.changes(
            identity(), resource_id, number, since=int(since) if _NUMBER.fullmatch(since) else None
        )
    except NotIndexed:
        return _wait(record, version)
    sorts = [
        ChangedGroup(name=name, title=title, changed=getattr(found.changes, name))
        for name, title in _SORTS.items()
    ]
    others = [other.number for other in record.versions if other.number != number and other.digest]
    return page("changes.html", resource=record, version=version, found=found, sorts=sorts, others=others)


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/licences")
def licences(resource_id: UUID, number: int) -> Response:
    """Every file with its size, licence and author, and where licences do not go together."""
    record, version = _version(resource_id, number)
    cursor = request.args.get("cursor") or None
    try:
        found = services().comparing.licences(identity(), resource_id, number, limit=FILES, cursor=cursor)
    except NotIndexed:
        return _wait(record, version)
    return page("licences.html", resource=record, version=version, found=found, is_first=cursor is None)


def _version(resource_id: UUID, number: int) -> tuple[ResourceRecord, VersionRecord]:
    record = services().resources.get(identity(), resource_id)
    for version in record.versions:
        if version.number == number:
            return record, version
    raise NotFound("This resource has no such version.")


def _wait(record: ResourceRecord, version: VersionRecord) -> Response:
    """The index of the file is still being made: the page says so, and looks again."""
    response = page("not_yet.html", status=503, resource=record, version=version)
    response.headers["Retry-After"] = "5"
    response.headers["Refresh"] = "5"
    return response


def site_profiles() -> Sequence[SiteRecord]:
    """The visitor's own sites."""
    who = identity()
    return services().site_profiles.list(who) if not who.is_public and who.has(Scope.READ) else ()


def _site(asked: Asked) -> SiteProfile:
    """Raises InvalidInput."""
    restorer = Restorer.MANAGER if asked.manager else Restorer.TEACHER
    for record in site_profiles():
        if str(record.id) == asked.profile:
            return replace(record.profile(), restorer=restorer)
    try:
        return SiteProfile(
            version=parse_version(asked.moodle),
            plugins=parse_plugins(asked.plugins.splitlines()),
            restorer=restorer,
        )
    except UnknownMoodle as error:
        raise InvalidInput(errors=[("/moodle", error.args[0])]) from error
    except InvalidPlugins as error:
        raise InvalidInput(errors=[("/plugins", error.args[0])]) from error
