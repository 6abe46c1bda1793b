"""Archives read here and there: any member, from any place, as the whole archive has it."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import ReadStream
from repo_service.inspection.limits import Limits
from repo_service.inspection.sources import FileSource
from tests.backups.support import bytes_source, content_of, index_of, opened
from tests.inspection.support import CountingSource
from tests.support import hostile
from tests.support.backups import members, write_targz, write_zip

_MIB = 1024 * 1024

Writer = Callable[..., Path]
both = pytest.mark.parametrize("write", [write_zip, write_targz], ids=["zip", "tar.gz"])


def _large() -> dict[str, bytes]:
    """A backup of 12 MB: text, films, and many small ones between them."""
    chance = random.Random(7)
    words = [chance.randbytes(chance.randint(2, 8)).hex().encode() for _ in range(900)]
    made = members()
    for number in range(60):
        size = chance.choice([0, 1, 511, 512, 513, 20_000, 400_000, 800_000])
        data = chance.randbytes(size) if number % 3 else b" ".join(chance.choices(words, k=size // 8))
        made[f"files/{number:02x}/{number:040x}"] = data
    return made


@both
def test_every_member_is_there(write: Writer, tmp_path: Path) -> None:
    made = _large()
    path = write(tmp_path / "x.mbz", made)
    with FileSource(path) as source:
        archive = opened(source, path)
        names = list(archive.names())
        files = [name for name in names if archive.member(name).is_file and name != ".ARCHIVE_INDEX"]
        assert files == list(made)
        assert len(archive) == len(names)
        assert "files/00/" in archive
        assert "files/00" not in archive
        order = list(made)
        random.Random(3).shuffle(order)
        for name in order:
            assert archive.member(name).size == len(made[name])
            assert content_of(archive, name) == made[name], name


@both
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_several_are_read_in_the_order_of_the_archive(write: Writer, share: float, tmp_path: Path) -> None:
    made = _large()
    path = write(tmp_path / "x.mbz", made)
    wanted = random.Random(5).sample(list(made), int(len(made) * share))
    with FileSource(path) as source:
        archive = opened(source, path)
        got = {}
        for number, (member, stream) in enumerate(archive.read_many(wanted)):
            # Some are left before their end: the next ones are right all the same.
            got[member.name] = stream.read(7) if number % 4 == 1 else stream.read()
    assert list(got) == [name for name in made if name in wanted]
    assert all(made[name].startswith(data) for name, data in got.items())
    assert sum(made[name] == data for name, data in got.items()) > len(got) // 2


@both
def test_names_that_are_not_there(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path / "x.mbz", members())
    with FileSource(path) as source:
        archive = opened(source, path)
        for ask in (archive.member, archive.open, lambda name: next(archive.read_many([name]))):
            with pytest.raises(InvalidFile) as caught:
                ask("files/ff/none")
            assert caught.value.reason == "missing-member"


@both
def test_neighbours_cost_few_requests(write: Writer, tmp_path: Path) -> None:
    made = {f"activities/page_{n}/page.xml": os.urandom(1000) for n in range(200)}
    path = write(tmp_path / "x.mbz", {**made, "files/da/" + "da" * 20: os.urandom(20 * _MIB)})
    with FileSource(path) as file:
        counting = CountingSource(file)
        archive = opened(counting, path)
        before = counting.requests
        assert {member.name: stream.read() for member, stream in archive.read_many(made)} == made
        assert counting.requests - before <= 2
        assert counting.bytes_read < 3 * _MIB


@both
def test_of_a_large_archive_only_a_part_is_read(write: Writer, tmp_path: Path) -> None:
    films = {f"files/{n:02x}/{n:040x}": os.urandom(4 * _MIB) for n in range(8)}
    path = write(tmp_path / "x.mbz", films)
    name = list(films)[5]
    with FileSource(path) as file:
        counting = CountingSource(file)
        archive = opened(counting, path)
        assert content_of(archive, name) == films[name]
        assert counting.bytes_read < 6 * _MIB
        assert counting.requests < 8


def test_a_member_is_copied_as_it_stands_in_the_zip(tmp_path: Path) -> None:
    made = _large()
    path = write_zip(tmp_path / "x.mbz", made)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("stored.bin", b"as it is")
    made["stored.bin"] = b"as it is"
    with FileSource(path) as source:
        raw_ones = list(open_zip(source).raw_many(made))
        assert [raw.name for raw in raw_ones] == list(made)
        for raw in raw_ones:
            data = raw.stream.read()
            assert len(data) == raw.compressed_size
            inflated = data if raw.method == 0 else zlib.decompress(data, -zlib.MAX_WBITS)
            assert inflated == made[raw.name]
            assert (raw.size, raw.crc) == (len(inflated), zlib.crc32(inflated))
        single = open_zip(source).raw("stored.bin")
        assert (single.method, single.stream.read()) == (0, b"as it is")


def test_gzip_in_many_parts(tmp_path: Path) -> None:
    made = _large()
    whole = gzip.decompress(write_targz(tmp_path / "x.mbz", made).read_bytes())
    chance = random.Random(9)
    cuts = sorted(chance.sample(range(len(whole)), 40))
    parts = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    path = tmp_path / "y.mbz"
    path.write_bytes(b"".join(gzip.compress(part, 1) + bytes(chance.choice([0, 0, 5])) for part in parts))
    with FileSource(path) as source:
        archive = opened(source, path)
        for name in reversed(made):
            assert content_of(archive, name) == made[name]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_a_tar(form: int, tmp_path: Path) -> None:
    made = {"x" * 400 + "/ü": b"1", **members(), "y" * 300: b"2"}
    path = tmp_path / "x.mbz"
    with tarfile.open(path, "w:gz", format=form) as tar:
        for name, data in made.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with FileSource(path) as source:
        archive = opened(source, path)
        assert {member.name: stream.read() for member, stream in archive.read_many(made)} == made


def test_tar_of_the_system(tmp_path: Path) -> None:
    made = members()
    for name, data in made.items():
        target = tmp_path / "unpacked" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    path = tmp_path / "x.mbz"
    subprocess.run(["tar", "-czf", str(path), "-C", str(tmp_path / "unpacked"), "."], check=True)
    with FileSource(path) as source:
        archive = opened(source, path)
        assert {member.name: stream.read() for member, stream in archive.read_many(made)} == made


def test_names_of_old_zips(tmp_path: Path) -> None:
    path = hostile.raw_zip(tmp_path / "x.mbz", [(b"files/\x81.txt", b"cp437"), (b"./plain", b"dot")])
    with FileSource(path) as source:
        archive = open_zip(source)
        assert list(archive.names()) == ["files/ü.txt", "plain"]
        assert content_of(archive, "files/ü.txt") == b"cp437"
        assert content_of(archive, "plain") == b"dot"


def test_the_corpus_is_read_as_by_others(corpus: Path) -> None:
    paths = sorted(corpus.glob("*.mbz"))
    assert len(paths) > 50
    for path in paths:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        expected = _zip_crcs(path) if is_zip else _tar_crcs(path)
        with FileSource(path) as source:
            archive = opened(source, path)
            found = {
                member.name: zlib.crc32(stream.read())
                for member, stream in archive.read_many(name for name in archive.names())
                if member.is_file
            }
        assert found == expected, path.name


def _zip_crcs(path: Path) -> dict[str, int]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: info.CRC for info in archive.infolist() if not info.is_dir()}


def _tar_crcs(path: Path) -> dict[str, int]:
    with tarfile.open(path) as archive:
        return {
            info.name.removeprefix("./"): zlib.crc32(file.read())
            for info in archive
            if (file := archive.extractfile(info)) is not None
        }


def _spoil(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0xFF]))


def _read_until_refused(archive: Archive, name: str) -> tuple[int, str]:
    """How many bytes came before, and the reason."""
    got = 0
    try:
        with archive.open(name) as stream:
            while block := stream.read(1000):
                got += len(block)
    except InvalidFile as error:
        return got, error.reason
    raise AssertionError("it was not refused")


@pytest.mark.parametrize("size", [5000, 3 * _MIB])
def test_damage_is_found_before_the_last_bytes_are_given_away(size: int, tmp_path: Path) -> None:
    film = os.urandom(size)
    for write in (write_zip, write_targz):
        path = write(tmp_path / "x.mbz", {**members(), "files/da/da": film})
        if write is write_targz:  # stored, so that the film is found in it
            path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 0))
        with FileSource(path) as source:
            archive = opened(source, path)
            _spoil(path, path.read_bytes().index(film[-100:-80]))
            got, reason = _read_until_refused(archive, "files/da/da")
            assert reason == "bad-checksum"
            assert got < size
            assert content_of(archive, "moodle_backup.xml").startswith(b"<?xml")


ZIPS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "path traversal": (lambda path: write_zip(path, {"../../etc/x": b""}), "path-traversal"),
    "absolute": (lambda path: write_zip(path, {"/etc/x": b""}), "absolute-path"),
    "symbolic link": (hostile.zip_with_symlink, "symbolic-link"),
    "encrypted": (lambda path: hostile.raw_zip(path, hostile.encoded_members(), flags=1), "encrypted"),
    "unknown method": (
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), method=99),
        "unknown-compression",
    ),
    "too many": (
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), claim=10_000_000),
        "too-many-entries",
    ),
    "overlapping": (
        lambda path: hostile.raw_zip(path, [(b"a", b"x" * 99), (b"b", b"x" * 99)], shared_offset=True),
        "overlapping-members",
    ),
    "twice": (lambda path: hostile.raw_zip(path, [(b"a", b"1"), (b"./a", b"2")]), "duplicate-member"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_that_an_inspection_refuses(name: str, tmp_path: Path) -> None:
    make, reason = ZIPS[name]
    with FileSource(make(tmp_path / "x.mbz")) as source, pytest.raises(InvalidFile) as caught:
        open_zip(source)
    assert caught.value.reason == reason


def test_a_zip_bomb_is_left_early(tmp_path: Path) -> None:
    path = hostile.zip_bomb(tmp_path / "x.mbz", inflated=300 * _MIB)
    with FileSource(path) as source:
        archive = open_zip(source, Limits(ratio_free=4 * _MIB))
        got, reason = _read_until_refused(archive, "files.xml")
        assert reason == "bomb"
        assert got <= 32 * _MIB


def test_headers_that_differ(tmp_path: Path) -> None:
    path = hostile.raw_zip(tmp_path / "x.mbz", [(b"aaa", b"1")], local_name=b"bbb")
    with FileSource(path) as source:
        archive = open_zip(source)
        with pytest.raises(InvalidFile) as caught:
            archive.open("aaa")
        assert caught.value.reason == "bad-zip-directory"


def test_very_many_members(tmp_path: Path) -> None:
    for make in (hostile.zip_with_many_entries, hostile.targz_with_many_entries):
        path = make(tmp_path / "x.mbz", 60_000)
        with FileSource(path) as source:
            archive = opened(source, path)
            assert len(archive) > 60_000
            assert content_of(archive, f"files/2a/{(42 << 152) + 42:040x}") == b""


def test_an_error_of_the_store_comes_through(tmp_path: Path) -> None:
    class Down(Exception):
        pass

    class Breaking(FileSource):
        down = False

        def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
            if self.down:
                raise Down
            return super().stream(offset, length)

        def read_at(self, offset: int, length: int) -> bytes:
            if self.down:
                raise Down
            return super().read_at(offset, length)

    for write in (write_zip, write_targz):
        path = write(tmp_path / "x.mbz", members())
        with Breaking(path) as source:
            archive = opened(source, path)
            source.down = True
            with pytest.raises(Down):
                content_of(archive, "moodle_backup.xml")


def test_in_several_threads(tmp_path: Path) -> None:
    made = _large()
    path = write_targz(tmp_path / "x.mbz", made)
    index = index_of(path)
    wrong: list[str] = []

    def read(seed: int) -> None:
        order = random.Random(seed).sample(list(made), 30)
        with FileSource(path) as source:
            archive = open_targz(source, bytes_source(index))
            wrong.extend(name for name in order if content_of(archive, name) != made[name])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
