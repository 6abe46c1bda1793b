"""Backups of the catalogue: whole, consistent while others write, and loadable into either database."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select

from repo_service.app import engine_of
from repo_service.domain.errors import Conflict
from repo_service.models import Base
from repo_service.services.backup import Backups, BackupUnusable, read_beside, read_manifest
from tests.support.service import MakeService, Service, json_of, send_file

_TABLES = Base.metadata.sorted_tables
_DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def make_on(make_service: MakeService, request: pytest.FixtureRequest) -> Callable[[str], Service]:
    """Services on a new database of the kind asked for."""

    def make(kind: str) -> Service:
        if kind == "sqlite":
            return make_service()
        return make_service(database_url=request.getfixturevalue("postgres_database")())

    return make


def _share(service: Service, name: str) -> dict[str, Any]:
    client = service.client(service.token(name))
    found: dict[str, Any] = json_of(
        send_file(client, f"text of {name}\n".encode(), file_name="note.txt", title=f"Note of {name} — 日本"),
        201,
    )
    service.work()
    service.services.download_counter.count()
    service.services.download_counter.write_down()
    return found


def _content(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in _TABLES
        }


def _backup(service: Service, **beside: bytes) -> io.BytesIO:
    target = io.BytesIO()
    Backups(service.services.database).write(target, beside=beside)
    return target


@pytest.mark.parametrize("source", _DATABASES)
@pytest.mark.parametrize("target", _DATABASES)
def test_everything_comes_back(source: str, target: str, make_on: Callable[[str], Service]) -> None:
    before = make_on(source)
    resource = _share(before, "teacher")
    done: list[int] = []
    backups = Backups(before.services.database)
    file = io.BytesIO()
    manifest = backups.write(file, beside={}, progress=done.append)
    assert sum(done) == manifest.rows == backups.count() > 0

    after = make_on(target)
    done.clear()
    loaded = Backups(after.services.database).load(file, progress=done.append)
    assert sum(done) == loaded.rows == manifest.rows
    assert _content(engine_of(after.app)) == _content(engine_of(before.app))
    # And it goes on: rows that the database numbers itself do not meet those that were loaded.
    _share(after, "another")
    assert resource["id"] != _share(after, "third")["id"]


def test_a_backup_is_of_one_moment(make_on: Callable[[str], Service]) -> None:
    """Whatever is written meanwhile: rows that belong together are both in it, or neither."""
    service = make_on("postgresql")
    _share(service, "first")
    stop = threading.Event()
    failed: list[BaseException] = []

    def write_on() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                client = service.client(service.token(f"teacher{number}"))
                json_of(send_file(client, f"{number}".encode(), file_name="note.txt"), 201)
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        files = [_backup(service) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert not failed
    for file in files:
        # Foreign keys are enforced: loading would fail if a row were missing that another names.
        Backups(make_on("sqlite").services.database).load(file)


def test_small_files_are_kept_beside(service: Service) -> None:
    file = _backup(service, **{"settings.env": b"REPO_SITE_NAME=Ours\n"})
    assert read_beside(file, "settings.env") == b"REPO_SITE_NAME=Ours\n"
    assert read_beside(file, "secret_key") is None


def test_a_full_catalogue_is_not_overwritten(make_service: MakeService) -> None:
    service, other = make_service(), make_service()
    _share(service, "teacher")
    _share(other, "somebody")
    before = _content(engine_of(other.app))
    with pytest.raises(Conflict, match="not empty"):
        Backups(other.services.database).load(_backup(service))
    assert _content(engine_of(other.app)) == before


def _changed(file: io.BytesIO, member: str, change: Callable[[bytes], bytes | None]) -> io.BytesIO:
    target = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(old.read(name)) if name == member else old.read(name)
            if content is not None:
                new.writestr(name, content)
    return target


def _manifest_with(**members: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(json.loads(content) | members).encode()


def _unknown_kind(content: bytes) -> bytes:
    manifest = json.loads(content)
    manifest["tables"][0]["columns"]["id"] = "pickle"
    return json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("manifest.json", lambda content: None),
        ("manifest.json", lambda content: b"{}"),
        ("manifest.json", lambda content: b"x" * 2_000_000),
        ("manifest.json", _manifest_with(format=99)),
        ("manifest.json", _unknown_kind),
        ("tables/accounts.ndjson", lambda content: None),
        ("tables/accounts.ndjson", lambda content: b""),
        ("tables/accounts.ndjson", lambda content: content[: len(content) // 2]),
        ("tables/accounts.ndjson", lambda content: b"[1]\n"),
        ("tables/accounts.ndjson", lambda content: b"null\n"),
        ("tables/accounts.ndjson", lambda content: b"[" * 100_000 + b"\n"),
        ("tables/accounts.ndjson", lambda content: content + content),
        ("tables/accounts.ndjson", lambda content: content.replace(b"teacher", b"\\ud800")),
        ("manifest.json", lambda content: content.replace(b'"accounts"', b'"alembic_version"')),
        ("manifest.json", lambda content: content.replace(b'"accounts"', b'"nowhere"')),
    ],
)
def test_a_damaged_backup_changes_nothing(
    member: str, change: Callable[[bytes], bytes | None], make_service: MakeService
) -> None:
    service, other = make_service(), make_service()
    _share(service, "teacher")
    empty = _content(engine_of(other.app))
    with pytest.raises(BackupUnusable):
        Backups(other.services.database).load(_changed(_backup(service), member, change))
    assert _content(engine_of(other.app)) == empty


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06"])
def test_other_files_are_no_backup(content: bytes) -> None:
    with pytest.raises(BackupUnusable):
        read_manifest(io.BytesIO(content))


def test_a_backup_cut_short_is_refused(service: Service) -> None:
    whole = _backup(service).getvalue()
    with pytest.raises(BackupUnusable):
        read_manifest(io.BytesIO(whole[: len(whole) - 30]))


def test_a_flipped_bit_is_noticed(make_service: MakeService) -> None:
    """Wherever it is: the backup is refused, or all that it holds was right after all."""
    service = make_service()
    _share(service, "teacher")
    whole = _backup(service).getvalue()
    expected = _content(engine_of(service.app))
    random, refused = Random(1), 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        other = make_service()
        try:
            Backups(other.services.database).load(io.BytesIO(damaged))
        except (BackupUnusable, Conflict):
            refused += 1
        else:
            assert _content(engine_of(other.app)) == expected
    assert refused > 30


def test_another_schema_is_refused(make_service: MakeService) -> None:
    service = make_service()
    _share(service, "teacher")
    file = _changed(_backup(service), "manifest.json", _manifest_with(revision="0000"))
    with pytest.raises(Conflict, match="schema"):
        Backups(make_service().services.database).load(file)
