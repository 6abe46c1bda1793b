"""The migrations, on both databases: up, down, and in agreement with the models."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, inspect, select, text

from repo_service import app as composition
from repo_service.app import engine_of, migrate
from repo_service.models import Account, Base, Resource
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import publish, share
from tests.support.backups import ActivitySpec, backup
from tests.support.service import MakeService, json_of, send_file
from tests.web.visitor import Visitor

_MIGRATIONS = Path(composition.__file__).parent / "migrations"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def test_models_and_migrations_agree(database_url: str, make_service: MakeService) -> None:
    """Whoever changes a model has to write the migration, constraint names included."""
    engine = engine_of(make_service(database_url=database_url).app)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert _constraint_names(engine) == {
        str(constraint.name) for table in Base.metadata.tables.values() for constraint in table.constraints
    }


def test_down_and_up_again(database_url: str, make_service: MakeService) -> None:
    """A downgrade leaves no table behind, and the schema can be made once more."""
    service = make_service(database_url=database_url)
    engine = engine_of(service.app)
    with service.app.app_context():
        downgrade(directory=str(_MIGRATIONS), revision="base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    with service.app.app_context():
        upgrade(directory=str(_MIGRATIONS))
    assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
    service.token("teacher")


def test_clients_and_their_tokens_outlive_the_migration_to_oauth(
    database_url: str, make_service: MakeService
) -> None:
    """SQLite makes the table of clients anew, and tokens refer to it: on the way up, and on the way down,
    where only those go that the older release could not keep."""
    service = make_service(database_url=database_url)
    teacher = service.client(service.token("teacher"))
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "School"}), 201)
    given = {"name": "t", "scopes": ["resources:read"], "client": client["id"]}
    issued = json_of(teacher.post("/api/v1/me/tokens", json=given), 201)
    site = connect_site(service)
    tokens = tokens_of(service, site, Visitor(service, service.token("other")), scope="resources:read")
    json_of(service.client(tokens["access_token"]).get("/api/v1/me"))
    with service.app.app_context():
        downgrade(directory=str(_MIGRATIONS), revision="0007")
        with engine_of(service.app).connect() as connection:
            kept = connection.execute(text("SELECT name, client_id FROM tokens ORDER BY name")).all()
            assert [name for name, client_id in kept if client_id is not None] == ["t"]
            assert connection.execute(text("SELECT name FROM clients")).all() == [("School",)]
        upgrade(directory=str(_MIGRATIONS))
    assert json_of(service.client(issued["secret"]).get("/api/v1/me"))["username"] == "teacher"
    (listed,) = json_of(teacher.get("/api/v1/me/clients"))["items"]
    assert listed == client
    assert service.client(tokens["access_token"]).get("/api/v1/me").status_code == 401
    assert teacher.delete(f"/api/v1/me/clients/{client['id']}").status_code == 204
    assert service.client(issued["secret"]).get("/api/v1/me").status_code == 401


def test_what_was_inspected_before_has_a_glance_too(
    database_url: str, make_service: MakeService, tmp_path: Path
) -> None:
    service = make_service(database_url=database_url)
    quizzes = [ActivitySpec(module="quiz", title=f"Quiz {number}") for number in range(2)]
    activities = [ActivitySpec(module="forum", title="News"), *quizzes]
    teacher = service.member()
    course = json_of(send_file(teacher, backup(tmp_path / "course.mbz", activities=activities)), 201)
    plain = json_of(send_file(teacher, b"hello", file_name="hello.txt"), 201)
    service.work()

    def glance(resource: dict[str, Any]) -> Any:
        return json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))["versions"][0]["glance"]

    before = glance(course)
    assert before["activities"] == 3
    assert before["modules"] == ["quiz", "forum"]
    assert before["moodle_release"] == "4.5.6"
    with service.app.app_context():
        downgrade(directory=str(_MIGRATIONS), revision="0009")
        upgrade(directory=str(_MIGRATIONS))
    assert glance(course) == before
    assert glance(plain) is None


def test_when_what_is_public_was_changed_is_found_out(database_url: str, make_service: MakeService) -> None:
    """By releases and descriptions; neither a draft nor what was said before it was public counts."""
    service = make_service(database_url=database_url)
    teacher = service.member()

    def describe(resource: dict[str, Any], title: str) -> None:
        json_of(teacher.patch(f"/api/v1/resources/{resource['id']}", json={"title": title}))

    draft = share(teacher, b"draft")
    describe(draft, "Draft")
    released, described, again = (publish(service, teacher, name) for name in (b"1", b"2", b"3"))
    versions = f"/api/v1/resources/{again['id']}/versions"
    for file_name, release in (("second.txt", True), ("draft.txt", False)):
        form = send_file(teacher, file_name.encode(), url=versions, file_name=file_name, release=release)
        json_of(form, 201)
        service.work()
    describe(described, "New")

    def changed() -> dict[str, Any]:
        with service.services.database.read() as session:
            return {str(row.id): row.changed_at for row in session.scalars(select(Resource))}

    before = changed()
    assert before[draft["id"]] is None
    assert len(set(before.values())) == 4
    with service.app.app_context():
        downgrade(directory=str(_MIGRATIONS), revision="0015")
        upgrade(directory=str(_MIGRATIONS))
    after = changed()
    # The trail was written a moment after the row.
    assert after.pop(described["id"]) - before.pop(described["id"]) < timedelta(seconds=1)
    assert after == before
    assert released["id"] in after


def test_migrating_again_keeps_everything(database_url: str, make_service: MakeService) -> None:
    """Every command migrates first."""
    service = make_service(database_url=database_url)
    service.token("teacher")
    migrate(service.app)
    with service.services.database.read() as session:
        assert session.scalars(select(Account.username)).all() == ["teacher"]


def test_commands_migrate_while_a_service_runs(database_url: str, make_service: MakeService) -> None:
    """Every command migrates first, and so do all nodes of a cluster that start together: they take turns,
    and the one that was first does not keep the others out for as long as it runs."""
    service = make_service(database_url=database_url)
    environment = {
        **os.environ,
        "REPO_DATA_DIR": str(service.settings.data_dir),
        "REPO_DATABASE_URL": database_url,
    }
    command = [sys.executable, "-m", "repo_service", "migrate"]
    processes = [subprocess.Popen(command, env=environment) for _ in range(2)]
    try:
        assert [process.wait(timeout=30) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_nodes_that_start_together_on_an_empty_database(database_url: str, tmp_path: Path) -> None:
    """One makes the tables, the others find them made."""
    command = [sys.executable, "-m", "repo_service", "migrate"]
    processes = [
        subprocess.Popen(
            command,
            env={
                **os.environ,
                "REPO_DATA_DIR": str(tmp_path / f"node{n}"),
                "REPO_DATABASE_URL": database_url,
            },
        )
        for n in range(3)
    ]
    try:
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _constraint_names(engine: Engine) -> set[str]:
    inspector = inspect(engine)
    names = set()
    for table in Base.metadata.tables:
        names |= {inspector.get_pk_constraint(table)["name"]}
        names |= {found["name"] for found in inspector.get_foreign_keys(table)}
        names |= {found["name"] for found in inspector.get_unique_constraints(table)}
    return {str(name) for name in names}
