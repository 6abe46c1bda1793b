"""Checksums of chunks."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.checks import CHUNK, Checks, chunk_is_right


def _checks(*pieces: bytes) -> bytes:
    checks = Checks()
    for piece in pieces:
        checks.update(piece)
    return checks.value()


def test_each_chunk_has_the_crc_of_gzip() -> None:
    data = bytes(range(256)) * (CHUNK // 256) * 2 + b"the rest"
    expected = [zlib.crc32(data[start : start + CHUNK]) for start in range(0, len(data), CHUNK)]
    assert _checks(data) == b"".join(crc.to_bytes(4, "big") for crc in expected)


def test_nothing_has_no_checksum() -> None:
    assert _checks() == _checks(b"") == b""


@given(st.lists(st.integers(0, 3 * CHUNK // 2), max_size=6))
def test_the_pieces_do_not_matter(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    assert _checks(*pieces) == _checks(b"".join(pieces))


def test_a_flipped_bit_is_noticed_in_its_chunk_only() -> None:
    data = bytearray(bytes(CHUNK) + bytes(CHUNK))
    checks = _checks(bytes(data))
    data[CHUNK + 17] ^= 4
    assert chunk_is_right(checks, 0, data[:CHUNK])
    assert not chunk_is_right(checks, 1, data[CHUNK:])


@pytest.mark.parametrize("number", [-1, 1])
def test_there_is_no_chunk_beyond_the_blob(number: int) -> None:
    with pytest.raises(IndexError):
        chunk_is_right(_checks(b"one chunk"), number, b"one chunk")
