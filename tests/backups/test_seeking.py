"""Seek indexes: small whatever the archive, made of sound archives only, and never believed when damaged."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from repo_service.backups import seek_index, seeking
from repo_service.backups.archives import BadSeekIndex, open_targz
from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import Limits
from repo_service.inspection.sources import FileSource
from tests.backups.support import bytes_source, content_of, index_of
from tests.inspection.support import CountingSource
from tests.support import hostile
from tests.support.backups import members, write_targz, write_zip

_MIB = 1024 * 1024
_PROJECT = Path(__file__).resolve().parents[2]


def _points(index: bytes) -> int:
    return int.from_bytes(index[20:24], "little")


def test_the_archive_is_read_once(tmp_path: Path) -> None:
    path = write_targz(tmp_path / "x.mbz", {"files/da/da": os.urandom(3 * _MIB)})
    told: list[float] = []
    with FileSource(path) as file, (tmp_path / "index").open("wb") as written:
        source = CountingSource(file)
        seeking.build_seek_index(source, write_to=written, progress=told.append)
    assert (source.bytes_read, source.requests) == (path.stat().st_size, 1)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_same_archive_gives_the_same_index(tmp_path: Path) -> None:
    path = write_targz(tmp_path / "x.mbz", members())
    assert index_of(path) == index_of(path)


def test_points_are_thinned_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "MOST_POINTS", 4)
    monkeypatch.setattr(seeking, "_DISTANCE", 64 * 1024)
    made = {f"files/{n:02x}/{n:02x}": os.urandom(100_000) for n in range(100)}
    path = write_targz(tmp_path / "x.mbz", made)
    index = index_of(path)
    assert 2 <= _points(index) <= 4
    with FileSource(path) as source:
        archive = open_targz(source, bytes_source(index))
        for name in random.Random(1).sample(list(made), 20):
            assert content_of(archive, name) == made[name]


def test_memory_and_index_stay_small(tmp_path: Path) -> None:
    """Of 1.5 GiB that do not compress, as of ten times as much."""
    path = tmp_path / "x.mbz"
    film = gzip.compress(os.urandom(16 * _MIB), 1)
    with path.open("wb") as file:
        for number in range(96):
            info = tarfile.TarInfo(f"files/{number}")
            info.size = 16 * _MIB
            file.write(gzip.compress(info.tobuf()) + film)
        file.write(gzip.compress(bytes(1024)))
    script = (
        "import sys; from pathlib import Path; from tests.backups.support import index_of; "
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]); "
        "before = peak(); index = index_of(Path(sys.argv[1])); print(len(index), peak() - before)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=_PROJECT, capture_output=True, check=True, text=True
    )
    size, grown = map(int, ran.stdout.split())
    assert 8 * _MIB < size < 17 * _MIB
    assert grown * 1024 < 64 * _MIB


TARS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "bomb": (lambda path: hostile.tar_bomb(path, inflated=1024 * _MIB), "bomb"),
    "path traversal": (
        lambda path: hostile.targz_with(path, tarfile.TarInfo("files/../../x")),
        "path-traversal",
    ),
    "absolute": (lambda path: hostile.targz_with(path, tarfile.TarInfo("/etc/x")), "absolute-path"),
    "symbolic link": (
        lambda path: hostile.targz_with(path, hostile.tar_link("files", "/etc")),
        "symbolic-link",
    ),
    "hard link": (
        lambda path: hostile.targz_with(path, hostile.tar_link("x", "y", kind=tarfile.LNKTYPE)),
        "hard-link",
    ),
    "device": (
        lambda path: hostile.targz_with(path, hostile.tar_link("x", "", kind=tarfile.CHRTYPE)),
        "device",
    ),
    "twice": (
        lambda path: hostile.targz_with(path, tarfile.TarInfo("a"), tarfile.TarInfo("./a")),
        "duplicate-member",
    ),
    "very long name": (
        lambda path: hostile.targz_with(path, tarfile.TarInfo("x" * 100_000)),
        "name-too-long",
    ),
    "a zip": (lambda path: write_zip(path, members()), "bad-gzip"),
    "no tar": (lambda path: _written(path, gzip.compress(b"plain text" * 999)), "bad-tar-header"),
    "nothing": (lambda path: _written(path, b""), "truncated"),
    "trailing garbage": (lambda path: _changed(path, lambda data: data + b"garbage"), "trailing-data"),
    "trailing tar": (
        lambda path: _changed(path, lambda data: gzip.compress(gzip.decompress(data) * 2)),
        "trailing-data",
    ),
    "truncated": (lambda path: _changed(path, lambda data: data[: len(data) // 2]), "truncated"),
    "without its checksum": (lambda path: _changed(path, lambda data: data[:-8]), "truncated"),
    "wrong checksum": (
        lambda path: _changed(path, lambda data: data[:-8] + bytes(4) + data[-4:]),
        "bad-gzip",
    ),
    "wrong size": (lambda path: _changed(path, lambda data: data[:-4] + bytes(4)), "bad-gzip"),
}


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    return _written(path, change(write_targz(path, members()).read_bytes()))


@pytest.mark.parametrize("name", TARS)
def test_an_archive_that_an_inspection_refuses(name: str, tmp_path: Path) -> None:
    make, reason = TARS[name]
    path = make(tmp_path / "x.mbz")
    with pytest.raises(InvalidFile) as caught:
        index_of(path)
    assert caught.value.reason == reason


def test_limits_hold(tmp_path: Path) -> None:
    path = write_targz(tmp_path / "x.mbz", members())
    for limits, reason in (
        (Limits(max_members=5), "too-many-entries"),
        (Limits(max_directory=100), "too-many-entries"),
        (Limits(max_inflated=5000), "too-large-inflated"),
    ):
        with pytest.raises(InvalidFile) as caught:
            index_of(path, limits)
        assert caught.value.reason == reason


def test_millions_of_empty_blocks(tmp_path: Path) -> None:
    """A boundary every few bytes must not cost a call each."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, 31)
    tar = gzip.decompress(write_targz(tmp_path / "x.mbz", members()).read_bytes())
    head = deflater.compress(tar[:-512]) + deflater.flush(zlib.Z_FULL_FLUSH)
    empty = b"\0\0\0\xff\xff" * 4_000_000
    path = _written(tmp_path / "y.mbz", head + empty + deflater.compress(tar[-512:]) + deflater.flush())
    index = index_of(path)
    assert _points(index) < 5
    with FileSource(path) as source:
        archive = open_targz(source, bytes_source(index))
        assert content_of(archive, "moodle_backup.xml") == members()["moodle_backup.xml"]


def test_damage_in_the_index_gives_no_wrong_bytes(tmp_path: Path) -> None:
    made = {**members(), "files/da/da": os.urandom(3 * _MIB)}
    path = write_targz(tmp_path / "x.mbz", made)
    index = index_of(path)
    chance = random.Random(11)
    windows = 52 + int.from_bytes(index[28:36], "little")
    for place in sorted({*range(60), *chance.sample(range(len(index)), 300), len(index) - 1}):
        damaged = bytearray(index)
        damaged[place] ^= 1 << chance.randrange(8)
        # A window that nobody needs may be damaged.
        assert _is_told(path, bytes(damaged), made) or place >= windows
    for size in (0, 10, 48, 52, 100, windows - 1, windows):
        assert _is_told(path, index[:size], made)


def _is_told(path: Path, index: bytes, made: dict[str, bytes]) -> bool:
    """Whether it is told that the index is damaged; what is read nevertheless has to be right."""
    told = False
    with FileSource(path) as source:
        try:
            archive = open_targz(source, bytes_source(index))
        except BadSeekIndex:
            return True
        for name, content in made.items():
            try:
                assert content_of(archive, name) == content
            except BadSeekIndex:
                told = True
    return told


def test_the_index_of_another_archive(tmp_path: Path) -> None:
    one = write_targz(tmp_path / "x.mbz", members())
    other = write_targz(tmp_path / "y.mbz", {**members(), "more": b"x" * 500})
    with FileSource(one) as source, pytest.raises(BadSeekIndex):
        open_targz(source, bytes_source(index_of(other)))


def test_the_index_of_another_archive_of_the_same_size(tmp_path: Path) -> None:
    first, second = os.urandom(5000), os.urandom(5000)
    one = write_targz(tmp_path / "x.mbz", {"a": first, "b": b""})
    other = write_targz(tmp_path / "y.mbz", {"c": second, "d": b""})
    size = max(one.stat().st_size, other.stat().st_size)
    for path in (one, other):  # zeros may follow a gzip
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    with FileSource(one) as source:
        archive = open_targz(source, bytes_source(index_of(other)))
        with pytest.raises((BadSeekIndex, InvalidFile)):
            content_of(archive, "c")


def test_another_version_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_targz(tmp_path / "x.mbz", members())
    index = index_of(path)
    monkeypatch.setattr(seek_index, "VERSION", seek_index.VERSION + 1)
    with FileSource(path) as source, pytest.raises(BadSeekIndex, match="version"):
        open_targz(source, bytes_source(index))
