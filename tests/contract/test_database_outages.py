"""The database goes away, or its disk is full: a clear answer, nothing is lost, and later all is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from repo_service.app import engine_of
from tests.contract.support import path_of, problem_of
from tests.support.backups import backup
from tests.support.postgres import running_postgres
from tests.support.service import MakeService, Service, json_of, send_file


def test_postgresql_is_killed_and_comes_back(make_service: MakeService, tmp_path: Path) -> None:
    """Whoever asks meanwhile is told when to ask again."""
    with running_postgres(durable=True) as cluster:
        service = make_service(database_url=cluster.create_database())
        teacher = service.member()
        made = json_of(send_file(teacher, backup(tmp_path / "course.mbz")), 201)
        cluster.kill()
        for answer in (
            teacher.get(path_of(made["api_url"])),
            send_file(teacher, b"another file", file_name="notes.txt"),
        ):
            problem = problem_of(answer, "database-unavailable")
            assert problem["status"] == 503
            assert answer.headers["Retry-After"] == "10"
        cluster.start()
        assert json_of(teacher.get(path_of(made["api_url"])))["id"] == made["id"]
        json_of(send_file(teacher, b"another file", file_name="notes.txt"), 201)
        engine_of(service.app).dispose()


def test_the_disk_of_sqlite_is_full(service: Service) -> None:
    """The file may not grow: what needs more room is refused, and reading goes on."""
    teacher = service.member()
    made = json_of(send_file(teacher, b"a file", file_name="notes.txt"), 201)
    pages: list[int] = []

    def allow_no_more(connection: Any) -> None:
        pages.append(connection.exec_driver_sql("PRAGMA page_count").scalar())
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages[0]}")

    engine = engine_of(service.app)
    engine.dispose()
    event.listen(engine, "begin", allow_no_more)
    try:
        problem = problem_of(_described_at_length(teacher, made), "storage-full")
        assert problem["status"] == 507
        assert json_of(teacher.get(path_of(made["api_url"])))["summary"] == ""
    finally:
        event.remove(engine, "begin", allow_no_more)
        engine.dispose()
    assert _described_at_length(teacher, made).status_code == 200


def _described_at_length(teacher: Any, made: Any) -> Any:
    return teacher.patch(path_of(made["api_url"]), json={"summary": "word " * 3000})


@pytest.mark.parametrize("statement", ["SELECT * FROM nowhere", "SELEKT 1"])
def test_a_wrong_question_is_no_outage(service: Service, statement: str) -> None:
    """It is a fault of ours, and told as such."""

    def ask(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    engine = engine_of(service.app)
    event.listen(engine, "begin", ask)
    try:
        problem_of(service.client().get("/api/v1/resources"), "internal")
    finally:
        event.remove(engine, "begin", ask)
