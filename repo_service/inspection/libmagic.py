"""libmagic: the system's, or the one that the package pylibmagic carries for machines that have none.

The system's comes first: it gets the distribution's security updates.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magic import Magic


@cache
def media_types() -> Magic:
    """The reader of media types, shared by all threads. ImportError when there is no libmagic at all."""
    try:
        from magic import Magic
    except ImportError:
        folder = _bundled()
        # Found under its soname from now on, which is how python-magic asks for it. Importing pylibmagic
        # would do it too, but patches ctypes and the environment of every process started later.
        ctypes.CDLL(str(folder / "libmagic.so.1"))
        from magic import Magic

        return Magic(mime=True, magic_file=str(folder / "magic.mgc"))
    return Magic(mime=True)


def _bundled() -> Path:
    found = importlib.util.find_spec("pylibmagic")
    if found is None or not found.submodule_search_locations:
        raise ImportError("libmagic is missing: install libmagic1 (Debian, Ubuntu) or the package pylibmagic")
    return Path(found.submodule_search_locations[0])
