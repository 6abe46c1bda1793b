"""Backup of the catalogue: every table in one file, taken while the service runs, for either database.

::

    manifest.json            format, schema revision, tables with their columns and numbers of rows
    tables/<name>.ndjson     one JSON array a row, in the order of the manifest's columns
    settings.env             the settings that were given, secrets included
    secret_key               what signs sessions and links, where the service made it itself

It is a zip with ZIP64 extensions. The blobs are not in it: they stand in the stores, each with its sidecar.
The search index is not either: it is made from the catalogue.
"""

from __future__ import annotations

import base64
import json
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.types import TypeEngine

from repo_service.domain.errors import Conflict
from repo_service.models.base import Base, UtcDateTime, now
from repo_service.models.database import Database, outage_of

FORMAT = 1
MANIFEST = "manifest.json"
SETTINGS = "settings.env"
SECRET_KEY = "secret_key"  # noqa: S105 - the name of a file
_BATCH = 500
_MAX_LINE = 64 * 1024 * 1024
_MAX_SMALL = 1024 * 1024
_BEGUN = ("positions",)
"""Tables in which migrations begin with rows: who has followed nothing yet is at the beginning."""

_UNREADABLE = (
    KeyError,
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,  # encrypted members, deep JSON, and what zipfile does not implement
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a file raises that is no backup, or not any more."""


class BackupUnusable(Exception):
    """The file is no backup, or a damaged one, or one of another release; the message says which."""


Progress = Callable[[int], object]
"""Told how many rows were done since it was told last."""


class TableNote(BaseModel):
    """One table of a backup: its columns with their kinds, in order, and its rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    columns: dict[str, str]
    rows: int


class Manifest(BaseModel):
    """What a backup holds; ``revision`` is that of the database's schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    revision: str
    taken_at: datetime
    tables: tuple[TableNote, ...]

    @property
    def rows(self) -> int:
        """Of all tables together."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the values of columns ``of`` a type travel, and as which ``type`` they are loaded."""

    of: type[TypeEngine[Any]]
    type: TypeEngine[Any]
    encode: Callable[[Any], Any] = lambda value: value
    decode: Callable[[Any], Any] = lambda value: value


_KINDS: Mapping[str, _Kind] = {
    "uuid": _Kind(Uuid, Uuid(), str, lambda value: uuid.UUID(str(value))),
    "moment": _Kind(UtcDateTime, UtcDateTime(), lambda value: value.isoformat(), datetime.fromisoformat),
    "day": _Kind(Date, Date(), lambda value: value.isoformat(), date.fromisoformat),
    "bytes": _Kind(
        LargeBinary,
        LargeBinary(),
        lambda value: base64.b64encode(value).decode("ascii"),
        lambda value: base64.b64decode(value, validate=True),
    ),
    "boolean": _Kind(Boolean, Boolean()),
    "integer": _Kind(Integer, BigInteger()),
    "number": _Kind(Float, Float()),
    "text": _Kind(String, String()),
    "json": _Kind(JSON, JSON(none_as_null=True)),
}


class Backups:
    """Use cases of whoever may lose the machine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """Rows that a backup would hold now, for showing progress."""
        with self._consistent() as connection:
            return sum(_count(connection, table) for table in Base.metadata.sorted_tables)

    def write(
        self, target: IO[bytes], *, beside: Mapping[str, bytes], progress: Progress = lambda rows: None
    ) -> Manifest:
        """Write everything as it is at one moment, while others read and write on.

        ``beside`` are small files to keep with it, by name.
        """
        with (
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive,
            self._consistent() as connection,
        ):
            taken_at = now()
            for name, content in beside.items():
                archive.writestr(name, content)
            tables = tuple(
                _write_table(archive, connection, table, progress) for table in Base.metadata.sorted_tables
            )
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
            manifest = Manifest(format=FORMAT, revision=str(revision), taken_at=taken_at, tables=tables)
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        return manifest

    def load(self, source: IO[bytes], *, progress: Progress = lambda rows: None) -> Manifest:
        """Fill an empty catalogue, whose schema is at the backup's revision, in one transaction.

        Raises Conflict when the catalogue is not empty, BackupUnusable when the file is damaged or is none.
        """
        manifest = read_manifest(source)
        with _opened(source) as archive, self._database.write() as session:
            connection = session.connection()
            _require_empty(connection, manifest)
            _forget_beginnings(connection, manifest)
            for note in manifest.tables:
                table = _table(note)
                loaded = 0
                for batch in _batches(_rows(archive, note)):
                    _insert(connection, table, batch)
                    loaded += len(batch)
                    progress(len(batch))
                if loaded != note.rows:
                    raise BackupUnusable(f"The backup is damaged: {note.name} lacks rows.")
            _continue_numbers(connection)
        return manifest

    @contextmanager
    def _consistent(self) -> Iterator[Connection]:
        """One moment of the whole catalogue. SQLite's read transaction is that already (WAL)."""
        with self._database.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection


def read_manifest(source: IO[bytes]) -> Manifest:
    """What a backup says of itself. Raises BackupUnusable."""
    with _opened(source) as archive:
        try:
            manifest = Manifest.model_validate_json(_small(archive, MANIFEST))
        except ValidationError as error:
            raise BackupUnusable("This is no backup of a repository: its manifest cannot be read.") from error
    if manifest.format != FORMAT:
        raise BackupUnusable(
            f"The backup has format {manifest.format}, and this release reads format {FORMAT}."
        )
    unknown = {kind for table in manifest.tables for kind in table.columns.values()} - set(_KINDS)
    if unknown:
        raise BackupUnusable(f"The backup holds values of unknown kinds: {', '.join(sorted(unknown))}.")
    return manifest


def read_beside(source: IO[bytes], name: str) -> bytes | None:
    """A small file that was kept with the backup, None when there is none. Raises BackupUnusable."""
    with _opened(source) as archive:
        return _small(archive, name) if name in archive.namelist() else None


# Writing


def _write_table(
    archive: zipfile.ZipFile, connection: Connection, table: Table, progress: Progress
) -> TableNote:
    kinds = {column.name: _kind_of(column) for column in table.columns}
    encoders = [_KINDS[kind].encode for kind in kinds.values()]
    rows = 0
    with archive.open(_member(table.name), "w", force_zip64=True) as member:
        stream = connection.execution_options(yield_per=_BATCH).execute(
            select(table).order_by(*table.primary_key.columns)
        )
        for batch in stream.partitions():
            lines = [
                json.dumps(
                    [
                        None if value is None else encode(value)
                        for encode, value in zip(encoders, row, strict=True)
                    ],
                    ensure_ascii=False,
                    separators=(",", ":"),
                )
                for row in batch
            ]
            member.write(("\n".join(lines) + "\n").encode())
            rows += len(lines)
            progress(len(lines))
    return TableNote(name=table.name, columns=kinds, rows=rows)


def _kind_of(column: Column[Any]) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(column.type, kind.of))


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


# Reading


def _require_empty(connection: Connection, manifest: Manifest) -> None:
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision != manifest.revision:
        raise Conflict(f"The database has schema {revision}, and the backup {manifest.revision}.")
    known = set(inspect(connection).get_table_names()) - {"alembic_version"}
    for note in manifest.tables:
        if note.name not in known:
            raise BackupUnusable(f"The backup is damaged: there is no table {note.name!r}.")
        if note.name not in _BEGUN and _count(connection, _table(note)):
            raise Conflict("This catalogue is not empty: restore into a new database.")


def _forget_beginnings(connection: Connection, manifest: Manifest) -> None:
    for note in manifest.tables:
        if note.name in _BEGUN:
            connection.execute(delete(_table(note)))


def _insert(connection: Connection, table: Table, batch: Sequence[dict[str, Any]]) -> None:
    try:
        connection.execute(insert(table), batch)
    except (StatementError, UnicodeError, OverflowError) as error:
        if isinstance(error, DBAPIError) and outage_of(error) is not None:
            raise
        raise BackupUnusable(
            f"The backup is damaged: {table.name} holds what the database does not take."
        ) from error


def _table(note: TableNote) -> Table:
    """The table as the backup has it, whatever the models say today."""
    columns = (Column(name, _KINDS[kind].type) for name, kind in note.columns.items())
    return Table(note.name, MetaData(), *columns)


def _rows(archive: zipfile.ZipFile, note: TableNote) -> Iterator[dict[str, Any]]:
    decoders = [(name, _KINDS[kind].decode) for name, kind in note.columns.items()]
    try:
        with archive.open(_member(note.name)) as member:
            while line := member.readline(_MAX_LINE):
                values = json.loads(line)
                yield {
                    name: None if value is None else decode(value)
                    for (name, decode), value in zip(decoders, values, strict=True)
                }
    except _UNREADABLE as error:
        raise BackupUnusable(f"The backup is damaged: {note.name} cannot be read.") from error


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _continue_numbers(connection: Connection) -> None:
    """PostgreSQL counts rows that it numbers itself in a sequence, which knows nothing of those loaded."""
    if connection.dialect.name != "postgresql":
        return
    for table in Base.metadata.sorted_tables:
        for column in table.primary_key.columns:
            name = {"table": table.name, "column": column.name}
            if not isinstance(column.type, Integer):
                continue
            sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), name)
            last = connection.scalar(select(func.max(column)))
            if sequence is not None and last is not None:
                connection.execute(select(func.setval(sequence, last)))


@contextmanager
def _opened(source: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    source.seek(0)
    try:
        archive = zipfile.ZipFile(source)
    except (*_UNREADABLE, OSError) as error:
        raise BackupUnusable(
            "This file is no backup: it is no zip archive, or its end is missing."
        ) from error
    with archive:
        yield archive


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        with archive.open(name) as member:
            content = member.read(_MAX_SMALL + 1)
    except _UNREADABLE as error:
        raise BackupUnusable(f"This file is no backup, or damaged: {name} cannot be read.") from error
    if len(content) > _MAX_SMALL:
        raise BackupUnusable(f"This file is no backup: {name} is too large.")
    return content


def _member(table: str) -> str:
    return f"tables/{table}.ndjson"
