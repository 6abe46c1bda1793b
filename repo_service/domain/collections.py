"""Words and limits of collections."""

from __future__ import annotations

import enum
from typing import Final

MAX_COLLECTIONS: Final = 100
"""So many one person may keep."""
MAX_ITEMS: Final = 200
"""So many resources one collection may hold; a page shows them all."""
MAX_SUMMARY: Final = 10_000
"""Characters of HTML."""
MAX_NOTE: Final = 1_000
"""Characters of plain text."""


class CollectionVisibility(enum.StrEnum):
    """Who may see a collection: its curator, or everybody."""

    PRIVATE = "private"
    PUBLIC = "public"


class ItemState(enum.StrEnum):
    """What has become of a resource within a collection: everybody sees it, its owner alone does (again), or
    nobody any more."""

    PUBLIC = "public"
    DRAFT = "draft"
    WITHDRAWN = "withdrawn"
