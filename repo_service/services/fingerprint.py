"""What is computed of a file while its bytes go past, once and in order."""

from __future__ import annotations

import hashlib
from typing import Self

from repo_service.inspection.base import HEAD_SIZE
from repo_service.inspection.media_types import media_type
from storage import Digest, Sidecar
from storage.checks import Checks


class Fingerprint:
    """Size, SHA-256, the checksums of the chunks, and the media type by the first bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._checks = Checks()
        self._head = b""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, however many."""
        if len(self._head) < HEAD_SIZE:
            self._head += bytes(data[: HEAD_SIZE - len(self._head)])
        self._hash.update(data)
        self._checks.update(data)
        self.size += len(data)

    @property
    def digest(self) -> Digest:
        """SHA-256 of all that was taken."""
        return Digest(self._hash.hexdigest())

    def checks(self) -> bytes:
        """See ``storage.checks``."""
        return self._checks.value()

    def sidecar(self) -> Sidecar:
        """The record that goes with the blob."""
        return Sidecar(digest=self.digest, size=self.size, media_type=media_type(self._head, ""))

    def copy(self) -> Self:
        """One that goes on from here by itself."""
        other = type(self)()
        other.size = self.size
        other._hash, other._checks, other._head = self._hash.copy(), self._checks.copy(), self._head
        return other
