"""Sources: a file, and anything that opens ranges."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.sources import FileSource, RangeSource

_DATA = bytes(range(256)) * 40


class _Short(io.BytesIO):
    """Returns less than asked for, as a network may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 100) if size and size > 0 else size)


@pytest.fixture(params=["file", "ranges"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    if request.param == "ranges":
        return RangeSource(lambda offset, length: _Short(_DATA[offset : offset + length]), len(_DATA))
    path = tmp_path / "x"
    path.write_bytes(_DATA)
    return FileSource(path)


def test_reads_at_any_place(source: Source) -> None:
    assert source.size == len(_DATA)
    assert source.read_at(10, 5000) == _DATA[10:5010]
    assert source.read_at(200, 50) == _DATA[200:250]
    assert source.read_at(len(_DATA) - 5, 100) == _DATA[-5:]
    assert source.read_at(len(_DATA) + 5, 100) == b""
    assert source.read_at(0, 0) == b""


def test_streams_do_not_disturb_each_other(source: Source) -> None:
    with source.stream(100, 300) as one, source.stream(5000) as other:
        first = one.read(50)
        assert _all(other) == _DATA[5000:]
        assert first + _all(one) == _DATA[100:400]


def _all(stream: ReadStream) -> bytes:
    return b"".join(iter(lambda: stream.read(64), b""))


def test_what_was_fetched_is_not_fetched_again() -> None:
    asked: list[tuple[int, int]] = []

    def open_range(offset: int, length: int) -> ReadStream:
        asked.append((offset, length))
        return io.BytesIO(_DATA[offset : offset + length])

    source = RangeSource(open_range, len(_DATA), cache=3000)
    source.read_at(0, 1000)
    source.read_at(500, 500)
    source.read_at(0, 10)
    assert asked == [(0, 1000)]
    source.read_at(4000, 2500)
    source.read_at(0, 10)
    assert asked == [(0, 1000), (4000, 2500), (0, 10)]
    source.read_at(0, 5000)
    source.read_at(0, 5000)
    assert asked[3:] == [(0, 5000), (0, 5000)]
