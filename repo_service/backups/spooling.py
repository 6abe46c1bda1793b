"""What is too much for memory, on disk for a moment: lines of JSON, and their order."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from repo_service.inspection.limits import MIB

_IN_MEMORY = 8 * MIB
"""Bytes of lines that are put in order at once."""


class Lines:
    """Values that JSON knows, one behind the other. All are added before the first is read."""

    def __init__(self, folder: Path) -> None:
        make: Any = tempfile.TemporaryFile
        self._file: IO[bytes] = make(dir=folder)

    def add(self, value: Any) -> None:
        self._file.write(json.dumps(value).encode() + b"\n")

    def __iter__(self) -> Iterator[Any]:
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def close(self) -> None:
        self._file.close()


def in_order(
    rows: Iterable[tuple[str, ...]], folder: Path, *, memory: int = _IN_MEMORY
) -> Iterator[tuple[str, ...]]:
    """The rows sorted, with no more than ``memory`` bytes of them in memory at a time."""
    with ExitStack() as stack:
        runs: list[Iterator[tuple[str, ...]]] = []
        kept: list[tuple[str, ...]] = []
        size = 0
        for row in rows:
            kept.append(row)
            size += sum(map(len, row)) + 100
            if size > memory:
                lines = Lines(folder)
                stack.callback(lines.close)
                for one in sorted(kept):
                    lines.add(one)
                runs.append(map(tuple, lines))
                kept, size = [], 0
        yield from heapq.merge(*runs, sorted(kept))
