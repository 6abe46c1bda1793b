"""The seam that every parser fills: bytes in, Inspection out. No database, no web framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from repo_service.domain.inspection import Inspection
from storage import BlobReader as ReadStream

__all__ = ["HEAD_SIZE", "NotThisFormat", "Parser", "Progress", "ReadStream", "Source"]

Progress = Callable[[float], None]
"""Told the share of the work that is done, from 0.0 to 1.0."""

HEAD_SIZE = 4096
"""How many leading bytes ``Parser.sniff`` gets."""


class Source(Protocol):
    """A seekable ranged reader over a blob, wherever it stands. Reading is the expensive thing."""

    @property
    def size(self) -> int:
        """Size of the whole blob in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from ``offset``; fewer than ``length`` only at the end. For small pieces."""

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        """One forward pass from ``offset`` over ``length`` bytes (None: to the end)."""


class Parser(Protocol):
    """One format. ``name`` and ``version`` key what is kept: raise ``version`` when answers would differ."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the first bytes (at most HEAD_SIZE) and the file name look like this format."""

    def parse(self, source: Source, *, name: str, progress: Progress) -> Inspection:
        """Raises InvalidFile when the file is damaged, hostile or beyond a limit."""


class NotThisFormat(Exception):
    """Raised by ``Parser.parse``: the file is sound so far but turned out to be of another format.

    The next parser is asked; the last one takes every file.
    """
