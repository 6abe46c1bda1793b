"""``/api/v1/resources/{id}/versions/{n}/…``: Moodle backups made safe, cut up, looked into, compared."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.backup_schemas import (
    ChangedOut,
    ChangesOut,
    ChangesQuery,
    LicenceFindingOut,
    LicenceOut,
    LicencesOut,
    LicensedFileOut,
    UsedLicenceOut,
)
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import AuthorOut, CleanIn, CleaningOut, PageQuery
from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.http.delivery import MadeAsSent, deliver
from repo_service.http.file_names import clean_file_name
from repo_service.services.parts import Part
from repo_service.services.records import CleaningRecord

blueprint = APIBlueprint("backups", __name__, url_prefix="/api/v1", tag="Moodle backups")

_VERSION = "/resources/<uuid:resource_id>/versions/<version:number>"
_CLEAN_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CleanIn"}}},
    }
}


@blueprint.post(f"{_VERSION}/clean")
@blueprint.output(CleaningOut, status_code=202)
@blueprint.doc(
    operation_id="cleanVersion",
    security=operations.BEARER,
    responses=problems(
        "forbidden",
        "insufficient-scope",
        "gone",
        "not-inspected",
        "invalid-file",
        "conflict",
        "uncleanable",
        *operations.JSON_BODY,
    ),
    extensions=_CLEAN_BODY,
)
def clean(resource_id: UUID, number: int) -> Response:
    """Make a clean copy of a version

    A new version without users and what they left, without keys, passwords and contacts. It is a draft unless
    `release` asks for more. Asked again, the answer says how far it is. The version itself stays as it is.
    """
    given = receiving.read_json(CleanIn) if request.content_length else CleanIn()
    record = services().cleaning.ask(identity(), resource_id, number, release=given.release)
    return _cleaning(record, resource_id, number, status=202)


@blueprint.get(f"{_VERSION}/clean")
@blueprint.output(CleaningOut)
@blueprint.doc(
    operation_id="getCleaning",
    security=operations.BEARER,
    responses=problems("forbidden", "insufficient-scope", "gone"),
)
def cleaning(resource_id: UUID, number: int) -> Response:
    """How far the clean copy of a version is"""
    record = services().cleaning.get(identity(), resource_id, number)
    return _cleaning(record, resource_id, number, status=200)


_PART: dict[str, Any] = {
    "security": operations.PUBLIC,
    "responses": problems(
        "gone",
        "not-inspected",
        "invalid-file",
        "conflict",
        "blocking-findings",
        "precondition-failed",
        "invalid-range",
        "not-indexed",
        "storage-unavailable",
        also={
            200: {"description": "The bytes", **operations.ANY_TYPE},
            206: {"description": "The ranges asked for", **operations.ANY_TYPE},
            304: {"description": "Not modified"},
        },
    ),
}


@blueprint.get(f"{_VERSION}/activities/<int:activity_id>.mbz")
@blueprint.doc(operation_id="downloadActivity", **_PART)
def activity(resource_id: UUID, number: int, activity_id: int) -> Response:
    """One activity as a backup of its own

    By the id that the inspection gives it. It restores into any course, with the files, questions and scales
    that it refers to, and no others.
    """
    return _sent(services().parts.activity(identity(), resource_id, number, activity_id))


@blueprint.get(f"{_VERSION}/sections/<int:section_id>.mbz")
@blueprint.doc(operation_id="downloadSection", **_PART)
def section(resource_id: UUID, number: int, section_id: int) -> Response:
    """One section with its activities as a backup of its own"""
    return _sent(services().parts.section(identity(), resource_id, number, section_id))


@blueprint.get(f"{_VERSION}/files/<content>/<file_name>")
@blueprint.doc(operation_id="downloadContainedFile", **_PART)
def contained_file(resource_id: UUID, number: int, content: str, file_name: str) -> Response:
    """One file out of a backup

    By the SHA-1 of its content and its name, as the licences list them.
    """
    return _sent(services().parts.file(identity(), resource_id, number, content, file_name))


def _sent(part: Part) -> Response:
    return deliver(
        request,
        size=part.size,
        etag=part.tag,
        media_type=part.media_type,
        file_name=clean_file_name(part.name),
        digest=None,
        last_modified=part.modified,
        open_range=lambda offset, length: MadeAsSent(part.open(offset)),
        cache_control="public, no-cache" if part.public else "private, no-store",
    )


@blueprint.get(f"{_VERSION}/licences")
@blueprint.input(PageQuery, location="query", arg_name="query")
@blueprint.output(LicencesOut)
@blueprint.doc(
    operation_id="getLicences",
    security=operations.PUBLIC,
    responses=problems(
        "gone", "not-inspected", "invalid-file", "conflict", "not-indexed", "invalid-cursor", "invalid-input"
    ),
)
def licences(resource_id: UUID, number: int, query: PageQuery) -> Response:
    """Which licences are in a version's file

    Of each file and of the H5P packages, by all their names, with authors and sources; and where they do not
    go together with the licence of the resource. `limit` and `cursor` page through the files.
    """
    record = services().comparing.licences(
        identity(), resource_id, number, limit=query.limit, cursor=query.cursor
    )
    report = record.report
    return answer(
        LicencesOut(
            licence=None if record.own is None else LicenceOut.model_validate(record.own),
            authors=[AuthorOut.model_validate(author) for author in record.authors],
            licences=[UsedLicenceOut.model_validate(used) for used in report.used],
            findings=[LicenceFindingOut.model_validate(finding) for finding in report.findings],
            packages=[LicensedFileOut.model_validate(file) for file in report.packages],
            packages_count=report.packages_count,
            files_count=report.files_count,
            files=[LicensedFileOut.model_validate(file) for file in record.files.items],
            next_cursor=record.files.next_cursor,
        )
    )


@blueprint.get(f"{_VERSION}/changes")
@blueprint.input(ChangesQuery, location="query", arg_name="query")
@blueprint.output(ChangesOut)
@blueprint.doc(
    operation_id="getVersionChanges",
    security=operations.PUBLIC,
    responses=problems("gone", "not-inspected", "invalid-file", "conflict", "not-indexed", "invalid-input"),
)
def changes(resource_id: UUID, number: int, query: ChangesQuery) -> Response:
    """What changed since another version

    Sections, activities, questions and files that were added, removed or changed. What Moodle only writes
    differently is no change: a clean copy is the same as its source.
    """
    record = services().comparing.changes(identity(), resource_id, number, since=query.since)
    found = record.changes
    return answer(
        ChangesOut(
            since=record.since,
            version=record.version,
            same_course=found.same_course,
            course=list(found.course),
            sections=ChangedOut.model_validate(found.sections),
            activities=ChangedOut.model_validate(found.activities),
            questions=ChangedOut.model_validate(found.questions),
            files=ChangedOut.model_validate(found.files),
        )
    )


def _cleaning(record: CleaningRecord, resource_id: UUID, number: int, *, status: int) -> Response:
    own = f"{site().base_url}/api/v1/resources/{resource_id}/versions/{number}/clean"
    return answer(CleaningOut.model_validate(record), status=status, headers={"Location": own})
