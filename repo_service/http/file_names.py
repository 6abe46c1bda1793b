"""Names of files as they come from other people's machines, and how they are sent back."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

MAX_BYTES = 255
"""What file systems, and Moodle's ``files.filename`` column, take."""

_FALLBACK = "file"
_MAX_EXTENSION_BYTES = 32

# Bidirectional marks can make "gpj.exe" read as "exe.jpg"; the byte order mark is left over from encodings.
_MISLEADING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
# Control characters, lone surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_file_name(raw: str) -> str:
    """A name that is safe to keep, show and send: no folders, no control characters, NFC, at most 255 bytes
    of UTF-8 with its extension kept, never empty, ``.`` or hidden."""
    name = unicodedata.normalize("NFC", raw).replace("\\", "/").rpartition("/")[2]
    name = "".join(
        character
        for character in name
        if character not in _MISLEADING and unicodedata.category(character) not in _UNPRINTABLE
    )
    # Taking characters away may have brought others together that compose.
    name = unicodedata.normalize("NFC", name).rstrip(". ").lstrip(" ")
    if not name or name.startswith("."):
        name = _FALLBACK + name
    return _shortened(name)


def content_disposition(file_name: str) -> str:
    """An RFC 6266 header by which any browser saves the file under its name; old ones get an ASCII form."""
    ascii_form = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode()
    # Some clients read percent signs and backslashes in the plain form as escapes.
    for character in '"\\%':
        ascii_form = ascii_form.replace(character, "_")
    ascii_form = "".join(character for character in ascii_form if character.isprintable()).strip()
    if not ascii_form.partition(".")[0]:
        ascii_form = _FALLBACK + ascii_form
    return f"attachment; filename=\"{ascii_form}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _shortened(name: str) -> str:
    data = name.encode()
    if len(data) <= MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = (dot + extension).encode()
    if not stem or len(ending) > _MAX_EXTENSION_BYTES:
        stem, ending = name, b""
    room = MAX_BYTES - len(ending)
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + ending.decode()
