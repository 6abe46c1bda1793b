"""The page of a resource: what it is, what is inside, and how to get it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, jsonify, redirect, session, url_for
from markupsafe import Markup
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import DomainError, InvalidFile, NotFound, NotIndexed, NotInspected
from repo_service.domain.identity import PUBLIC, Identity, Scope
from repo_service.domain.resources import JobState, LocationState, Visibility
from repo_service.domain.texts import text
from repo_service.federation.contexts import LD_MEDIA_TYPE
from repo_service.http.activity_streams import json_answer, resource_answer
from repo_service.http.context import identity, services, site
from repo_service.http.negotiation import also_as
from repo_service.http.thumbnails import thumbnail_response
from repo_service.inspection.moodle.core import RELEASES
from repo_service.services.credits import credit_of
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.web.blueprint import NUMBER, blueprint
from repo_service.web.embedding import embed_code_of
from repo_service.web.examining import Asked, site_profiles
from repo_service.web.file_inside import file_inside_of, use_in_moodle
from repo_service.web.found import Found, file_authors, found_in, removed_words
from repo_service.web.inside import Inside, inside_of
from repo_service.web.keeping import Parts, in_these_words, keeper
from repo_service.web.metadata import json_ld_of, metadata_of
from repo_service.web.rendering import page

UNFINISHED = (JobState.QUEUED, JobState.RUNNING)
_RELEASED = "released"
"""Where the session keeps which resource is to be told of."""
MOST_COLLECTIONS = 5
"""So many of those that hold a resource are named on its page."""


def resource_metadata(resource_id: UUID) -> AnyResponse:
    """What everybody may know of a resource, as harvesters read it (AMB)."""
    document = json_ld_of(services().resources.get(PUBLIC, resource_id))
    return json_answer(document, mimetype=LD_MEDIA_TYPE)


@blueprint.get("/resources/<uuid:resource_id>")
@also_as(activity=resource_answer, metadata=resource_metadata)
def resource(resource_id: UUID) -> AnyResponse:
    """A resource with its newest version. What was a draft leads its owner to what it has become a version
    of."""
    try:
        record = services().resources.get(identity(), resource_id)
    except NotFound:
        of = services().resources.became(identity(), resource_id)
        if of is None:
            raise
        return redirect(url_for("web.resource", resource_id=of), 303)
    return resource_page(record)


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}")
def version(resource_id: UUID, number: int) -> Response:
    """A resource with one of its versions."""
    return resource_page(services().resources.get(identity(), resource_id), number)


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/download")
def download(resource_id: UUID, number: int) -> AnyResponse:
    """On to the file. The signed address is made when it is asked for, for it lasts a short while only."""
    link, file_name = services().downloads.sign(identity(), resource_id, number)
    address = url_for(
        "files.download",
        resource_id=resource_id,
        number=number,
        file_name=file_name,
        signature=link.signature,
    )
    response = redirect(address, 302)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/thumbnail.webp")
def thumbnail(resource_id: UUID, number: int) -> Response:
    """The picture of a draft, for who sees its page: browsers have no token for the other address."""
    return thumbnail_response(resource_id, number, large=False)


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/processing")
def processing(resource_id: UUID, number: int) -> Response:
    """How far the work after the upload is, for the page that shows it."""
    shown = _version(services().resources.get(identity(), resource_id), number)
    state = shown.processing.state
    response = jsonify(
        state=state.value, progress=shown.processing.progress, finished=state not in UNFINISHED
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/preparing")
def preparing(resource_id: UUID, number: int) -> Response:
    """Whether parts of the file can be had by now, for the page that waits for them."""
    hindrance = services().parts.hindrance(identity(), resource_id, number)
    response = jsonify(finished=not isinstance(hindrance, NotIndexed))
    response.headers["Cache-Control"] = "no-store"
    return response


def tell_released(resource_id: UUID) -> None:
    """Have the page of a resource say once to its owner, in this browser, that it is public now."""
    session[_RELEASED] = str(resource_id)


def resource_page(
    record: ResourceRecord,
    number: int | None = None,
    *,
    status: int = 200,
    refusal: DomainError | None = None,
    refused: str = text("Not released"),
) -> Response:
    """The page about ``record``; ``refusal`` says why what its owner just asked for was not done, ``refused``
    what that was.

    Of persons and secrets that were found, only who sees drafts is told. Everybody reads whom the files name
    as their authors: a licence may ask for that.
    """
    shown = _version(record, number)
    who = identity()
    is_owner = record.is_own and record.owner == who.username
    may_edit = is_owner and who.has(Scope.WRITE)
    just_released = is_owner and _was_just_released(record)
    # What those see who can do nothing about it is the same for all of them.
    kept = refusal is None and not record.is_own and shown.processing.state not in UNFINISHED
    key = in_these_words(record.id, shown.number)
    parts = keeper().find(key, record) if kept else Parts()
    values = {} if parts.are_there else _values(record, shown, who, may_edit=may_edit)
    response = page(
        "resource.html",
        status=status,
        keep=parts,
        resource=record,
        version=shown,
        is_newest=shown is record.versions[0],
        is_owner=is_owner,
        just_released=just_released,
        may_edit=may_edit,
        may_moderate=may_edit or who.has(Scope.MODERATE),
        refusal=refusal,
        refused=refused,
        content_language=next(iter(record.languages), None),
        asked=Asked(),
        releases=RELEASES,
        profiles=site_profiles(),
        collections=services().collections.with_resource(who, record.id, limit=MOST_COLLECTIONS),
        may_collect=not site().read_only and (record.visibility is Visibility.PUBLIC or is_owner),
        **{**values, **parts.facts},
    )
    if kept and not parts.are_there and not values["preparing"]:
        parts.facts = {"is_backup": values["is_backup"]}
        keeper().keep(key, record, parts)
    return response


def _values(
    record: ResourceRecord, shown: VersionRecord, who: Identity, *, may_edit: bool
) -> dict[str, object]:
    """What the parts of the page are made of that may be kept."""
    document = document_of(record, shown)
    found = None if document is None or not record.is_own else found_in(document, shown.cleaning)
    cleaning = services().cleaning.get(who, record.id, shown.number) if may_edit else None
    inside = None if document is None else inside_of(document)
    file_inside = None if document is None else file_inside_of(document)
    remote = any(copy.state is LocationState.REMOTE for copy in shown.copies)
    parts = _parts(record, shown, inside, found)
    # What is at the home of a mirror is fetched when it is asked for, and prepared then.
    hindrance = None if parts is None or remote else services().parts.hindrance(who, *parts)
    return {
        "inside": inside,
        "file_inside": file_inside,
        "use_in_moodle": use_in_moodle(shown.kind, shown.format, shown.file_name),
        "is_backup": inside is not None and inside.is_backup,
        "file_authors": "" if document is None else file_authors(document),
        "found": found,
        "removed": None if shown.cleaning is None else removed_words(shown.cleaning),
        "cleaning": cleaning,
        "is_cleaning": cleaning is not None and cleaning.state in UNFINISHED,
        "summary": Markup(record.summary_html),  # noqa: S704 - the services keep sanitised HTML only
        "remote": remote,
        "unfinished": shown.processing.state in UNFINISHED and not remote,
        "failed": shown.processing.state is JobState.FAILED,
        "download_url": _download_url(record, shown),
        "copies": services().stores.shown(shown.copies),
        "obstacles": _obstacles(record, shown) if may_edit and shown.released_at is None else [],
        "parts": parts if hindrance is None else None,
        "preparing": isinstance(hindrance, NotIndexed),
        "no_parts": hindrance.detail if isinstance(hindrance, InvalidFile) else "",
        **_for_others(record),
    }


def _was_just_released(record: ResourceRecord) -> bool:
    if session.get(_RELEASED) != str(record.id) or record.visibility is not Visibility.PUBLIC:
        return False
    del session[_RELEASED]
    return True


def _version(record: ResourceRecord, number: int | None) -> VersionRecord:
    for candidate in record.versions:
        if number in (None, candidate.number):
            return candidate
    raise NotFound("This resource has no such version.")


def document_of(record: ResourceRecord, shown: VersionRecord) -> Mapping[str, Any] | None:
    """What inspection found in the file; None until it is there, and where there is none."""
    if shown.digest is None:
        return None
    try:
        return services().resources.inspection(identity(), record.id, shown.number)
    except (NotInspected, InvalidFile):
        return None  # the page shows the state of processing and its reason instead


def _download_url(record: ResourceRecord, shown: VersionRecord) -> str | None:
    if shown.digest is None:
        return None
    if shown.released_at is None:
        return url_for("web.download", resource_id=record.id, number=shown.number)
    return url_for("files.download", resource_id=record.id, number=shown.number, file_name=shown.file_name)


def _parts(
    record: ResourceRecord, shown: VersionRecord, inside: Inside | None, found: Found | None
) -> tuple[UUID, int] | None:
    """The version by its resource and number, if its parts can be had one by one."""
    if inside is None or not inside.has_parts or (found is not None and found.blocking):
        return None
    return record.id, shown.number


def _for_others(record: ResourceRecord) -> dict[str, object]:
    """What is there to pass on of a public resource."""
    if record.visibility is not Visibility.PUBLIC:
        return {}
    return {
        "metadata": metadata_of(record),
        "credit": credit_of(record, site().base_url),
        "embed": embed_code_of(record),
    }


def _obstacles(record: ResourceRecord, shown: VersionRecord) -> list[str]:
    """What has to be done before a release beside what was found, in the owner's words."""
    obstacles: list[str] = []
    if services().accounts.own(identity()).must_confirm:
        obstacles.append(
            text("Your e-mail address is not confirmed yet: open the link in the letter we sent you.")
        )
    if shown.processing.state is JobState.FAILED:
        obstacles.append(text("The file could not be read."))
    if record.licence is None:
        obstacles.append(text("No licence is chosen yet."))
    return obstacles
