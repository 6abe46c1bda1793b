"""What is made while it is sent, as a response."""

from __future__ import annotations

from flask import Response

from repo_service.http.file_names import content_disposition
from repo_service.services.exporting import Export


def zip_response(export: Export) -> Response:
    """The zip, to be saved and kept by nobody on the way. Nobody knows its size before all of it is sent."""
    response = Response(export.stream, mimetype="application/zip")
    response.headers["Content-Disposition"] = content_disposition(export.file_name)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
