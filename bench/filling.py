"""Generated resources put into a service: rows in SQLite, and an index over the same documents."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, create_engine, insert, literal, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from bench.measuring import Bench
from bench.search_corpus import documents
from repo_service.domain.network import Standing
from repo_service.domain.resources import Visibility
from repo_service.domain.search import Facet, SearchDocument
from repo_service.models import Account, Blob, InspectionRecord, Instance, NetworkEntry, Resource, Version
from repo_service.models.base import Base, new_id, now
from repo_service.search.tantivy import TantivyIndex

_BATCH = 10_000
_SERVERS = 50


def fill(bench: Bench, data: Path, count: int) -> None:
    """Rows in SQLite and, in a process beside it, an index over the same generated documents."""
    bench.say(f"filling the catalogue and the index with {count:,} resources")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        rows = beside.submit(_fill_catalogue, data / "repo.db", count)
        with TantivyIndex(data / "index", writer=True) as index:
            index.rebuild(documents(count), position=0)
        bench.say("  the index is there")
        rows.result()
    bench.say("  the catalogue is there")


def fill_network(data: Path, count: int) -> None:
    """Rows of what fifty approved servers have. The index over them is the service's to make."""
    engine = create_engine(f"sqlite:///{data / 'repo.db'}")
    with engine.begin() as connection:
        moment = now()
        servers = [new_id() for _ in range(_SERVERS)]
        connection.execute(
            insert(Instance),
            [
                {
                    "id": id_,
                    "host": f"school{number}.example",
                    "standing": Standing.APPROVED.value,
                    "reason": "",
                    "failures": 0,
                    "created_at": moment,
                }
                for number, id_ in enumerate(servers)
            ],
        )
        generated = enumerate(documents(count))
        while batch := [
            _entry(document, number % _SERVERS, servers) for number, document in islice(generated, _BATCH)
        ]:
            connection.execute(insert(NetworkEntry), batch)
    engine.dispose()


def _entry(document: SearchDocument, server: int, servers: list[UUID]) -> dict[str, Any]:
    facets = document.facets
    uri = f"https://school{server}.example/resources/{document.id}"
    return {
        "id": UUID(document.id),
        "uri": uri,
        "instance_id": servers[server],
        "kind": "resource",
        "by": f"https://school{server}.example/users/ada",
        "url": uri,
        "name": document.title,
        "summary_text": document.summary,
        "licence": facets[Facet.LICENCE][0],
        "languages": list(facets[Facet.LANGUAGE]),
        "subjects": list(facets[Facet.SUBJECT]),
        "levels": list(facets[Facet.LEVEL]),
        "types": list(facets[Facet.TYPE]),
        "keywords": [],
        "authors": ["Ada Lovelace"],
        "links": [],
        "published_at": document.released_at,
        "heard": UUID(document.id),
        "hidden_reason": "",
        "created_at": document.released_at,
        "updated_at": document.released_at,
    }


def _fill_catalogue(path: Path, count: int) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA cache_size = -500000")
        owner = connection.execute(select(Account.id)).scalars().one()
        generated = documents(count)
        while batch := [_resource(document, owner) for document in islice(generated, _BATCH)]:
            connection.execute(insert(Resource), batch)
        _add_files(connection)
    engine.dispose()


def _resource(document: SearchDocument, owner: UUID) -> dict[str, Any]:
    facets = document.facets
    return {
        "id": UUID(document.id),
        "owner_id": owner,
        "title": document.title,
        "summary_html": f"<p>{document.summary}</p>",
        "summary_text": document.summary,
        "licence": facets[Facet.LICENCE][0],
        "languages": list(facets[Facet.LANGUAGE]),
        "subjects": list(facets[Facet.SUBJECT]),
        "levels": list(facets[Facet.LEVEL]),
        "types": list(facets[Facet.TYPE]),
        "authors": [{"name": "Ada Lovelace", "url": ""}],
        "keywords": [],
        "found": [],
        "visibility": Visibility.PUBLIC.value,
        "revision": 1,
        "released_at": document.released_at,
        "created_at": document.released_at,
        "updated_at": document.released_at,
    }


def _add_files(connection: Connection) -> None:
    """One released version of every resource, with a blob of its own that has been inspected."""
    id_: ColumnElement[Any] = literal_column("resources.id")
    digest: ColumnElement[Any] = literal_column("resources.id || resources.id")  # 64 hexadecimal characters
    moment = Resource.created_at

    def fill(model: type[Base], columns: dict[InstrumentedAttribute[Any], Any]) -> None:
        values = [value.label(column.key) for column, value in columns.items()]
        rows = select(*values).select_from(Resource)
        connection.execute(insert(model).from_select([column.key for column in columns], rows))

    fill(
        Blob,
        {
            Blob.digest: digest,
            Blob.size: literal(1_000_000),
            Blob.media_type: literal("application/vnd.moodle.backup"),
            Blob.claimed_at: moment,
            Blob.created_at: moment,
        },
    )
    fill(
        InspectionRecord,
        {
            InspectionRecord.digest: digest,
            InspectionRecord.parser: literal("moodle2"),
            InspectionRecord.parser_version: literal(1),
            InspectionRecord.kind: literal("course"),
            InspectionRecord.blocking: literal(False),
            InspectionRecord.document: literal_column("'{}'"),
            InspectionRecord.search_text: literal(""),
            InspectionRecord.created_at: moment,
        },
    )
    fill(
        Version,
        {
            Version.id: id_,
            Version.resource_id: id_,
            Version.number: literal(1),
            Version.digest: digest,
            Version.file_name: literal("course.mbz"),
            Version.change_note: literal(""),
            Version.release_requested: literal(True),
            Version.inspected_at: moment,
            Version.released_at: moment,
            Version.created_by: Resource.owner_id,
            Version.created_at: moment,
        },
    )
