"""What several tests of inspection share."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import BackupInspection, Inspection
from repo_service.inspection.base import ReadStream
from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import FileSource


def inspect_path(path: Path) -> Inspection:
    """What is in the file."""
    with FileSource(path) as source:
        _, inspection = inspect(source, name=path.name)
    return inspection


def inspect_backup(path: Path) -> BackupInspection:
    """What is in the backup."""
    inspection = inspect_path(path)
    assert isinstance(inspection, BackupInspection)
    return inspection


def refusal(path: Path) -> str:
    """The reason why the file is refused."""
    try:
        inspection = inspect_path(path)
    except InvalidFile as error:
        return error.reason
    raise AssertionError(f"described as {inspection.kind}")


class CountingSource:
    """Counts requests and the bytes they returned."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self.size = source.size
        self.bytes_read = 0
        self.requests = 0

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        self.requests += 1
        self.bytes_read += len(data)
        return data

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        self.requests += 1
        return _CountingStream(self._source.stream(offset, length), self)


class _CountingStream:
    def __init__(self, stream: ReadStream, owner: CountingSource) -> None:
        self._stream = stream
        self._owner = owner

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._owner.bytes_read += len(data)
        return data

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
