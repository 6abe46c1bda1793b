"""``/api/v1/resources``: search, describe, release, withdraw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request, url_for

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    BecomeVersionIn,
    CopyOut,
    DescriptionIn,
    DownloadLinkOut,
    EditionIn,
    FoundVersionOut,
    HighlightOut,
    PageQuery,
    ResourceIn,
    ResourceOut,
    ResourcePageOut,
    SearchItemOut,
    SearchOut,
    SearchQueryIn,
    SpanOut,
    VersionOut,
    WithdrawIn,
)
from repo_service.api.searching import facet_counts, search_query
from repo_service.domain.errors import InvalidInput, UnsupportedMediaType
from repo_service.domain.formats import moodle_use
from repo_service.domain.identity import Scope
from repo_service.domain.search import OF_RESOURCES
from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.http.idempotency import idempotent
from repo_service.services.accounts import require_scope
from repo_service.services.finding import Found
from repo_service.services.records import ResourceRecord, VersionRecord

blueprint = APIBlueprint("resources", __name__, url_prefix="/api/v1", tag="Resources")

_NUMBER = "<version:number>"
EditionT = TypeVar("EditionT", bound=EditionIn)
_DESCRIBED_BY = "#/components/schemas/{}"


def _bodies(model: str) -> dict[str, Any]:
    """A file with its metadata as one form, or JSON that names a finished upload."""
    reference = {"$ref": _DESCRIBED_BY.format(model)}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, "metadata": reference},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": form,
                    "encoding": {"metadata": {"contentType": "application/json"}},
                },
                "application/json": {"schema": reference},
            },
        }
    }


_TAKES_FILES = (
    "length-required",
    "payload-too-large",
    "quota-exceeded",
    "size-mismatch",
    "digest-mismatch",
    "unsupported-media-type",
    "invalid-input",
    "conflict",
    "not-verified",
    "storage-full",
    "storage-unavailable",
)
_INSPECTION: dict[str, str | dict[str, dict[str, Any]]] = {
    "description": "What was found",
    "content": {"application/json": {"schema": {"$ref": _DESCRIBED_BY.format("Inspection")}}},
}
_WRITES = ("forbidden", "insufficient-scope", "gone")


@blueprint.get("/resources")
@blueprint.input(SearchQueryIn, location="query", arg_name="query")
@blueprint.output(SearchOut)
@blueprint.doc(
    operation_id="searchResources",
    security=operations.PUBLIC,
    responses=problems("invalid-cursor", "invalid-input"),
)
def search(query: SearchQueryIn) -> Response:
    """Search the public resources

    Words in any order, phrases in quotes, prefixes with a star. Without words: newest first.
    """
    found = services().search.search(identity(), search_query(query, OF_RESOURCES))
    return answer(
        SearchOut(
            items=[_search_item(item) for item in found.items],
            total=found.total,
            facets=facet_counts(found.facets),
            next_cursor=found.next_cursor,
        )
    )


@blueprint.post("/resources")
@idempotent(Scope.WRITE)
@blueprint.output(ResourceOut, status_code=201)
@blueprint.doc(
    operation_id="createResource",
    security=operations.BEARER,
    responses=problems(*_TAKES_FILES, *_WRITES, *operations.IDEMPOTENT),
    extensions=_bodies("ResourceIn"),
)
def create() -> Response:
    """Share a file as a new resource

    Send a form with the parts `file` and `metadata` (JSON), or JSON that names a finished upload. The
    resource is a draft that only its owner sees until a version is released.
    """
    require_scope(identity(), Scope.WRITE)
    with _file_and(ResourceIn, check=_check_description) as (upload, metadata):
        record = services().resources.create(
            identity(),
            upload_id=upload,
            description=metadata.description(),
            change_note=metadata.change_note,
            release=metadata.release,
        )
    return _resource(record, 201, {"Location": _api_url(record)})


@blueprint.get("/resources/<uuid:resource_id>")
@blueprint.output(ResourceOut)
@blueprint.doc(
    operation_id="getResource",
    security=operations.PUBLIC,
    responses=problems(
        "gone", also={304: {"description": "Not modified: the copy with this ETag is current"}}
    ),
)
def get(resource_id: UUID) -> Response:
    """One resource with its versions"""
    asked = request.if_none_match
    if asked:
        etag = services().resources.public_etag(identity(), resource_id)
        if etag is not None and asked.contains_weak(etag):  # front servers that compress weaken our tags
            return _unchanged(etag)
    record = services().resources.get(identity(), resource_id)
    if asked and asked.contains_weak(record.etag):
        return _unchanged(record.etag)
    return _resource(record)


@blueprint.patch("/resources/<uuid:resource_id>")
@blueprint.input(DescriptionIn, location="json", arg_name="changes")
@blueprint.output(ResourceOut)
@blueprint.doc(
    operation_id="describeResource",
    security=operations.BEARER,
    responses=problems("precondition-failed", *operations.JSON_BODY, *_WRITES),
)
def describe(resource_id: UUID, changes: DescriptionIn) -> Response:
    """Change the description

    What is left out stays. Send the ETag you have read as `If-Match` to be told when somebody was faster.
    """
    asked = request.if_match
    record = services().resources.describe(
        identity(),
        resource_id,
        changes.description(),
        # Weak tags never match here (RFC 9110, section 13.1.1), and a star matches whatever is there.
        if_match=asked.as_set() if asked and not asked.star_tag else None,
    )
    return _resource(record)


@blueprint.post("/resources/<uuid:resource_id>/withdraw")
@blueprint.input(WithdrawIn, location="json", arg_name="given")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="withdrawResource",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_WRITES),
)
def withdraw(resource_id: UUID, given: WithdrawIn) -> Response:
    """Hide a resource from everybody

    Its address answers 410 with the reason; its files are deleted after the grace period.
    """
    services().resources.withdraw(identity(), resource_id, reason=given.reason)
    return Response(status=204)


@blueprint.post("/resources/<uuid:resource_id>/restore")
@blueprint.output(ResourceOut)
@blueprint.doc(
    operation_id="restoreResource", security=operations.BEARER, responses=problems("conflict", *_WRITES)
)
def restore(resource_id: UUID) -> Response:
    """Take a withdrawal back, while the files are still there"""
    return _resource(services().resources.restore(identity(), resource_id))


@blueprint.post("/resources/<uuid:resource_id>/versions")
@idempotent(Scope.WRITE)
@blueprint.output(ResourceOut, status_code=201)
@blueprint.doc(
    operation_id="addVersion",
    security=operations.BEARER,
    responses=problems(*_TAKES_FILES, *_WRITES, *operations.IDEMPOTENT),
    extensions=_bodies("EditionIn"),
)
def add_version(resource_id: UUID) -> Response:
    """Add a version

    The older ones stay. The public goes on reading the last released one until this is released.
    """
    services().resources.require_own(identity(), resource_id)  # refuse before the file is read
    with _file_and(EditionIn) as (upload, metadata):
        record = services().resources.add_version(
            identity(),
            resource_id,
            upload_id=upload,
            change_note=metadata.change_note,
            release=metadata.release,
        )
    return _resource(record, 201, {"Location": _api_url(record)})


@blueprint.post("/resources/<uuid:resource_id>/become-version")
@idempotent(Scope.WRITE)
@blueprint.input(BecomeVersionIn, location="json", arg_name="given")
@blueprint.output(ResourceOut)
@blueprint.doc(
    operation_id="becomeVersion",
    security=operations.BEARER,
    responses=problems("conflict", *operations.JSON_BODY, *_WRITES, *operations.IDEMPOTENT),
)
def become_version(resource_id: UUID, given: BecomeVersionIn) -> Response:
    """Make a draft a version of another resource

    For what was shared as a new resource and was meant to be a new version. The draft's versions become the
    next ones of the other resource, whose description stays as it is, and the draft is gone. Returns the
    other resource.
    """
    record = services().resources.become_version(
        identity(), resource_id, of=given.of, change_note=given.change_note
    )
    return _resource(record, headers={"Content-Location": _api_url(record)})


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{_NUMBER}/inspection")
@blueprint.doc(
    operation_id="getInspection",
    security=operations.PUBLIC,
    responses=problems("gone", "not-inspected", "invalid-file", also={200: _INSPECTION}),
)
def inspection(resource_id: UUID, number: int) -> Response:
    """What is inside a version's file

    Sections and activities in order, files, questions, what it needs to be restored, what stands against a
    release.
    """
    return operations.answer_json(services().resources.inspection(identity(), resource_id, number))


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{_NUMBER}/inspection")
@blueprint.output(ResourceOut, status_code=202)
@blueprint.doc(
    operation_id="inspectAgain", security=operations.BEARER, responses=problems("conflict", *_WRITES)
)
def inspect_again(resource_id: UUID, number: int) -> Response:
    """Inspect a version's file again"""
    return _resource(services().resources.retry(identity(), resource_id, number), 202)


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{_NUMBER}/release")
@idempotent(Scope.WRITE)
@blueprint.output(ResourceOut)
@blueprint.doc(
    operation_id="releaseVersion",
    security=operations.BEARER,
    responses=problems(
        "not-inspected", "invalid-file", "blocking-findings", "incomplete", *_WRITES, *operations.IDEMPOTENT
    ),
)
def release(resource_id: UUID, number: int) -> Response:
    """Let the public read a version

    Refused while it is not inspected, holds people or secrets, or the resource has no licence.
    """
    return _resource(services().resources.release(identity(), resource_id, number))


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{_NUMBER}/download-link")
@blueprint.output(DownloadLinkOut, status_code=201)
@blueprint.doc(operation_id="makeDownloadLink", security=operations.PUBLIC, responses=problems("gone"))
def download_link(resource_id: UUID, number: int) -> Response:
    """An address of the file that needs no token for a short while"""
    link, file_name = services().downloads.sign(identity(), resource_id, number)
    url = download_url(resource_id, number, file_name)
    return answer(
        DownloadLinkOut(url=f"{url}?signature={link.signature}", expires_at=link.expires_at), status=201
    )


@blueprint.get("/me/resources")
@blueprint.input(PageQuery, location="query", arg_name="query")
@blueprint.output(ResourcePageOut)
@blueprint.doc(
    operation_id="listOwnResources",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", "insufficient-scope"),
)
def mine(query: PageQuery) -> Response:
    """My resources, newest first"""
    page = services().resources.mine(identity(), limit=query.limit, cursor=query.cursor)
    return answer(ResourcePageOut(items=[resource_out(r) for r in page.items], next_cursor=page.next_cursor))


def thumbnail_url(resource_id: UUID, version: VersionRecord) -> str:
    """Of the small picture. It changes with what is shown, so that browsers may keep it."""
    assert version.thumbnail is not None
    path = url_for(
        "files.thumbnail",
        resource_id=resource_id,
        number=version.number,
        size="small",
        v=version.thumbnail[:8],
    )
    return site().base_url + path


def download_url(resource_id: UUID, number: int, file_name: str) -> str:
    """The canonical address of a file; its path ends in the file's name, by which Moodle knows a backup."""
    path = url_for("files.download", resource_id=resource_id, number=number, file_name=file_name)
    return site().base_url + path


def resource_out(record: ResourceRecord) -> ResourceOut:
    """A record as the API gives it."""
    versions = [
        VersionOut(
            **_version(record, version),
            copies=_copies(version),
            cleaned_from=version.cleaned_from,
            cleaning=version.cleaning,
        )
        for version in record.versions
    ]
    return ResourceOut(**_members(record), versions=versions)


def _members(record: ResourceRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "url": f"{site().base_url}/resources/{record.id}",
        "api_url": _api_url(record),
        "title": record.title,
        "summary": record.summary_html,
        "summary_text": record.summary_text,
        "licence": record.licence,
        "languages": record.languages,
        "subjects": record.subjects,
        "levels": record.levels,
        "types": record.types,
        "authors": record.authors,
        "keywords": record.keywords,
        "found": record.found,
        "visibility": record.visibility,
        "origin": record.origin,
        "canonical_url": record.canonical_url,
        "owner": record.owner,
        "owner_name": record.owner_name,
        "released_at": record.released_at,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def _version(record: ResourceRecord, version: VersionRecord) -> dict[str, Any]:
    return {
        "number": version.number,
        "file_name": version.file_name,
        "sha256": version.digest,
        "size": version.size,
        "media_type": version.media_type,
        "kind": version.kind,
        "format": version.format or None,
        "moodle_use": version.kind and moodle_use(version.kind, version.format, version.file_name),
        "glance": version.glance,
        "change_note": version.change_note,
        "created_at": version.created_at,
        "released_at": version.released_at,
        "release_requested": version.release_requested,
        "release_refused": version.release_refused,
        "processing": version.processing,
        "thumbnail_url": None if version.thumbnail is None else thumbnail_url(record.id, version),
        "download_url": download_url(record.id, version.number, version.file_name),
        "inspection_url": f"{_api_url(record)}/versions/{version.number}/inspection",
    }


def _copies(version: VersionRecord) -> list[CopyOut]:
    return [
        CopyOut(
            store=copy.store,
            state=copy.state,
            verified_at=copy.verified_at,
            cid=copy.cid,
            url=None if copy.cid is None else f"ipfs://{copy.cid}",
        )
        for copy in services().stores.shown(version.copies)
    ]


def _search_item(found: Found) -> SearchItemOut:
    highlights = {
        name: HighlightOut(
            text=highlight.text, spans=[SpanOut(start=start, end=end) for start, end in highlight.spans]
        )
        for name, highlight in found.highlights.items()
    }
    # Of the versions only the newest: a page of hits does not grow with their histories.
    newest = [FoundVersionOut(**_version(found.resource, version)) for version in found.resource.versions[:1]]
    return SearchItemOut(highlights=highlights, **_members(found.resource), versions=newest)


def _api_url(record: ResourceRecord) -> str:
    return f"{site().base_url}/api/v1/resources/{record.id}"


def _resource(
    record: ResourceRecord, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return _cached(answer(resource_out(record), status, headers), record.etag)


def _unchanged(etag: str) -> Response:
    # Without a type it counts as HTML, and is given the headers of a page.
    return _cached(Response(status=304, mimetype="application/json"), etag)


def _cached(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Authorization"
    return response


def _check_description(metadata: ResourceIn) -> None:
    services().resources.require_description(identity(), metadata.description(), at=f"/{receiving.METADATA}")


@contextmanager
def _file_and(
    model: type[EditionT], *, check: Callable[[EditionT], None] = lambda said: None
) -> Iterator[tuple[UUID, EditionT]]:
    """The upload with the file, and what is said about it, from either kind of body.

    A file that came with the request is given up when the block raises.
    """
    kind = request.mimetype
    if kind == "multipart/form-data":
        upload, metadata = receiving.receive_form(services().uploads, identity(), model, check=check)
        try:
            yield upload.id, metadata
        except BaseException:
            services().uploads.abandon(upload.id)
            raise
        return
    if kind != "application/json":
        raise UnsupportedMediaType(
            "Send a form with the file, or JSON that names an upload.",
            supported=["multipart/form-data", "application/json"],
        )
    metadata = receiving.read_json(model)
    if metadata.upload is None:
        raise InvalidInput(errors=[("/upload", "Name a finished upload, or send a form with the file.")])
    if metadata.sha256 is not None:
        services().uploads.require_digest(identity(), metadata.upload, metadata.sha256)
    yield metadata.upload, metadata
