"""What the tests of the whole service share: reading problems, comparing what is kept before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from repo_service.http.problems import CATALOGUE
from repo_service.models import Base
from repo_service.services.container import Services
from repo_service.settings import Settings
from storage import BlobStore, open_store
from tests.support.service import Service, json_of, send_file

DRAFT_BYTES = b"Plain notes about rivers and lakes.\n"
"""A file that any parser takes, for tests that need no backup."""

_NOTED_IN_PASSING = {"tokens": {"last_used_at"}, "grants": {"last_used_at"}}
"""Columns that change with every request, whatever becomes of it."""


def problem_of(response: TestResponse, code: str) -> dict[str, Any]:
    """The problem that ``response`` has to be, with everything that each of them has."""
    kind = CATALOGUE[code]
    assert response.mimetype == "application/problem+json", response.text
    body: dict[str, Any] = response.get_json()
    assert (body["code"], response.status_code) == (code, kind.status), body
    assert body["status"] == kind.status
    assert body["type"].endswith(f"/docs/errors#{code}")
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert body["detail"]
    assert response.headers["Cache-Control"] == "no-store"
    return body


def pointers(problem: dict[str, Any]) -> list[str]:
    """The values that ``problem`` points at."""
    return [error["pointer"] for error in problem["errors"]]


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def share(client: FlaskClient, content: bytes = DRAFT_BYTES, **metadata: Any) -> dict[str, Any]:
    """A new resource of the client's."""
    metadata.setdefault("file_name", "notes.txt")
    resource: dict[str, Any] = json_of(send_file(client, content, **metadata), 201)
    return resource


def publish(service: Service, client: FlaskClient, content: bytes = DRAFT_BYTES, **metadata: Any) -> Any:
    """A new resource of the client's that everybody sees."""
    metadata.setdefault("licence", "CC-BY-4.0")
    resource = share(client, content, release=True, **metadata)
    service.work()
    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    assert shown["visibility"] == "public"
    return shown


def path_of(url: str) -> str:
    """An address of the service without its host, as a test client asks for it."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def rows(services: Services) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the catalogue holds, table by table."""
    found = {}
    with services.database.read() as session:
        for table in Base.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in _NOTED_IN_PASSING.get(table.name, ())]
            found[table.name] = sorted((tuple(row) for row in session.execute(select(*columns))), key=repr)
    return found


def count(services: Services, table: str) -> int:
    """How many rows a table has."""
    return len(rows(services)[table])


def store_of(settings: Settings) -> BlobStore:
    """The service's store, opened once more."""

    def reveal(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    return open_store(
        settings.store_url,
        access_key=reveal(settings.store_access_key),
        secret_key=reveal(settings.store_secret_key),
    )


def published(settings: Settings) -> list[tuple[str, int]]:
    """Locator and size of every published blob."""
    return sorted((blob.locator, blob.size) for blob in store_of(settings).iter())


def staged(settings: Settings) -> list[str]:
    """What stands in the store's staging area: files there, or multipart uploads that were not completed."""
    url = urlsplit(settings.store_url)
    if url.scheme == "file":
        return sorted(path.name for path in (settings.data_dir / "store" / "staging").iterdir())
    assert settings.store_access_key is not None
    assert settings.store_secret_key is not None
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=parse_qs(url.query)["endpoint_url"][0],
        aws_access_key_id=settings.store_access_key.get_secret_value(),
        aws_secret_access_key=settings.store_secret_key.get_secret_value(),
        region_name="us-east-1",
    )
    listed = client.list_multipart_uploads(Bucket=url.netloc, Prefix=url.path.strip("/"))
    return sorted(upload["Key"] for upload in listed.get("Uploads", []))


@contextmanager
def nothing_changes(service: Service) -> Iterator[None]:
    """What happens in the block leaves the database and the store as they were. That somebody tried is
    counted all the same."""

    def kept() -> tuple[object, ...]:
        catalogue = {table: found for table, found in rows(service.services).items() if table != "throttles"}
        return catalogue, published(service.settings), staged(service.settings)

    before = kept()
    yield
    assert kept() == before


def columns_of(services: Services) -> set[tuple[str, str]]:
    """(table, column) of the schema as the database has it."""
    inspector = inspect(services.database.engine)
    return {(t, c["name"]) for t in inspector.get_table_names() for c in inspector.get_columns(t)}
