"""The blueprint of the pages for teachers who come from a Moodle or send something there."""

from __future__ import annotations

from repo_service.http.pages import Pages

pages = Pages("moodle", __name__)
