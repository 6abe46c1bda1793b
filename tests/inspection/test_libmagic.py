"""Media types are told on machines without the system's libmagic, too."""

from __future__ import annotations

import subprocess
import sys

from repo_service.inspection import libmagic

_WITHOUT_THE_SYSTEMS = """
import ctypes, ctypes.util

ctypes.util.find_library = lambda name: None
by_soname = ctypes.CDLL
bundled = []

def load(name, *arguments, **options):
    if name == "libmagic.so.1" and not bundled:
        raise OSError("not here")
    if str(name).endswith("/libmagic.so.1"):
        bundled.append(name)
    return by_soname(name, *arguments, **options)

ctypes.CDLL = load
from repo_service.inspection import libmagic

assert libmagic.media_types().from_buffer(b"%PDF-1.4\\n") == "application/pdf"
assert "pylibmagic" in bundled[0], bundled
"""


def test_the_systems_library_is_used_where_there_is_one() -> None:
    assert libmagic.media_types().from_buffer(b"%PDF-1.4\n") == "application/pdf"


def test_the_bundled_library_stands_in_for_a_missing_one() -> None:
    subprocess.run([sys.executable, "-c", _WITHOUT_THE_SYSTEMS], check=True)
