"""Recognises the manifest of a backup as Moodle does: by its first 200 bytes.

An archive with a manifest that Moodle would not take is refused, not treated as some other file: it may still
hold everything that a backup holds.
"""

from __future__ import annotations

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import Sink

_WITHIN = 200
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'


class Recognised:
    """Lets the manifest through when Moodle would recognise it by its first bytes."""

    def __init__(self, sink: Sink, name: str, roots: tuple[bytes, bytes]) -> None:
        self._sink = sink
        self._name = name
        self._roots = roots
        self._head: bytes | None = b""

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        if self._head is None:
            self._sink.feed(data)
            return
        self._head += data
        if len(self._head) >= _WITHIN:
            self._let_through()

    def close(self) -> None:
        self._let_through()
        self._sink.close()

    def _let_through(self) -> None:
        if self._head is None:
            return
        head = self._head[:_WITHIN]
        if _DECLARATION not in head.lower() or not all(root in head for root in self._roots):
            raise InvalidFile(
                f"{self._name} does not begin as Moodle expects, which would not restore it.",
                reason="not-recognised-by-moodle",
                place=self._name,
            )
        self._sink.feed(self._head)
        self._head = None
