"""Sizes that people type: ``500 MB``, ``2.5 GB``, ``1,5 GB``."""

from __future__ import annotations

import re

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_MOST = 2**53
"""What every program that reads JSON keeps exactly (RFC 8259, section 6)."""


def parse_size(typed: str) -> int | None:
    """Bytes; None for what is no size, or more than any disk holds. A unit is one of SI, in any letters."""
    found = re.fullmatch(r"([0-9]{1,16}(?:[.,][0-9]{1,6})?)\s*([kmgt]?b)?", typed.strip().lower(), re.ASCII)
    if found is None:
        return None
    size = int(float(found[1].replace(",", ".")) * _UNITS[found[2] or ""])
    return size if size <= _MOST else None
