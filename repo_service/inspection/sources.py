"""Sources: a file on this machine, anything that can open a range, and one that is read to its end anyway."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from repo_service.inspection.base import ReadStream
from repo_service.inspection.limits import MIB

_BLOCK = 1 * MIB

OpenRange = Callable[[int, int], ReadStream]
"""Opens a stream over (offset, length), both in bytes; ``BlobStore.open`` with its locator bound."""


def read_exactly(stream: ReadStream, length: int) -> bytes:
    """Up to ``length`` bytes, fewer only when the stream ends; a ``read`` may return less than asked for."""
    first = stream.read(length)
    if len(first) >= length or not first:
        return first
    pieces = [first]
    left = length - len(first)
    while left > 0 and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


class FileSource:
    """A file on this machine. Keep it open with ``with``."""

    def __init__(self, path: Path | str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._descriptor).st_size

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        if offset >= self._size or length <= 0:
            return b""
        return os.pread(self._descriptor, length, offset)

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        end = self._size if length is None else min(self._size, offset + length)
        return _FileStream(self._descriptor, offset, end)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _FileStream:
    """Reads by position, so that several streams over one open file do not disturb each other."""

    def __init__(self, descriptor: int, offset: int, end: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._end = end

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._end - self._offset)
        wanted = left if size < 0 else min(size, left)
        data = os.pread(self._descriptor, wanted, self._offset)
        self._offset += len(data)
        return data

    def close(self) -> None:
        self._end = self._offset

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class RangeSource:
    """A source over anything that opens ranges, such as a blob store.

    What ``read_at`` fetched lately is kept (at most ``cache`` bytes), because several parsers look at the
    same head and end; nothing is fetched that was not asked for.
    """

    def __init__(self, open_range: OpenRange, size: int, *, cache: int = 4 * MIB) -> None:
        self._open = open_range
        self._size = size
        self._room = cache
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        for start, data in self._kept.items():
            if start <= offset and offset + length <= start + len(data):
                self._kept.move_to_end(start)
                return data[offset - start : offset - start + length]
        with self._open(offset, length) as stream:
            data = read_exactly(stream, length)
        self._keep(offset, data)
        return data

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        left = max(0, self._size - offset)
        return self._open(offset, left if length is None else min(length, left))

    def _keep(self, offset: int, data: bytes) -> None:
        if len(data) > self._room:
            return
        if (old := self._kept.pop(offset, None)) is not None and len(old) > len(data):
            data = old
        self._kept[offset] = data
        held = sum(map(len, self._kept.values()))
        while held > self._room:
            _, dropped = self._kept.popitem(last=False)
            held -= len(dropped)


class ReadThrough:
    """A source whose every byte is taken once and in order, whatever a parser asks for.

    What a parser reads beyond the bytes taken so far is taken as it passes: of one that reads from the start
    to the end (a tar.gz) nothing is read twice. One that reads here and there (a zip) reads that besides.
    ``finish`` takes what is left.
    """

    def __init__(self, source: RangeSource, take: Callable[[bytes], None]) -> None:
        self._source = source
        self._take = take
        self._taken = 0

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def taken(self) -> int:
        """Bytes taken so far."""
        return self._taken

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        self.pass_on(offset, data)
        return data

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        return _PassingStream(self, self._source.stream(offset, length), offset)

    def finish(self) -> None:
        """Read to the end what was not read yet."""
        if self._taken < self.size:
            with self.stream(self._taken) as stream:
                while stream.read(_BLOCK):
                    pass

    def pass_on(self, offset: int, data: bytes) -> None:
        """Let be taken what of ``data``, which begins at ``offset``, continues what was taken."""
        known = self._taken - offset
        if 0 <= known < len(data):
            self._take(data[known:])
            self._taken = offset + len(data)


class _PassingStream:
    def __init__(self, source: ReadThrough, stream: ReadStream, offset: int) -> None:
        self._source = source
        self._stream = stream
        self._offset = offset

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._source.pass_on(self._offset, data)
        self._offset += len(data)
        return data

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
