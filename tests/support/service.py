"""The whole service within the test process: real database, real store, jobs done when the test says so."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from repo_service.app import create_app, engine_of, migrate, services_of
from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, Role
from repo_service.domain.resources import JobKind, JobState
from repo_service.jobs.worker import handlers_of
from repo_service.models import Job
from repo_service.models.base import now
from repo_service.services.container import Services
from repo_service.settings import Settings
from tests.support.postgres import PostgresCluster
from tests.support.weed import Weed

OPERATOR = Identity(username="operator", role=Role.ADMINISTRATOR, scopes=SCOPES_OF_ROLE[Role.ADMINISTRATOR])


@dataclass
class Service:
    """One running service and the means to ask it."""

    app: APIFlask
    services: Services
    settings: Settings

    def client(self, token: str | None = None) -> FlaskClient:
        """Somebody who asks; without a token the public."""
        client = self.app.test_client()
        if token is not None:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def token(self, username: str, role: Role = Role.MEMBER, quota: int | None = None) -> str:
        """A token with every scope of the role, for a new account of that name."""
        account = self.services.accounts.create(OPERATOR, username=username, role=role, quota=quota)
        issued = self.services.accounts.issue_token(
            OPERATOR, name="test", scopes=SCOPES_OF_ROLE[role], account_id=account.id
        )
        return issued.secret

    def member(self, username: str = "teacher") -> FlaskClient:
        """A new member."""
        return self.client(self.token(username))

    def work(self, *, but: Collection[JobKind] = ()) -> None:
        """Do what a worker would do now: every job that waits, ``but`` those, then what follows the changes,
        and the jobs that come of that."""
        handlers = handlers_of(self.services)
        handlers.follow_changes()
        while ids := self._waiting(but):
            for job_id in ids:
                handlers.run_job(job_id)
            handlers.follow_changes()

    def _waiting(self, but: Collection[JobKind]) -> list[Any]:
        with self.services.database.read() as session:
            due = (
                select(Job.id)
                .where(Job.state == JobState.QUEUED.value, Job.next_try_at <= now())
                .where(Job.kind.not_in([kind.value for kind in but]))
            )
            return list(session.scalars(due))


def send_file(
    client: FlaskClient,
    content: bytes | Path,
    *,
    file_name: str = "course.mbz",
    url: str = "/api/v1/resources",
    **metadata: Any,
) -> TestResponse:
    """POST a form with a file and its metadata."""
    data = content.read_bytes() if isinstance(content, Path) else content
    return client.post(url, data={"metadata": json.dumps(metadata), "file": (BytesIO(data), file_name)})


MakeService = Callable[..., Service]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database of the newest schema with nothing in it. To make one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated")
    _migrate(Settings(data_dir=folder, queue_url="memory:"))
    return folder / "repo.db"


@pytest.fixture(scope="session")
def migrated_in_postgres(postgres_cluster: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of such a database in PostgreSQL, for others to be copied from."""
    name = "migrated"
    url = postgres_cluster.create_database(name)
    _migrate(Settings(data_dir=tmp_path_factory.mktemp(name), queue_url="memory:", database_url=url))
    return name


def _migrate(settings: Settings) -> None:
    app = create_app(settings)
    migrate(app)
    services_of(app).close()
    engine_of(app).dispose()


@pytest.fixture
def postgres_database(
    postgres_cluster: PostgresCluster, migrated_in_postgres: str
) -> Iterator[Callable[[], str]]:
    """Makes new databases of the newest schema: every call gives the SQLAlchemy URL of another, gone after
    the test."""
    yield partial(postgres_cluster.create_database, template=migrated_in_postgres)
    postgres_cluster.drop_databases()


@pytest.fixture
def make_service(tmp_path: Path, migrated: Path) -> Iterator[MakeService]:
    """Start services with settings of one's own (names of ``Settings``); all are closed at the end."""
    made: list[Service] = []

    def make(**overrides: Any) -> Service:
        folder = tmp_path / f"service{len(made)}"
        settings = Settings(**{"data_dir": folder, "queue_url": "memory:", "min_free_space": 0, **overrides})
        database = settings.data_dir / migrated.name
        is_new = not {"database_url", "read_only"} & overrides.keys() and not database.exists()
        if is_new:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(migrated, database)
        app = create_app(settings, writes_index=True)
        if not is_new:
            migrate(app)
        service = Service(app=app, services=services_of(app), settings=settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.services.close()
        engine_of(service.app).dispose()


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """A service on SQLite and local disk."""
    return make_service()


@pytest.fixture(params=["sqlite+file", "postgresql+s3"])
def any_service(request: pytest.FixtureRequest, make_service: MakeService) -> Service:
    """A service on SQLite and local disk, and one on PostgreSQL and S3: what holds must hold on both."""
    if request.param == "sqlite+file":
        return make_service()
    weed: Weed = request.getfixturevalue("weed")
    database: str = request.getfixturevalue("postgres_database")()
    return make_service(
        database_url=database,
        store_url=weed.store_url(weed.shared_bucket, prefix=secrets.token_hex(8)),
        store_access_key=weed.access_key,
        store_secret_key=weed.secret_key,
    )


def json_of(response: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer that has to have this status."""
    assert response.status_code == status, response.text
    return response.json
