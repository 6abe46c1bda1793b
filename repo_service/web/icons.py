"""Our own icons for what Moodle has: one drawing each in ``static/icons.svg``."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from markupsafe import Markup

from repo_service.web.assets import asset_url

_DRAWN = frozenset(
    re.findall(r'<symbol id="([a-z0-9]+)"', (Path(__file__).parent / "static" / "icons.svg").read_text())
)
_LIKE = {"assignment": "assign", "qbank": "quiz", "resource": "file", "subsection": "section"}
"""Modules that look like another one, or like a part of a course."""
_PLUGIN = "plugin"
_ICON = Markup(
    '<svg class="icon" width="20" height="20" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
)


def icon_of(module: str) -> str:
    """The name of the icon of an activity module; every plugin that we do not know has the same."""
    name = _LIKE.get(module, module)
    return name if name in _DRAWN else _PLUGIN


def icon(name: str) -> Markup:
    """An icon beside a text that says the same."""
    return _icon(asset_url("icons.svg"), name)


@functools.cache
def _icon(drawings: str, name: str) -> Markup:
    return _ICON.format(drawings, name)
