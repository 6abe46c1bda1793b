"""Files that no other parser takes."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest

from repo_service.domain.inspection import FileInspection
from tests.inspection.support import inspect_path, refusal
from tests.support.backups import write_targz, write_zip
from tests.support.hostile import BILLION_LAUGHS, raw_zip, tar_link, targz_with

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0\x1f\x15\xc4\x89"


@pytest.mark.parametrize(
    ("name", "content", "media_type", "title"),
    [
        ("leaf_and_root.png", _PNG, "image/png", "leaf and root"),
        ("empty", b"", "application/octet-stream", "empty"),
        ("log.gz", gzip.compress(b"no tar in here\n" * 99, mtime=0), "application/gzip", "log"),
        ("..\\x\x07y.pdf", b"%PDF-1.7\n", "application/pdf", "xy"),
    ],
)
def test_media_type_and_title(name: str, content: bytes, media_type: str, title: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = inspect_path(path)
    assert isinstance(found, FileInspection)
    assert (found.media_type, found.size, found.title) == (media_type, len(content), title)


def test_other_archives_are_files(tmp_path: Path) -> None:
    content = {"readme.txt": b"hello", "course/course.xml": BILLION_LAUGHS}
    assert inspect_path(write_zip(tmp_path / "a.zip", content)).kind == "file"
    assert inspect_path(write_targz(tmp_path / "a.tar.gz", content, index=False)).kind == "file"


def test_what_a_backup_must_not_have_other_archives_may(tmp_path: Path) -> None:
    link = tar_link("a", "../b")
    other = tarfile.TarInfo("../c")
    assert inspect_path(targz_with(tmp_path / "a.tar.gz", link, other, content={"x": b""})).kind == "file"
    assert inspect_path(raw_zip(tmp_path / "a.zip", [(b"../x", b"x")], flags=1)).kind == "file"


@pytest.mark.parametrize("content", [b"", b"text", gzip.compress(b"text", mtime=0), _PNG])
def test_what_is_called_a_backup_must_be_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.MBZ"
    path.write_bytes(content)
    assert refusal(path) == "not-a-backup"
    assert refusal(write_zip(tmp_path / "y.mbz", {"a": b""})) == "not-a-backup"
    assert refusal(write_targz(tmp_path / "z.mbz", {"a": b""})) == "not-a-backup"
