"""The blueprint of our own pages."""

from __future__ import annotations

from repo_service.http.pages import Pages

blueprint = Pages("web", __name__)
NUMBER = "<int(min=1, max=2147483647):number>"
"""A version's number in an address."""
