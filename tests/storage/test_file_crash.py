"""A crash at any point of publishing leaves the whole blob or nothing; what else it leaves is swept."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from storage import open_store
from tests.storage.conformance import publish, read_back, sidecar_of
from tests.storage.crash_writer import CONTENT


def test_killed_before_every_system_call(tmp_path: Path) -> None:
    writer = [sys.executable, "-m", "tests.storage.crash_writer", str(tmp_path)]
    subprocess.run(writer, check=True, timeout=120, cwd=Path(__file__).resolve().parents[2])
    outcomes = []
    for folder in sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name)):
        store = open_store(folder.as_uri())
        blobs = list(store.iter())
        outcomes.append(len(blobs))
        for blob in blobs:
            assert blob.sidecar == sidecar_of(CONTENT)
            assert read_back(store, blob.locator) == CONTENT
        store.sweep_staged(older_than=timedelta(0))
        left = [path for path in folder.rglob("*") if path.is_file()]
        assert len(left) == 2 * len(blobs)
        assert read_back(store, publish(store, CONTENT)) == CONTENT
    assert outcomes == sorted(outcomes), "once there, a blob stays"
    assert outcomes[0] == 0
    assert outcomes[-1] == 1
    assert len(outcomes) > 15, "the writer died at many different points"


def test_everything_is_on_disk_before_it_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill loses nothing that the kernel already has; against a power cut only the order of fsync helps."""
    events: list[tuple[str, str]] = []

    def name(target: int | str | Path) -> str:
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
        return "/".join(path.parts[len(tmp_path.parts) :])

    real_fsync, real_rename = os.fsync, os.rename

    def fsync(fd: int) -> None:
        events.append(("fsync", name(fd)))
        real_fsync(fd)

    def rename(src: Path, dst: str, *, dst_dir_fd: int) -> None:
        events.append(("rename", f"{name(src)} -> {name(dst_dir_fd)}/{dst}"))
        real_rename(src, dst, dst_dir_fd=dst_dir_fd)

    store = open_store(tmp_path.as_uri())
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    locator = publish(store, CONTENT)
    staged = events[0][1]
    folder = locator.rpartition("/")[0]
    assert events == [
        ("fsync", staged),
        ("fsync", f"{staged}.json"),
        ("rename", f"{staged}.json -> {locator}.json"),
        ("rename", f"{staged} -> {locator}"),
        ("fsync", folder),
        ("fsync", folder.rpartition("/")[0]),
        ("fsync", "blobs"),
    ]
