"""A throw-away PostgreSQL cluster for the tests: own folder, own socket, no TCP port, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest
from psycopg import sql

from tests.support.services import missing

_SECONDS_TO_START = 30
_CLUSTER = ["-U", "repo", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
_SERVER = ["-c", "listen_addresses=", "-c", "max_connections=200"]
_PASSING = "test_"  # what the names of databases begin with that a test makes and leaves
# Nothing here has to survive a crash of the machine.
_SERVER += ["-c", "fsync=off", "-c", "full_page_writes=off"]


class PostgresCluster:
    """A server of which the tests are the only clients."""

    def __init__(self, bindir: Path, folder: Path, user: str | None, *, durable: bool = False) -> None:
        """``durable``: what is committed survives ``kill``."""
        self._bindir = bindir
        self._folder = folder
        self._user = user  # the server refuses to run as root
        self._options = [*_SERVER, "-c", f"synchronous_commit={'on' if durable else 'off'}"]
        self._numbers = count(1)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster, unless it is there, and wait until it answers; RuntimeError with its log when it
        does not."""
        data, log = self._folder / "data", self._folder / "log"
        with log.open("ab") as output:
            is_there = data.exists() or not self._spawn(output, "initdb", "-D", str(data), *_CLUSTER).wait()
            if is_there:
                self._server = self._spawn(
                    output, "postgres", "-D", str(data), "-k", str(self._folder), *self._options
                )
        deadline = time.monotonic() + _SECONDS_TO_START
        while self._server is not None and self._server.poll() is None and time.monotonic() < deadline:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")

    def stop(self) -> None:
        """End the server, however many clients are still connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server at once, as after a crash: it recovers when it is started again."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            try:
                self._server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def create_database(self, name: str | None = None, *, template: str = "template1") -> str:
        """The SQLAlchemy URL of a new database: empty, or a copy of another one to which nobody is connected.
        One that is given a ``name`` stays when the others are dropped."""
        name = name or f"{_PASSING}{next(self._numbers)}"
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with contextlib.closing(self._connect()) as connection:
            connection.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
        return f"postgresql+psycopg://repo@/{name}?host={self._folder}"

    def drop_databases(self) -> None:
        """Remove every database made without a name, disconnecting who is still in one."""
        with contextlib.closing(self._connect()) as connection:
            made = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (name,) in connection.execute(made, [_PASSING]).fetchall():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def _spawn(self, output: BinaryIO, program: str, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._bindir / program), *options],
            user=self._user,
            cwd=self._folder,
            stdout=output,
            stderr=output,
        )

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self._folder), user="repo", dbname="postgres", autocommit=True)


def _bindir() -> Path | None:
    """Where the newest installed server's programs are; Debian keeps them off the PATH."""
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if debian:
        return max(debian, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _server_user() -> str | None:
    """The system account that runs the server: postgres for root, the caller otherwise."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        missing("PostgreSQL", "root cannot run it and there is no account postgres")


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresCluster]:
    """A cluster of one's own."""
    bindir = _bindir()
    if bindir is None:
        missing("PostgreSQL", "install the server (Debian: apt-get install postgresql)")
    user = _server_user()
    # Directly under /tmp: a socket's path has at most 107 bytes, and the server's account must get in.
    folder = Path(tempfile.mkdtemp(prefix="repo-postgres-", dir="/tmp"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        cluster = PostgresCluster(bindir, folder, user, durable=durable)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """The cluster of this test session."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The SQLAlchemy URL of a new, empty PostgreSQL database, gone after the test."""
    yield postgres_cluster.create_database()
    postgres_cluster.drop_databases()
