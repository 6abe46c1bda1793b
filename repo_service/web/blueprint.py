"""The one blueprint of the pages. It is named ``web``: only its requests have a session."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("web", __name__, template_folder="templates")
NUMBER = "<int(min=1, max=2147483647):number>"
"""A version's number in an address."""
