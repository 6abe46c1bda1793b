"""Thumbnails as a response, the same for software and for pages."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request

from repo_service.http.context import identity, services
from repo_service.http.delivery import deliver


def thumbnail_response(resource_id: UUID, number: int, *, large: bool) -> Response:
    """The picture of a version that the asker may read. Raises NotFound, Gone, and as ``deliver``."""
    found = services().thumbnails.open(identity(), resource_id, number, large=large)
    response = deliver(
        request,
        size=found.size,
        etag=found.digest,
        media_type=found.media_type,
        file_name="large.webp" if large else "small.webp",
        digest=found.digest,
        last_modified=found.modified,
        open_range=lambda offset, length: found.copies.open(offset=offset, length=length),
        # As the file: what is withdrawn is shown no more by any cache.
        cache_control="public, no-cache" if found.public else "private, no-store",
    )
    if found.public:  # pickers of other sites show it, pixels that we have written ourselves
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
