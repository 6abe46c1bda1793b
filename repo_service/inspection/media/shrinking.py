"""A picture made small, in the process that may do nothing else."""

from __future__ import annotations

import io

from PIL import Image

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.media.sizes import SIZES

MAX_PIXELS = 100_000_000
"""Of a picture that is opened: four bytes each fit into the memory of a task."""
_QUALITY = 80


def require_small(width: int, height: int) -> None:
    """Raises InvalidFile for a picture with too many pixels."""
    if width * height > MAX_PIXELS:
        raise InvalidFile("The picture has too many pixels.", reason="too-many-pixels")


def thumbnails(image: Image.Image) -> list[bytes]:
    """The small and the large one as WebP, on white, without anything but the pixels."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _of_eight_bits(image)
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


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """A picture in many greys, which Pillow would cut off at white: of 16 bits, or between what is in it."""
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else _extremes(image)
    scale = 255 / (high - low) if high > low else 0.0
    wide = image if image.mode == "F" else image.convert("I").convert("F")
    return wide.point(lambda value: value * scale - low * scale).convert("L")


def _extremes(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise InvalidFile("The file is damaged, or of a kind that cannot be read.", reason="unreadable")
    return float(low), float(high)
