"""Sources: a file, and anything that opens ranges."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.sources import FileSource, RangeSource, ReadThrough

_DATA = bytes(range(256)) * 40


class _Short(io.BytesIO):
    """Returns less than asked for, as a network may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 100) if size and size > 0 else size)


@pytest.fixture(params=["file", "ranges", "read through"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    ranges = RangeSource(lambda offset, length: _Short(_DATA[offset : offset + length]), len(_DATA))
    if request.param == "ranges":
        return ranges
    if request.param == "read through":
        return ReadThrough(ranges, lambda data: None)
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


@dataclass
class _Store:
    """Something that opens ranges, and how many bytes were read of it."""

    data: bytes
    read: int = 0
    opened: list[tuple[int, int]] = field(default_factory=list)

    def open_range(self, offset: int, length: int) -> ReadStream:
        store = self
        self.opened.append((offset, length))

        class Counted(_Short):
            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                store.read += len(data)
                return data

        return Counted(self.data[offset : offset + length])


_READS = st.lists(
    st.tuples(
        st.booleans(), st.integers(0, len(_DATA) + 10), st.integers(0, len(_DATA)), st.integers(1, 5000)
    ),
    max_size=8,
)


@given(_READS)
def test_every_byte_is_taken_once_and_in_order(reads: list[tuple[bool, int, int, int]]) -> None:
    """Whatever a parser asks for, and in which order; it gets what it asked for."""
    taken = bytearray()
    source = ReadThrough(RangeSource(_Store(_DATA).open_range, len(_DATA)), taken.extend)
    for as_stream, offset, length, step in reads:
        if as_stream:
            with source.stream(offset, length) as stream:
                data = stream.read(step)
                assert data == _DATA[offset : offset + length][: len(data)]
        else:
            assert source.read_at(offset, length) == _DATA[offset : offset + length]
        assert taken == _DATA[: source.taken]
    source.finish()
    assert taken == _DATA
    source.finish()
    assert source.taken == len(taken) == len(_DATA)


def test_a_parser_that_reads_to_the_end_leaves_nothing_to_read() -> None:
    """Its head was read before, to choose it."""
    store, taken = _Store(_DATA), bytearray()
    source = ReadThrough(RangeSource(store.open_range, len(_DATA)), taken.extend)
    source.read_at(0, 100)
    with source.stream() as stream:
        assert _all(stream) == _DATA
    source.finish()
    assert taken == _DATA
    assert store.read == len(_DATA) + 100
    assert store.opened == [(0, 100), (0, len(_DATA))]


def test_what_a_parser_leaves_is_read_on_from_there() -> None:
    """One that refuses the file half-way."""
    store, taken = _Store(_DATA), bytearray()
    source = ReadThrough(RangeSource(store.open_range, len(_DATA)), taken.extend)
    with source.stream() as stream:
        stream.read(100)
    source.finish()
    assert taken == _DATA
    assert store.opened == [(0, len(_DATA)), (100, len(_DATA) - 100)]


def test_a_blob_that_ends_too_early_is_noticed() -> None:
    taken = bytearray()
    source = ReadThrough(RangeSource(_Store(_DATA[:500]).open_range, len(_DATA)), taken.extend)
    source.finish()
    assert source.taken == len(taken) == 500
