"""The one blueprint of the pages. It is named ``web``: only its requests have a session."""

from __future__ import annotations

from apiflask import APIBlueprint

# APIFlask looks at the hooks of every blueprint, so this has to be one of its own.
blueprint = APIBlueprint("web", __name__, template_folder="templates", enable_openapi=False)
NUMBER = "<int(min=1, max=2147483647):number>"
"""A version's number in an address."""
