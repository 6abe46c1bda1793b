"""Thumbnails as a response, the same for software and for pages."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request

from repo_service.http.context import identity, services
from repo_service.http.delivery import deliver

_KEPT = 3600
"""Seconds. Their addresses change with them; but what is shown can be withdrawn."""


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
        cache_control=f"public, max-age={_KEPT}" if found.public else "private, no-store",
    )
    # Pickers of other sites show it. These are pixels that we have written ourselves.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
