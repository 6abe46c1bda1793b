"""The file store among hostile files, and its own particulars."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from storage import (
    InvalidLocator,
    Locator,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    local_paths,
    open_store,
)
from tests.storage.conformance import content, publish, read_back, sidecar_of


def test_a_symbolic_link_out_of_the_store_is_not_followed(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    locator = publish(store, b"canary")
    blob = tmp_path / "store" / locator
    blob.unlink()
    blob.symlink_to(secret)
    with pytest.raises(InvalidLocator):
        store.open(locator)
    with pytest.raises(InvalidLocator):
        store.stat(locator)
    assert list(store.iter()) == []
    store.delete(locator)
    assert secret.read_bytes() == b"secret"


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    locator = publish(store, b"canary")
    folder = (tmp_path / "store" / locator).parents[1]
    shutil.move(folder, tmp_path / "outside")
    folder.symlink_to(tmp_path / "outside")
    for act in (store.open, store.stat, store.sidecar, store.delete):
        with pytest.raises(InvalidLocator):
            act(locator)
    with pytest.raises(InvalidLocator):
        publish(store, b"canary")
    assert list(store.iter()) == []
    assert len(list((tmp_path / "outside").rglob("*.json"))) == 1


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_no_blob(tmp_path: Path, kind: str) -> None:
    store = open_store(tmp_path.as_uri())
    locator = publish(store, b"canary")
    for path in (tmp_path / locator, tmp_path / f"{locator}.json"):
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        else:
            path.mkdir()
    with pytest.raises(InvalidLocator):
        store.open(locator)
    assert list(store.iter()) == []
    assert store.sidecar(locator) is None


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    locator = publish(store, b"canary")
    for path in (tmp_path / "blobs" / "README", (tmp_path / locator).parent / "notes.txt"):
        path.write_text("mine")
    (tmp_path / "blobs" / "zz").mkdir()
    assert [blob.locator for blob in store.iter()] == [locator]
    store.sweep_staged(older_than=timedelta(0))
    assert (tmp_path / "blobs" / "README").read_text() == "mine"


def test_one_digest_is_one_file(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    assert publish(store, b"once") == publish(store, b"once")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_publishing_again_heals_a_damaged_file_and_renews_its_date(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    locator = publish(store, b"whole")
    path = tmp_path / locator
    path.write_bytes(b"torn")
    os.utime(path, (0, 0))
    publish(store, b"whole")
    assert read_back(store, locator) == b"whole"
    assert store.stat(locator).modified.year > 2000


def test_the_local_path_is_below_the_root(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    paths = local_paths(store)
    assert paths is not None
    assert (tmp_path / paths.local_path(publish(store, b"here"))).read_bytes() == b"here"
    with pytest.raises(InvalidLocator):
        paths.local_path(Locator("../here"))


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EROFS, StorageRefused),
        (errno.EACCES, StorageRefused),
        (errno.EIO, StorageUnavailable),
        (errno.EMFILE, StorageUnavailable),
        (errno.ESTALE, StorageUnavailable),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_errors_of_the_system_are_translated_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, meaning: type[StorageError]
) -> None:
    store = open_store(tmp_path.as_uri())

    def fails(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fails)
        with pytest.raises(meaning):
            publish(store, b"never")
    assert list(store.iter()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_failed_write_can_not_be_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path.as_uri())
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[: max(1, len(data) // 2)]))
    data = content(1000)
    assert read_back(store, publish(store, data)) == data, "short writes are continued"


def test_a_vanished_staging_folder_is_the_stores_trouble(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    staged = store.stage()
    staged.write(b"lost")
    shutil.rmtree(tmp_path / "staging")
    with pytest.raises(StorageUnavailable):
        staged.publish(sidecar_of(b"lost"))
    for act in (store.stage, store.check, store.free_bytes):
        with pytest.raises(StorageUnavailable):
            act()


def test_a_place_that_cannot_be_used_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageRefused):
        open_store((tmp_path / "file" / "store").as_uri())


def test_a_store_that_is_gone_says_nothing_about_its_blobs(tmp_path: Path) -> None:
    """A disk that is not mounted: nobody may take its blobs for lost, or for deleted."""
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = open_store(root.as_uri())
    locator = publish(store, b"canary")
    root.rename(elsewhere)
    for act in (store.open, store.stat, store.sidecar, store.delete):
        with pytest.raises(StorageUnavailable):
            act(locator)
    with pytest.raises(StorageUnavailable):
        list(store.iter())
    with pytest.raises(StorageUnavailable):
        store.sweep_staged(older_than=timedelta(0))
    elsewhere.rename(root)
    assert read_back(store, locator) == b"canary"
