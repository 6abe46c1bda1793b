"""Observers are told once of every request, when its last byte has been handed over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, Response, request
from werkzeug.test import EnvironBuilder, run_wsgi_app

from repo_service.domain.errors import NotFound
from repo_service.http import body, observation, problems
from repo_service.http.observation import Answered


class Source:
    """A streamed body that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"12345"
        yield b"67890"

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def told() -> list[Answered]:
    return []


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def app(told: list[Answered], source: Source) -> Flask:
    app = Flask("observed")
    observation.register(app, told.append, account=lambda: "anna")
    problems.register(app, base_url="https://repo.example.org")

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        return "hello " + name

    @app.get("/stream")
    def stream() -> Response:
        return Response(source, direct_passthrough=True)

    @app.get("/text")
    def text() -> Response:
        return Response(iter(["é", "ü"]))

    @app.get("/missing")
    def missing() -> str:
        raise NotFound

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError

    @app.post("/read")
    def read() -> str:
        next(body.read_exactly(request.environ))
        return "ok"

    @app.post("/refuse")
    def refuse() -> str:
        return "no"

    return app


def test_a_request(app: Flask, told: list[Answered]) -> None:
    response = app.test_client().get("/hello/anna?token=secret", headers={"X-Request-ID": "1234-5678"})
    (answered,) = told
    assert answered == Answered(
        method="GET",
        endpoint="hello",
        path="/hello/anna",
        status=200,
        seconds=answered.seconds,
        received=0,
        sent=len(response.data),
        whole=True,
        account="anna",
        request_id="1234-5678",
    )
    assert 0 < answered.seconds < 5


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/missing", ("missing", 404)),
        ("GET", "/fault", ("fault", 500)),
        ("GET", "/nothing", ("", 404)),
        ("DELETE", "/fault", ("", 405)),
        ("HEAD", "/hello/anna", ("hello", 200)),
        ("HEAD", "/stream", ("stream", 200)),
    ],
)
def test_every_outcome(
    app: Flask, told: list[Answered], method: str, path: str, expected: tuple[str, int]
) -> None:
    response = app.test_client().open(path, method=method)
    (answered,) = told
    assert (answered.endpoint, answered.status) == expected
    assert answered.sent == len(response.data)
    assert answered.method == method


def test_unheard_methods_cannot_grow_the_metrics(app: Flask, told: list[Answered]) -> None:
    app.test_client().open("/hello/anna", method="X" * 50)
    assert [answered.method for answered in told] == ["OTHER"]


def test_a_stream_is_told_at_its_end(app: Flask, told: list[Answered], source: Source) -> None:
    blocks, _, _ = run_wsgi_app(app, EnvironBuilder(path="/stream").get_environ(), buffered=False)
    assert told == []
    assert b"".join(blocks) == b"1234567890"
    (answered,) = told
    assert (answered.sent, answered.whole) == (10, True)
    blocks.close()  # type: ignore[attr-defined]  # as WSGI servers do
    assert source.closed
    assert len(told) == 1


def test_a_client_that_goes_away(app: Flask, told: list[Answered], source: Source) -> None:
    blocks, _, _ = run_wsgi_app(app, EnvironBuilder(path="/stream").get_environ(), buffered=False)
    assert next(iter(blocks)) == b"12345"
    blocks.close()  # type: ignore[attr-defined]  # as WSGI servers do
    (answered,) = told
    assert (answered.sent, answered.whole) == (5, False)
    assert source.closed


def test_text_is_counted_in_bytes(app: Flask, told: list[Answered]) -> None:
    assert app.test_client().get("/text").text == "éü"
    assert [answered.sent for answered in told] == [4]


def test_what_was_received(app: Flask, told: list[Answered]) -> None:
    client = app.test_client()
    client.post("/refuse", data=b"x" * 100)
    client.post("/read", data=b"x" * (body.READ_SIZE + 1))
    assert [answered.received for answered in told] == [100, body.READ_SIZE], (
        "what was read, where that is known"
    )
