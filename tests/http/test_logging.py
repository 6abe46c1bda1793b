"""Logs are JSON, one object a line, with the id of the request in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from flask import Flask

from repo_service.domain.errors import DomainError, NotFetched, NotIndexed
from repo_service.http import logging as http_logging
from repo_service.http import observation, problems, request_ids


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield io.StringIO()
    finally:
        http_logging.configure(level="INFO", style="json")
        structlog.reset_defaults()
        root.handlers, root.level = handlers, level


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def app() -> Flask:
    app = Flask("logged")
    observation.register(app, http_logging.log_answered, account=lambda: "anna")
    request_ids.register(app)
    problems.register(app, base_url="https://repo.example.org")

    @app.get("/fault")
    def fault() -> str:
        logging.getLogger("some.library").warning("about to %s", "fail")
        raise RuntimeError("line one\nline two")

    @app.get("/wait/<int:number>")
    def wait(number: int) -> str:
        reasons: list[DomainError] = [NotIndexed(), NotFetched(home=None)]
        raise reasons[number]

    return app


@pytest.mark.parametrize("number", [0, 1])
def test_what_passes_by_itself_is_no_fault(number: int, out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="INFO", style="json", stream=out)
    assert app.test_client().get(f"/wait/{number}").status_code == 503
    (line,) = lines(out)
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 503)


def test_one_line_a_request(out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="INFO", style="json", stream=out)
    app.test_client().get("/nothing?signature=secret\n", headers={"X-Request-ID": "abcd-1234"})
    (line,) = lines(out)
    assert {name: line[name] for name in ("event", "level", "method", "path", "status", "account")} == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/nothing",
        "status": 404,
        "account": "anna",
    }
    assert line["request_id"] == "abcd-1234"
    assert isinstance(line["ms"], float)
    assert "secret" not in out.getvalue()


def test_a_fault_is_logged_with_its_trace_and_request(out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="INFO", style="json", stream=out)
    app.test_client().get("/fault", headers={"X-Request-ID": "abcd-1234"})
    library, fault, access = lines(out)
    assert (library["event"], library["logger"], library["level"]) == (
        "about to fail",
        "some.library",
        "warning",
    )
    assert fault["level"] == "error"
    assert "RuntimeError: line one\nline two" in str(fault["exception"])
    assert access["status"] == 500
    assert {line["request_id"] for line in (library, fault, access)} == {"abcd-1234"}


def test_the_level_is_kept(out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="ERROR", style="json", stream=out)
    app.test_client().get("/fault")
    assert [line["event"] for line in lines(out)] == ["request failed"]


def test_a_path_cannot_forge_a_line(out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="INFO", style="json", stream=out)
    app.test_client().get('/a%0A{"event":"forged"}')
    (line,) = lines(out)
    assert line["path"] == '/a\n{"event":"forged"}'


def test_for_people(out: io.StringIO, app: Flask) -> None:
    http_logging.configure(level="INFO", style="console", stream=out)
    app.test_client().get("/fault")
    assert "RuntimeError" in out.getvalue()
    assert "some.library" in out.getvalue()
    assert " GET '/fault' 500 in " in out.getvalue()


def test_for_people_tracebacks_tell_no_values(out: io.StringIO) -> None:
    """Whichever library that draws them is installed."""
    http_logging.configure(level="INFO", style="console", stream=out)
    password = "correct horse"
    try:
        raise RuntimeError(f"{len(password)} characters are wrong")
    except RuntimeError:
        structlog.get_logger().exception("unexpected")
    assert "13 characters are wrong" in out.getvalue()
    assert password not in out.getvalue().replace('password = "correct horse"', "")
