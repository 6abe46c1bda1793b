"""A crash at any point of publishing leaves the whole blob or nothing; what else it leaves is swept."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from storage import appendable_staging, open_store
from tests.storage import crash_appender
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


def test_killed_while_it_goes_on_with_staged_bytes(tmp_path: Path) -> None:
    """What was promised is there; what was not is right as far as it goes; the rest can be gone on with."""
    writer = [sys.executable, "-m", "tests.storage.crash_appender", str(tmp_path)]
    subprocess.run(writer, check=True, timeout=240, cwd=Path(__file__).resolve().parents[2])
    outcomes = set()
    for folder in tmp_path.iterdir():
        store = open_store((folder / "store").as_uri())
        staging = appendable_staging(store)
        assert staging is not None
        told = (folder / "told").read_text().split("\n")[:-1] if (folder / "told").exists() else []
        keys, promises = {line.split()[0] for line in told}, [line.split()[1] for line in told]
        blobs = list(store.iter())
        for blob in blobs:
            assert blob.sidecar == sidecar_of(crash_appender.CONTENT)
            assert read_back(store, blob.locator) == crash_appender.CONTENT
        if "published" in promises:
            assert blobs
        if promises and not blobs:
            (key,) = keys
            held = staging.staged_size(key)
            assert held >= max(int(promise) for promise in promises if promise.isdigit())
            with staging.append_staged(key) as appending:
                assert appending.size == held
                appending.write(crash_appender.CONTENT[held:])
                locator = appending.publish(sidecar_of(crash_appender.CONTENT))
            assert read_back(store, locator) == crash_appender.CONTENT
        outcomes.add((promises[-1] if promises else "", len(blobs)))
        store.sweep_staged(older_than=timedelta(0))
        assert list((folder / "store" / "staging").iterdir()) == []
    assert outcomes > {("", 0), ("0", 0), ("150000", 0), ("publishing", 0), ("published", 1)}
    assert len(list(tmp_path.iterdir())) > 40, "the writer died at many different points"


def test_offsets_are_on_disk_before_they_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the file is under its key: against a power cut only the order of fsync helps."""
    store = open_store(tmp_path.as_uri())
    staging = appendable_staging(store)
    assert staging is not None
    synced: list[str] = []
    real_fsync = os.fsync

    def fsync(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink().relative_to(tmp_path)))
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    key = staging.begin_staged()
    first, *folders = synced
    assert first.startswith(f"staging/{key}/")
    assert folders == [f"staging/{key}", "staging"]
    for provisional in (False, True):
        with staging.append_staged(key, provisional=provisional) as appending:
            appending.write(b"x")
            synced.clear()
            appending.suspend()
        file, *folders = synced
        assert file.startswith(f"staging/{key}/")
        assert folders == ([f"staging/{key}"] if provisional else [])
    synced.clear()
    assert staging.staged_size(key) == 2
    assert len(synced) == 1


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
