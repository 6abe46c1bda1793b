"""``/files``: the bytes of versions, at addresses whose path ends in the file's own name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.operations import problems
from repo_service.api.schemas import SignatureIn
from repo_service.http.context import identity, services, site
from repo_service.http.delivery import deliver
from repo_service.http.file_names import content_disposition
from repo_service.http.thumbnails import thumbnail_response
from storage import BlobCopies, BlobReader, Copy, local_paths, presigned_downloads

blueprint = APIBlueprint("files", __name__, tag="Files")

_GIVEN_OUT = frozenset({200, 206, 302})
_PRESIGNED_FOR = timedelta(minutes=15)


@blueprint.get("/files/<uuid:resource_id>/<version:number>/<file_name>")
@blueprint.input(SignatureIn, location="query", arg_name="query")
@blueprint.doc(
    operation_id="download",
    security=operations.PUBLIC,
    responses=problems(
        "forbidden",
        "gone",
        "precondition-failed",
        "invalid-range",
        "not-fetched",
        "storage-unavailable",
        "invalid-input",
        also={
            200: {"description": "The file", **operations.ANY_TYPE},
            206: {
                "description": "The ranges asked for; several as multipart/byteranges",
                **operations.ANY_TYPE,
            },
            302: {"description": "Where the store gives the file out"},
            304: {"description": "Not modified"},
        },
    ),
)
def download(resource_id: UUID, number: int, file_name: str, query: SignatureIn) -> Response:
    """Download a version's file

    Ranges, conditions and HEAD are answered. A draft needs its owner's token, or a download link.
    """
    found = services().downloads.open(identity(), resource_id, number, file_name, signature=query.signature)

    def open_range(offset: int, length: int) -> BlobReader:
        return found.copies.open(offset=offset, length=length)

    def presigned(copy: Copy) -> str | None:
        presigner = presigned_downloads(copy.store)
        if presigner is None:
            return None
        return presigner.presign_download(
            copy.locator,
            expires=_PRESIGNED_FOR,
            content_disposition=content_disposition(found.file_name),
            content_type=found.media_type,
        )

    def below_front_server(copy: Copy) -> str | None:
        local = local_paths(copy.store) if services().stores.is_primary(copy.store) else None
        if local is None or not site().accel_redirect:
            return None
        return f"{site().accel_redirect}/{local.local_path(copy.locator)}"

    response = deliver(
        request,
        size=found.size,
        etag=found.digest,
        media_type=found.media_type,
        file_name=found.file_name,
        digest=found.digest,
        last_modified=found.modified,
        open_range=open_range,
        redirect_url=lambda: _elsewhere(found.copies, presigned),
        accel_path=lambda: _elsewhere(found.copies, below_front_server),
        # A version never changes, but it can be withdrawn: ask again each time, 304 costs next to nothing.
        cache_control="public, no-cache" if found.public else "private, no-store",
    )
    if found.public and _begins(response):
        services().download_counter.count()
    return response


@blueprint.get("/thumbnails/<uuid:resource_id>/<version:number>/<any(small, large):size>.webp")
@blueprint.doc(
    operation_id="getThumbnail",
    security=operations.PUBLIC,
    responses=problems(
        "gone",
        "precondition-failed",
        "invalid-range",
        "storage-unavailable",
        also={
            200: {"description": "A picture (WebP)", **operations.ANY_TYPE},
            206: {"description": "The ranges asked for", **operations.ANY_TYPE},
            304: {"description": "Not modified"},
        },
    ),
)
def thumbnail(resource_id: UUID, number: int, size: str) -> Response:
    """A picture of a version's file

    Its first page, a frame of it, or the cover that it carries: `small` fits into 320 by 240 pixels, `large`
    into 1280 by 960. That of a draft needs its owner's token. Of files that cannot be shown there is none.
    """
    return thumbnail_response(resource_id, number, large=size == "large")


def _begins(response: Response) -> bool:
    """Whether somebody gets a file, or begins to: what goes on elsewhere in it is no further download."""
    from_start = request.range is None or any(start == 0 for start, _ in request.range.ranges)
    return request.method == "GET" and response.status_code in _GIVEN_OUT and from_start


def _elsewhere(copies: BlobCopies, address: Callable[[Copy], str | None]) -> str | None:
    """Where somebody else gives the bytes out, once the store has said that they are there."""
    return None if address(copies.next_copy()) is None else address(copies.locate())
