"""The archive readers: what they read, and what they take besides the plainest archives."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import FileSource
from tests.inspection.support import CountingSource, inspect_backup, refusal
from tests.support.backups import ActivitySpec, backup, members, write_targz, write_zip
from tests.support.hostile import encoded_members, raw_zip

_KIB = 1024


def _is_used(name: str) -> bool:
    return name.endswith(".xml") and not name.startswith("files/")


def _allowed(path: Path) -> int:
    """Bytes that a zip may be read with: its directory, the members used, and 256 KiB."""
    with zipfile.ZipFile(path) as archive:
        directory = path.stat().st_size - archive.start_dir
        used = sum(info.compress_size for info in archive.infolist() if _is_used(info.filename))
    return directory + used + 256 * _KIB


def _bytes_read(path: Path) -> CountingSource:
    with FileSource(path) as file:
        source = CountingSource(file)
        inspect(source, name=path.name)
    return source


@pytest.mark.parametrize("activities", [1, 50, 400])
def test_a_zip_is_read_in_part(activities: int, tmp_path: Path) -> None:
    big = bytes(range(256)) * 8
    made = members(activities=[ActivitySpec(title=f"A {n}") for n in range(activities)])
    made.update({f"activities/page_{100 + n}/notes.txt": big * (n % 5) for n in range(activities)})
    made.update({f"files/{n:02x}/{n:02x}{n:038x}": big * 400 for n in range(4)})
    path = write_zip(tmp_path / "x.mbz", made)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("files/da/da", bytes(5_000_000))
    source = _bytes_read(path)
    assert source.bytes_read <= _allowed(path)
    assert source.requests < 20 + activities


def test_zips_of_the_corpus_are_read_in_part(corpus: Path) -> None:
    zips = sorted(corpus.glob("*.zip.mbz"))
    assert len(zips) > 20
    for path in zips:
        assert _bytes_read(path).bytes_read <= _allowed(path), path.name


def test_a_tar_is_read_once(tmp_path: Path) -> None:
    path = backup(tmp_path / "x.mbz", extra={"files/da/" + "da" * 20: bytes(3_000_000)})
    source = _bytes_read(path)
    assert source.bytes_read <= path.stat().st_size + 4096 + 8


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    for container in ("tgz", "zip"):
        told: list[float] = []
        with FileSource(backup(tmp_path / "x.mbz", container=container)) as source:
            inspect(source, name="x.mbz", progress=told.append)
        assert told == sorted(told)
        assert told[-1] == 1.0
        assert told[0] >= 0.0


@pytest.mark.parametrize("comment", [0, 4000, 4060, 4070, 4074, 4075, 65_535])
@pytest.mark.parametrize("entries", [0, 70_000])
def test_the_end_record_is_found_before_any_comment(comment: int, entries: int, tmp_path: Path) -> None:
    many = [*encoded_members(), *((b"files/%d" % n, b"") for n in range(entries))]
    path = raw_zip(tmp_path / "x.mbz", many)
    data = path.read_bytes()
    path.write_bytes(data[:-2] + comment.to_bytes(2, "little") + b"-" * comment)
    assert inspect_backup(path).activities == 2


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(form: int, tmp_path: Path) -> None:
    path = tmp_path / "x.mbz"
    with tarfile.open(path, "w:gz", format=form) as archive:
        for name, data in {"x" * 400 + "/ü": b"1", **members(), "y" * 300: b"2"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert inspect_backup(path).activities == 2


def test_a_name_of_many_kilobytes(tmp_path: Path) -> None:
    path = tmp_path / "x.mbz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("x" * 100_000))
    assert refusal(path) == "name-too-long"


def test_a_pax_header_cannot_hide_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "x.mbz"
    with tarfile.open(
        path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"path": "moodle_backup.xml"}
    ) as archive:
        archive.addfile(tarfile.TarInfo("x"))
    assert refusal(path) == "bad-tar-header"


def test_gzip_in_several_parts(tmp_path: Path) -> None:
    whole = gzip.decompress(write_targz(tmp_path / "x.mbz", members()).read_bytes())
    cut = len(whole) // 3
    path = tmp_path / "y.mbz"
    path.write_bytes(b"".join(gzip.compress(part) for part in (whole[:cut], whole[cut:], b"")))
    assert inspect_backup(path).activities == 2


def test_tar_of_the_system(tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    for name, data in members().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    path = tmp_path / "x.mbz"
    subprocess.run(["tar", "-czf", str(path), "-C", str(folder), "."], check=True)
    assert inspect_backup(path).activities == 2


def test_data_behind_the_end_of_the_tar(tmp_path: Path) -> None:
    whole = gzip.decompress(write_targz(tmp_path / "x.mbz", members()).read_bytes())
    path = tmp_path / "y.mbz"
    path.write_bytes(gzip.compress(whole + whole))
    assert refusal(path) == "trailing-data"


def test_a_checksum_that_is_wrong(tmp_path: Path) -> None:
    path = write_targz(tmp_path / "x.mbz", members())
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert refusal(path) == "bad-gzip"


def test_zip64_records(tmp_path: Path) -> None:
    path = tmp_path / "x.mbz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members().items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert inspect_backup(path).activities == 2
    many = [*encoded_members(), *((b"files/%d" % n, b"") for n in range(70_000))]
    assert inspect_backup(raw_zip(path, many)).activities == 2


def test_a_zip_written_as_a_stream(tmp_path: Path) -> None:
    class OneWay(io.RawIOBase):
        def __init__(self, path: Path) -> None:
            self._file = path.open("wb")

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes are written here
            return self._file.write(data)

        def close(self) -> None:
            self._file.close()

    path = tmp_path / "x.mbz"
    with OneWay(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members().items():
            archive.writestr(name, data)
    assert inspect_backup(path).activities == 2


def test_a_zip_with_a_comment(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.mbz", members())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"made by hand PK\x05\x06 or so " * 20
    assert inspect_backup(path).activities == 2


def test_a_member_that_is_damaged(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "x.mbz", encoded_members())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"<mode>10", b"<mode>50", 1))
    assert refusal(path) == "bad-checksum"
