"""Sessions: what is written together stays together, and writers wait for each other."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from repo_service.models import Account, Blob, Token
from repo_service.models.base import new_id, now
from repo_service.models.database import after_commit
from repo_service.models.insert import insert_if_absent
from tests.support.service import Service

_PROJECT = Path(__file__).resolve().parents[2]


def test_sqlite_is_set_up_for_several_processes(service: Service) -> None:
    """Readers do not wait for the writer, foreign keys hold, and a commit is on disk."""
    with service.services.database.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA synchronous")) == 2


def test_foreign_keys_hold(any_service: Service) -> None:
    """A token of nobody cannot be."""
    with pytest.raises(IntegrityError), any_service.services.database.write() as session:
        session.add(Token(account_id=uuid4(), name="stray", secret_hash="0" * 64, scopes=[]))


def test_processes_that_write_at_once_wait_for_each_other(any_service: Service) -> None:
    """Two web processes and a worker, each reading before it writes: nobody is told that the database is
    locked, and no write is lost."""
    names, times = ("web-1", "web-2", "worker"), 60
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.models.writer",
                any_service.settings.database_url,
                name,
                str(times),
            ],
            cwd=_PROJECT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    told = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    with any_service.services.database.read() as session:
        written = session.execute(select(Account.username, Account.quota)).all()
    assert {row.username for row in written} == {f"{name}-{n}" for name in names for n in range(times)}
    if any_service.settings.database_url.startswith("sqlite"):
        # One writer at a time, each on what the one before left.
        assert sorted(row.quota for row in written if row.quota is not None) == list(
            range(1, len(names) * times + 1)
        )


def test_a_writer_takes_the_lock_before_it_reads(service: Service) -> None:
    """On SQLite a second writer cannot even begin while one is at work, so neither fails in the middle."""
    begun = threading.Event()
    other = service.services.database

    def write() -> None:
        with other.write() as session:
            begun.set()
            session.add(Account(username="second"))

    with service.services.database.write() as session:
        thread = threading.Thread(target=write)
        thread.start()
        assert not begun.wait(0.3)
        with service.services.database.engine.connect() as third:
            third.exec_driver_sql("ROLLBACK")
            third.exec_driver_sql("PRAGMA busy_timeout = 50")
            with pytest.raises(OperationalError, match="locked"):
                third.exec_driver_sql("BEGIN IMMEDIATE")
        session.add(Account(username="first"))
    thread.join(10)
    with service.services.database.read() as session:
        assert set(session.scalars(select(Account.username))) == {"first", "second"}


def test_readers_do_not_wait_for_a_writer(any_service: Service) -> None:
    """They see what was committed."""
    database = any_service.services.database
    with database.write() as session:
        session.add(Account(username="teacher"))
        session.flush()
        with database.read() as reading:
            assert reading.scalars(select(Account.username)).all() == []


def test_what_raises_changes_nothing_and_calls_nobody(any_service: Service) -> None:
    """Hooks belong to the commit."""
    database, called = any_service.services.database, []

    def write_half() -> None:
        with database.write() as session:
            session.add(Account(username="teacher"))
            after_commit(session, lambda: called.append("after"))
            session.flush()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_half()
    with database.read() as session:
        assert session.scalars(select(Account)).all() == []
    assert called == []


def test_hooks_run_after_the_commit_in_order(any_service: Service) -> None:
    """They see what was written."""
    database = any_service.services.database
    seen: list[str] = []

    def look() -> None:
        with database.read() as reading:
            seen.extend(reading.scalars(select(Account.username)))

    with database.write() as session:
        session.add(Account(username="teacher"))
        after_commit(session, look)
        after_commit(session, lambda: seen.append("second hook"))
        assert seen == []
    assert seen == ["teacher", "second hook"]


def test_inserting_what_is_there_already_is_no_error(any_service: Service) -> None:
    """Somebody else may always be faster."""
    database = any_service.services.database
    values = {"digest": "a" * 64, "size": 1, "media_type": "text/plain", "created_at": now()}
    for moment in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)):
        with database.write() as session:
            insert_if_absent(session, Blob, claimed_at=moment, **values)
    with database.read() as session:
        assert [blob.claimed_at.month for blob in session.scalars(select(Blob))] == [1]


def test_moments_keep_their_zone_and_need_one(any_service: Service) -> None:
    """A moment without a zone would be another moment after it was read back."""
    database, moment = any_service.services.database, now()
    with database.write() as session:
        session.add(Account(username="teacher", blocked_at=moment))
    with database.read() as session:
        assert session.scalars(select(Account.blocked_at)).one() == moment
    with database.read() as session, pytest.raises(StatementError, match="time zone"):
        session.scalars(select(Account).where(Account.blocked_at == moment.replace(tzinfo=None))).all()


def test_ids_sort_by_the_time_they_were_made() -> None:
    """Lists are ordered and paged by them."""
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {id_.version for id_ in ids} == {7}
