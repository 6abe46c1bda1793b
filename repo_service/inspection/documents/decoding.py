"""Texts as Unicode, whatever they are encoded in."""

from __future__ import annotations

import codecs

from repo_service.inspection.base import Source
from repo_service.inspection.limits import KIB

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GUESSED_FROM = 16 * KIB


def encoding_of(head: bytes) -> tuple[str, int] | None:
    """The encoding of a text that begins with ``head``, and the length of its mark; None for what is no text.

    UTF-8 unless it cannot be, or says otherwise by its mark; older ones are guessed.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if b"\0" in head:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        found = from_bytes(head[:_GUESSED_FROM]).best()
        return None if found is None else (found.encoding, 0)
    return "utf-8", 0


def decoded(source: Source, *, limit: int) -> str | None:
    """The first ``limit`` bytes of a text, with ``\\n`` between its lines; None for what is no text."""
    data = source.read_at(0, limit)
    found = encoding_of(data)
    if found is None:
        return None
    encoding, mark = found
    text = codecs.decode(data[mark:], encoding, "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
