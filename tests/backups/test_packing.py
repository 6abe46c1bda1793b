"""Archives as they are written, read by others' programs."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from repo_service.backups.packing import TarGzPacker
from repo_service.domain.errors import InvalidFile

_DEEP = "/".join(["a" * 50] * 2)


def _pack(path: Path, contents: dict[str, bytes]) -> None:
    with path.open("wb") as file:
        packer = TarGzPacker(file.write, modified=1_700_000_000)
        for name, content in contents.items():
            packer.add(name, len(content), io.BytesIO(content))
        packer.finish()


def test_what_is_packed_is_read_by_tar(tmp_path: Path) -> None:
    contents = {
        "moodle_backup.xml": b"<moodle_backup/>",
        f"{'n' * 100}": b"a name as long as it may be",
        f"activities/{_DEEP}/{'n' * 90}.xml": b"more than a hundred bytes: a prefix",
        "files/größe/日本.txt": b"not ASCII",
        "empty.xml": b"",
        "block.xml": bytes(512),
        "odd.xml": bytes(513),
    }
    path = tmp_path / "packed.tar.gz"
    _pack(path, contents)
    with tarfile.open(path) as read:
        assert {m.name: read.extractfile(m).read() for m in read if m.isfile()} == contents  # type: ignore[union-attr]
        directories = [member for member in read if member.isdir()]
        assert "activities/" + _DEEP in {member.name for member in directories}
        assert {member.mode for member in directories} == {0o755}
        assert {member.mtime for member in read} == {1_700_000_000}
        assert not any(member.pax_headers for member in read)
    listed = subprocess.run(["tar", "-tzf", path], check=True, capture_output=True, text=True).stdout
    assert "moodle_backup.xml" in listed.splitlines()


@pytest.mark.parametrize("name", ["n" * 101, f"{'d' * 156}/n", f"{_DEEP}/{_DEEP}/{_DEEP}/n"])
def test_names_that_moodle_would_not_read_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        _pack(tmp_path / "packed.tar.gz", {name: b""})
    assert refused.value.reason == "name-too-long"


def test_sizes_that_moodle_would_not_read_are_refused() -> None:
    packer = TarGzPacker(lambda data: None)
    packer.begin("files/fi/file", 8**11 - 1)
    with pytest.raises(InvalidFile) as refused:
        packer.begin("files/fi/file", 8**11)
    assert refused.value.reason == "too-large-inflated"
