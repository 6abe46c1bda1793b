"""``repo store``: what operators type to look after stored bytes."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repo_service.cli import main
from storage import CHUNK_SIZE
from tests.contract.support import sha256
from tests.support.running import wait_for
from tests.support.weed import Weed

Repo = Callable[..., Result]

_CONTENTS = [b"Rivers.", b"Lakes.", b"The sea."]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is; the replica is in ``second``."""
    for name in list(os.environ):
        if name.startswith("REPO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REPO_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("REPO_MIN_FREE_SPACE", "0")
    monkeypatch.setenv("REPO_QUEUE_URL", "memory:")
    return tmp_path


@pytest.fixture
def repo(folder: Path) -> Iterator[Repo]:
    """Type a command; it has to succeed unless ``status`` says otherwise."""
    mask = os.umask(0o022)

    def run(*words: object, status: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    run("migrate")
    yield run
    os.umask(mask)


@pytest.fixture
def filled(repo: Repo, folder: Path) -> Repo:
    """Three files of ada's."""
    files = folder / "files"
    files.mkdir()
    for number, content in enumerate(_CONTENTS):
        (files / f"{number}.txt").write_bytes(content)
    repo("account", "create", "ada")
    repo("import", files, "--owner", "ada")
    return repo


@pytest.fixture
def second(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a replica that is configured from now on."""
    path = folder / "second"
    monkeypatch.setenv("REPO_REPLICA_URLS", f"{path.as_uri()}?name=second")
    return path


def _blobs(store: Path) -> dict[str, Path]:
    return {path.name: path for path in (store / "blobs").rglob("*") if path.is_file() and not path.suffix}


def _first(folder: Path) -> Path:
    return folder / "var" / "store"


def test_a_replica_is_filled_and_listed(filled: Repo, folder: Path, second: Path) -> None:
    """Doing it again finds nothing to do."""
    assert "3 blobs were seen to" in filled("store", "replicate").output
    assert "0 blobs were seen to" in filled("store", "replicate").output
    assert {path.read_bytes() for path in _blobs(second).values()} == set(_CONTENTS)
    listed = filled("store", "list").output
    assert re.search(
        r"^file  primary  can: appendable-staging, local-path\n    present: 3 copies, 21 bytes", listed
    )
    assert re.search(r"^second  replica  can: .*\n    present: 3 copies", listed, re.MULTILINE)


def test_stores_that_left_are_listed(filled: Repo, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their copies are still in the map."""
    filled("store", "replicate")
    monkeypatch.delenv("REPO_REPLICA_URLS")
    assert "second  not in this command's settings: 3 copies" in filled("store", "list").output
    assert "as it should be" in filled("store", "verify").output


def test_a_store_that_is_gone_for_good_is_forgotten(
    filled: Repo, folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows alone, and not those of a store in use; it is found again when it comes back."""
    filled("store", "replicate")
    assert "second is in use" in filled("store", "forget", "second", status=1).output
    url = os.environ["REPO_REPLICA_URLS"]
    monkeypatch.delenv("REPO_REPLICA_URLS")
    assert "no copy in a store called third" in filled("store", "forget", "third", status=1).output
    assert "second and its 3 copies are forgotten" in filled("store", "forget", "second").output
    assert "second" not in filled("store", "list").output
    assert len(_blobs(second)) == 3, "the bytes stay"
    assert "as it should be" in filled("store", "verify").output
    with closing(sqlite3.connect(folder / "var" / "repo.db")) as database:
        query = "SELECT noun_id, details FROM audit WHERE action = 'forget store'"
        assert database.execute(query).fetchall() == [("second", '{"copies": 3, "lost": 0}')]
    monkeypatch.setenv("REPO_REPLICA_URLS", url)
    assert "second: 3 blobs, 3 of them new in the map" in filled("store", "rebuild").output


def test_a_store_with_the_only_copies_is_not_forgotten_by_mistake(
    filled: Repo, folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is lost comes back when somebody has it."""
    filled("store", "replicate")
    _blobs(_first(folder))[sha256(_CONTENTS[0])].unlink()
    filled("store", "verify", status=1)
    monkeypatch.delenv("REPO_REPLICA_URLS")
    told = filled("store", "forget", "second", status=1).output
    assert "Of 1 of its 3 blobs no configured store has a present copy: --lost" in told
    assert "second" in filled("store", "list").output
    filled("store", "forget", "second", "--lost")
    # All of the primary, as in a shell without the settings of the service, and then the files again.
    monkeypatch.setenv("REPO_STORE_URL", f"{second.as_uri()}2?name=other")
    assert "Of 3 of its 3 blobs" in filled("store", "forget", "file", status=1).output
    filled("store", "forget", "file", "--lost")
    filled("account", "create", "bea")
    filled("import", folder / "files", "--owner", "bea")
    assert "other  primary" in filled("store", "list").output
    assert "as it should be" in filled("store", "verify").output
    assert len(_blobs(folder / "second2")) == 3


def test_verify_tells_and_repairs(filled: Repo, folder: Path, second: Path) -> None:
    """Exit status 1 until everything is right; repaired is right."""
    filled("store", "replicate")
    flipped, gone = sha256(_CONTENTS[0]), sha256(_CONTENTS[1])
    _blobs(_first(folder))[flipped].write_bytes(b"Rivets.")
    _blobs(second)[gone].unlink()
    told = filled("store", "verify", status=1).output
    assert f"corrupt: {flipped} in file\n" in told
    assert f"missing: {gone} in second\n" in told
    assert "2 copies are not as they should be. Next: repo store verify --repair" in told
    told = filled("verify", "--repair").output
    assert f"corrupt: {flipped} in file, repaired\n" in told
    assert f"missing: {gone} in second, repaired\n" in told
    assert _blobs(_first(folder))[flipped].read_bytes() == _CONTENTS[0]
    assert _blobs(second)[gone].read_bytes() == _CONTENTS[1]
    assert "as it should be" in filled("store", "verify", "--sample", "2").output


def test_each_fault_is_logged_once(filled: Repo, folder: Path, second: Path) -> None:
    """However many chunks are damaged, and however many attempts meet them."""
    files = folder / "big"
    files.mkdir()
    data = os.urandom(6 * CHUNK_SIZE)
    (files / "big.bin").write_bytes(data)
    filled("import", files, "--owner", "ada")
    filled("store", "replicate")
    copies = [_blobs(store)[sha256(data)] for store in (_first(folder), second)]
    for copy, chunks in zip(copies, ((0, 2, 4), (1, 3, 5)), strict=True):
        spoiled = bytearray(data)
        for chunk in chunks:
            spoiled[chunk * CHUNK_SIZE] ^= 1
        copy.write_bytes(spoiled)
    told = filled("store", "verify", "--repair").output
    faults = [line for line in told.splitlines() if "a copy failed" in line]
    assert sorted(re.findall(r'store"?[=:] ?"?(\w+)', line)[-1] for line in faults) == ["file", "second"]
    assert {copy.read_bytes() for copy in copies} == {data}


def test_what_cannot_be_repaired_is_told(filled: Repo, folder: Path) -> None:
    """There is no other copy."""
    gone = sha256(_CONTENTS[0])
    path = _blobs(_first(folder))[gone]
    path.rename(folder / "kept")
    for _ in range(2):
        told = filled("store", "verify", "--repair", status=1).output
        assert f"missing: {gone} in file\n" in told
        assert "1 copy is not as it should be after the repair. Next: repo store replicate" in told
    (told,) = filled("store", "replicate", status=1).output.splitlines()[-2:-1]
    assert told.startswith(f"{gone}: No store has the right bytes")
    (folder / "kept").rename(path)
    assert "as it should be" in filled("store", "verify").output
    assert "Every blob is where it should be" in filled("store", "replicate").output


def test_a_store_that_does_not_answer(
    filled: Repo, weed: Weed, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Its copies are neither lost nor verified."""
    monkeypatch.setenv("REPO_REPLICA_URLS", weed.store_url(weed.shared_bucket, prefix=folder.name))
    monkeypatch.setenv("REPO_STORE_ACCESS_KEY", weed.access_key)
    monkeypatch.setenv("REPO_STORE_SECRET_KEY", weed.secret_key)
    filled("store", "replicate")
    url = "s3://bucket?endpoint_url=http://127.0.0.1:1&region=us-east-1"
    monkeypatch.setenv("REPO_REPLICA_URLS", url)
    told = filled("store", "verify", status=1).output
    assert "Error: s3 does not answer: 3 copies were not read" in told
    assert "should be" not in told
    filled("account", "create", "bea")
    more = folder / "more"
    more.mkdir()
    (more / "new.txt").write_bytes(b"New.")
    filled("import", more, "--owner", "bea")
    told = filled("store", "replicate", status=1).output
    assert f"{sha256(b'New.')}: s3: the store does not answer" in told
    assert "1 blob is not yet where it should be" in told


# Moving


def test_moving_to_another_store(
    filled: Repo, folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied, then made the primary, then the old one is emptied; what is uploaded in between is not lost."""
    told = filled("store", "migrate", "file", "second").output
    assert "3 blobs were copied: second has all that file has" in told
    old, new = _first(folder).as_uri(), f"{second.as_uri()}?name=second"
    assert f"REPO_STORE_URL='{new}'" in told
    assert f"REPO_REPLICA_URLS='{old}'" in told
    assert "0 blobs were copied" in filled("store", "migrate", "file", "second").output
    refused = filled("store", "migrate", "file", "second", "--delete", status=1).output
    assert "file is the primary store" in refused
    assert len(_blobs(_first(folder))) == 3

    (folder / "files" / "late.txt").write_bytes(b"Late.")
    filled("import", folder / "files", "--owner", "ada")
    monkeypatch.setenv("REPO_STORE_URL", new)
    monkeypatch.setenv("REPO_REPLICA_URLS", old)
    told = filled("store", "migrate", "file", "second").output
    assert "1 blob was copied" in told
    assert "To empty file: repo store migrate file second --delete" in told
    told = filled("store", "migrate", "file", "second", "--delete").output
    assert "file has 0 copies left" in told
    assert "REPO_REPLICA_URLS=''" in told
    assert _blobs(_first(folder)) == {}
    assert len(_blobs(second)) == 4
    monkeypatch.setenv("REPO_REPLICA_URLS", "")
    assert "as it should be" in filled("store", "verify").output
    assert "4 copies" in filled("store", "list").output


def test_moving_that_makes_no_sense(filled: Repo, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told in one line."""
    assert "There are: file, second" in filled("store", "migrate", "file", "third", status=1).output
    assert "two different stores" in filled("store", "migrate", "file", "file", status=1).output
    monkeypatch.setenv("REPO_REPLICA_URLS", "memory:?name=net&public=true")
    assert "net is public" in filled("store", "migrate", "file", "net", status=1).output


def test_what_the_new_store_does_not_really_have_stays(
    filled: Repo, folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before a copy is deleted, the other store is asked once more."""
    filled("store", "migrate", "file", "second")
    gone = sha256(_CONTENTS[0])
    _blobs(second)[gone].unlink()
    monkeypatch.setenv("REPO_REPLICA_URLS", _first(folder).as_uri())
    monkeypatch.setenv("REPO_STORE_URL", f"{second.as_uri()}?name=second")
    assert "file has 1 copy left" in filled("store", "migrate", "file", "second", "--delete").output
    assert set(_blobs(_first(folder))) == {gone}


def test_moving_a_blob_that_is_lost(filled: Repo, folder: Path, second: Path) -> None:
    """The others are copied; it is named, and told by the exit status."""
    lost = sha256(_CONTENTS[0])
    _blobs(_first(folder))[lost].unlink()
    told = filled("store", "migrate", "file", "second", status=1).output
    assert f"No store has the right bytes of {lost}" in told
    assert "1 of 3 blobs could not be copied" in told
    assert len(_blobs(second)) == 2


def test_moving_goes_on_after_a_kill(filled: Repo, folder: Path, second: Path) -> None:
    """What was copied is not copied again; what was half copied is whole in the end."""
    files = folder / "big"
    files.mkdir()
    for number in range(6):
        (files / f"{number}.bin").write_bytes(bytes([number]) * 30_000_000)
    filled("import", files, "--owner", "ada")
    staging = second / "staging"

    def under_way() -> bool:
        return len(_blobs(second)) >= 2 and any(staging.iterdir())

    process = subprocess.Popen([sys.executable, "-m", "repo_service", "store", "migrate", "file", "second"])
    try:
        wait_for(lambda: staging.exists() and under_way(), "two copies and a part of the third")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    there = {name: path.stat().st_mtime_ns for name, path in _blobs(second).items()}
    assert 2 <= len(there) < 9
    rows = _rows(folder, "second")
    assert rows <= set(there), "no row names what is not there"
    told = filled("store", "migrate", "file", "second").output
    assert f"{9 - len(rows)} blobs were copied" in told
    after = {name: path.stat().st_mtime_ns for name, path in _blobs(second).items()}
    assert {name: after[name] for name in rows} == {name: there[name] for name in rows}
    assert "as it should be" in filled("store", "verify").output
    assert len(_blobs(second)) == 9


def _rows(folder: Path, store: str) -> set[str]:
    with closing(sqlite3.connect(folder / "var" / "repo.db")) as database:
        found = database.execute("SELECT digest FROM blob_locations WHERE store = ?", (store,)).fetchall()
        return {digest for (digest,) in found}


# Making the map anew


def _lose_database(repo: Repo, folder: Path) -> None:
    """A new, empty one stands in its place."""
    for path in (folder / "var").glob("repo.db*"):
        path.unlink()
    repo("migrate")


def test_the_map_is_made_anew_from_the_stores(filled: Repo, folder: Path, second: Path) -> None:
    """From sidecars alone; twice is once."""
    filled("store", "replicate")
    _lose_database(filled, folder)
    told = filled("store", "rebuild").output
    assert "file: 3 blobs, 3 of them new in the map" in told
    assert "second: 3 blobs, 3 of them new in the map" in told
    assert "3 blobs belong to no version" in told
    assert "file: 3 blobs, 0 of them new in the map" in filled("store", "rebuild").output
    assert "as it should be" in filled("store", "verify").output
    listed = filled("store", "list").output
    assert len(re.findall(r"present: 3 copies", listed)) == 2
    assert "blobs: 0\n" in filled("store", "gc").output, "nothing goes before the grace period is over"


def test_one_store_only(filled: Repo, folder: Path, second: Path) -> None:
    """The others are not looked at."""
    filled("store", "replicate")
    _lose_database(filled, folder)
    assert "file" not in filled("store", "rebuild", "--store", "second").output
    told = filled("store", "rebuild", "--store", "third", status=1).output
    assert "No store is called third. There are: file, second." in told


def test_what_is_odd_in_a_store_is_told(filled: Repo, folder: Path) -> None:
    """No sidecar, or another size than it says; the rest is in the map."""
    blobs = _blobs(_first(folder))
    cut, bare = sha256(_CONTENTS[0]), sha256(_CONTENTS[1])
    blobs[cut].write_bytes(b"Riv")
    blobs[bare].with_name(bare + ".json").unlink()
    _lose_database(filled, folder)
    told = filled("store", "rebuild", status=1).output
    assert f"{bare} has no sidecar" in told
    assert f"{cut} has 3 bytes where 7 belong" in told
    assert "2 blobs are not as they should be" in told
    assert "corrupt: 1 copy," in filled("store", "list").output
    blobs[cut].write_bytes(_CONTENTS[0])
    assert "as it should be" in filled("store", "verify").output, "the bytes have the last word"


def test_what_the_map_called_missing_is_found_again(filled: Repo, folder: Path) -> None:
    """A disk that was not mounted when somebody looked."""
    gone = sha256(_CONTENTS[0])
    path = _blobs(_first(folder))[gone]
    path.rename(folder / "away")
    filled("store", "verify", status=1)
    (folder / "away").rename(path)
    assert "file: 3 blobs, 1 of them new in the map" in filled("store", "rebuild").output
    assert re.search(r"present: 3 copies", filled("store", "list").output)


# Settings


@pytest.mark.parametrize(
    ("urls", "sentence"),
    [
        ("file:///tmp/x", "Two stores are called file"),
        ("memory:?name=Not%20A%20Name", "small letters"),
        ("ftp://host", "begins with one of"),
        ("memory:?publick=true", "unknown option"),
        ("s3://bucket?profile=nobody", "no profile nobody"),
    ],
)
def test_replicas_that_make_no_sense(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, urls: str, sentence: str
) -> None:
    """One line says which and why."""
    monkeypatch.setenv("REPO_REPLICA_URLS", urls)
    assert sentence in repo("store", "list", status=1).output


def test_a_public_primary_is_refused(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    monkeypatch.setenv("REPO_STORE_URL", "memory:?public=true")
    assert "REPO_REPLICA_URLS" in repo("store", "list", status=1).output


def test_a_replica_with_credentials_of_its_own(
    filled: Repo, folder: Path, weed: Weed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a profile of boto3's shared credentials."""
    credentials = folder / "credentials"
    credentials.write_text(
        f"[away]\naws_access_key_id = {weed.access_key}\naws_secret_access_key = {weed.secret_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    url = weed.store_url(weed.shared_bucket, prefix=f"profile-{time.time_ns()}", profile="away", name="away")
    monkeypatch.setenv("REPO_REPLICA_URLS", f"memory:,{url}")
    filled("store", "replicate")
    assert re.search(r"away  replica  .*\n    present: 3 copies", filled("store", "list").output)
