"""A picture made small, in the process that may do nothing else."""

from __future__ import annotations

import io

from PIL import Image

from repo_service.domain.errors import InvalidFile

SIZES = ((320, 240), (1280, 960))
"""Width and height in pixels that the small and the large thumbnail fit into."""
MAX_PIXELS = 100_000_000
"""Of a picture that is opened: four bytes each fit into the memory of a task."""
_QUALITY = 80


def require_small(width: int, height: int) -> None:
    """Raises InvalidFile for a picture with too many pixels."""
    if width * height > MAX_PIXELS:
        raise InvalidFile("The picture has too many pixels.", reason="too-many-pixels")


def thumbnails(image: Image.Image) -> list[bytes]:
    """The small and the large one as WebP, on white, without anything but the pixels."""
    if image.mode not in ("RGB", "L"):
        clear = image.convert("RGBA")
        image = Image.new("RGB", clear.size, "white")
        image.paste(clear, mask=clear.getchannel("A"))
    made = []
    for size in reversed(SIZES):
        image = image.copy()
        image.thumbnail(size, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.convert("RGB").save(file, "WEBP", quality=_QUALITY)
        made.append(file.getvalue())
    return made[::-1]
