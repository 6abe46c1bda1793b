"""Damaged backups end in InvalidFile or in a description, never in another error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import RangeSource
from tests.support.backups import Container, backup, moodle1_backup

_SETTINGS = settings(max_examples=150, deadline=None)
_CONTAINERS = ("tgz", "zip", "moodle1")


@cache
def _sound(container: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.mbz"
        if container == "moodle1":
            return moodle1_backup(path, users=2).read_bytes()
        chosen: Container = "tgz" if container == "tgz" else "zip"
        return backup(path, container=chosen, users=2, questions={"essay": 3}, blocks=["html"]).read_bytes()


class _Stream:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        piece = self._data if size < 0 else self._data[:size]
        self._data = self._data[len(piece) :]
        return piece

    def close(self) -> None:
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _inspect(data: bytes, name: str = "x.mbz") -> BackupInspection | None:
    """None when the file is refused."""
    source = RangeSource(lambda offset, length: _Stream(data[offset : offset + length]), len(data))
    try:
        _, inspection = inspect(source, name=name)
    except InvalidFile:
        return None
    assert isinstance(inspection, BackupInspection)
    return inspection


@pytest.mark.parametrize("container", _CONTAINERS)
def test_sound_to_begin_with(container: str) -> None:
    inspection = _inspect(_sound(container))
    assert inspection is not None
    assert inspection.users == 2


@pytest.mark.parametrize("container", _CONTAINERS)
def test_every_truncation_is_refused(container: str) -> None:
    data = _sound(container)
    for length in range(0, len(data), 7):
        assert _inspect(data[:length]) is None, length


@pytest.mark.parametrize("container", _CONTAINERS)
@given(data=st.data())
@_SETTINGS
def test_flipped_bits(container: str, data: st.DataObject) -> None:
    damaged = bytearray(_sound(container))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    inspection = _inspect(bytes(damaged))
    # What is still described is described rightly: users cannot be hidden by a flipped bit.
    assert inspection is None or inspection.blocking


@pytest.mark.parametrize("container", _CONTAINERS)
@given(data=st.data())
@_SETTINGS
def test_pieces_cut_out_doubled_or_replaced(container: str, data: st.DataObject) -> None:
    sound = _sound(container)
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, len(sound)))
    middle = data.draw(st.one_of(st.just(b""), st.just(sound[start:end] * 2), st.binary(max_size=64)))
    inspection = _inspect(sound[:start] + middle + sound[end:])
    assert inspection is None or inspection.blocking


@given(
    head=st.sampled_from([b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"PK\x05\x06", b""]),
    rest=st.binary(),
)
@_SETTINGS
def test_arbitrary_bytes(head: bytes, rest: bytes) -> None:
    assert _inspect(head + rest) is None


@given(container=st.sampled_from(_CONTAINERS), tail=st.binary(min_size=1, max_size=200))
@_SETTINGS
def test_bytes_after_the_end(container: str, tail: bytes) -> None:
    inspection = _inspect(_sound(container) + tail)
    assert inspection is None or (container == "tgz" and not tail.strip(b"\0") and inspection.blocking)
