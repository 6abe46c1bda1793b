"""How large thumbnails are."""

from __future__ import annotations

SIZES = ((320, 240), (1280, 960))
"""Width and height in pixels that the small and the large one fit into."""
