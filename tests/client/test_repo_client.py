"""The client of the project against the service, over lines that break."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from repo_client import Problem, Repository, RepositoryError, Unreachable, WrongSignature, verify
from repo_service.models.base import now
from repo_service.services.webhook_signatures import new_webhook_secret, signed_headers
from tests.contract.support import count
from tests.support.running import running
from tests.support.service import MakeService, Service

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
_SIZE = 3_000_000

Fault = Callable[[httpx.Request, httpx.BaseTransport], httpx.Response]


@dataclass
class Line(httpx.BaseTransport):
    """The way to a service in this process. The next requests of a method have the ``faults`` of that, in
    turn; ``sent`` are all requests, with the length of their bodies."""

    service: Service
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    sent: list[tuple[str, str, int]] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.sent.append((request.method, request.url.path, len(request.content)))
        through = httpx.WSGITransport(app=self.service.app)
        faults = self.faults.get(request.method)
        return faults.pop(0)(request, through) if faults else through.handle_request(request)


def _cut_after(size: int) -> Fault:
    """So many bytes of the body arrive, and no answer comes."""

    def fault(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
        headers = dict(request.headers)
        part = httpx.Request(request.method, request.url, headers=headers, content=request.content[:size])
        part.headers["Content-Length"] = headers["content-length"]
        through.handle_request(part).read()
        raise httpx.WriteError("Broken pipe")

    return fault


def _answer_lost(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
    through.handle_request(request).read()
    raise httpx.ReadError("Connection reset by peer")


def _no_line(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


class _Broken(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        raise httpx.ReadError("Connection reset by peer")


def _answer_cut_after(size: int) -> Fault:
    def fault(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
        response = through.handle_request(request)
        body = response.read()
        return httpx.Response(response.status_code, headers=response.headers, stream=_Broken(body[:size]))

    return fault


@dataclass
class World:
    """A service, a line to it, somebody who uses the client, and a file of theirs. ``pauses`` are the seconds
    that the client wanted to wait; meanwhile the service works."""

    service: Service
    line: Line
    repository: Repository
    path: Path
    pauses: list[float]

    @property
    def bodies(self) -> list[int]:
        """Lengths of what was sent by PATCH."""
        return [length for method, _, length in self.line.sent if method == "PATCH"]


@pytest.fixture
def world(make_service: MakeService, tmp_path: Path) -> Iterator[World]:
    service = make_service()
    path = tmp_path / "rivers and lakes.txt"
    path.write_bytes(os.urandom(_SIZE // 2).hex().encode())
    line, pauses = Line(service), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        service.work()

    with Repository(
        service.settings.base_url, token=service.token("ada"), transport=line, sleep=sleep
    ) as repository:
        yield World(service, line, repository, path, pauses)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestSharing:
    def test_from_a_file_to_a_download(self, world: World, tmp_path: Path) -> None:
        told: list[int] = []
        upload = world.repository.upload(world.path, progress=lambda sent, size: told.append(sent))
        assert (upload.state, upload.sha256) == ("finished", _digest(world.path))
        assert told == sorted(told)
        assert (told[0], told[-1]) == (0, _SIZE)
        made = world.repository.share(upload, licence="CC-BY-4.0", title="Rivers", release=True)
        assert made.visibility == "draft"
        shown = world.repository.wait(made.id)
        assert (shown.visibility, shown.newest.is_released) == ("public", True)
        assert shown.newest.file_name == world.path.name
        (found,) = world.repository.search("rivers", licence="CC-BY-4.0")
        assert found["id"] == shown.id
        fetched = world.repository.download(shown, tmp_path / "fetched")
        assert fetched.read_bytes() == world.path.read_bytes()
        assert list(tmp_path.glob("*.part")) == []
        world.repository.withdraw(shown.id, reason="old")
        with pytest.raises(Problem) as caught:
            world.repository.resource(shown.id)
        assert (caught.value.code, caught.value.status) == ("gone", 410)
        assert caught.value.fields["reason"] == "old"

    def test_a_version_and_a_release_by_hand(self, world: World) -> None:
        made = world.repository.share(world.path)
        made = world.repository.wait(made.id)
        world.repository.describe(made.id, licence="CC-BY-4.0")
        assert world.repository.release(made.id, 1).visibility == "public"
        world.path.write_bytes(b"Another text about rivers.")
        added = world.repository.add_version(made.id, world.path, change_note="Shorter")
        assert [version.number for version in added.versions] == [2, 1]

    def test_an_empty_file(self, world: World) -> None:
        world.path.write_bytes(b"")
        assert world.repository.upload(world.path).state == "finished"

    def test_what_is_found_comes_page_after_page(self, world: World) -> None:
        for number in range(3):
            world.path.write_bytes(b"Rivers %d" % number)
            world.repository.share(world.path, licence="CC-BY-4.0", release=True)
        world.service.work()
        world.line.sent.clear()
        assert len(list(world.repository.search(limit="2"))) == 3
        assert len(world.line.sent) == 2


class TestLinesThatBreak:
    def test_an_upload_goes_on_where_it_broke(self, world: World) -> None:
        world.line.faults["PATCH"] = [_cut_after(1_000_000), _cut_after(500_000), _no_line]
        upload = world.repository.upload(world.path)
        assert upload.sha256 == _digest(world.path)
        assert world.bodies == [_SIZE, _SIZE - 1_000_000, _SIZE - 1_500_000, _SIZE - 1_500_000]

    def test_one_whose_last_answer_was_lost_is_there(self, world: World) -> None:
        world.line.faults["PATCH"] = [_answer_lost]
        assert world.repository.upload(world.path).state == "finished"
        assert world.bodies == [_SIZE]

    def test_it_goes_on_another_day(self, world: World) -> None:
        world.line.faults["PATCH"] = [_cut_after(1_000_000), *[_no_line] * 10]
        begun: list[str] = []
        with pytest.raises(Unreachable):
            world.repository.upload(world.path, begun=begun.append)
        world.line.faults.clear()
        world.line.sent.clear()
        upload = world.repository.upload(world.path, resume=begun[0])
        assert (upload.state, world.bodies) == ("finished", [_SIZE - 1_000_000])

    def test_a_resource_whose_answer_was_lost_is_made_once(self, world: World) -> None:
        upload = world.repository.upload(world.path)
        world.line.faults["POST"] = [_answer_lost, _answer_lost]
        made = world.repository.share(upload, title="Rivers")
        assert count(world.service.services, "resources") == 1
        assert world.repository.resource(made.id).title == "Rivers"

    def test_a_download_goes_on_where_it_broke(self, world: World, tmp_path: Path) -> None:
        made = world.repository.wait(world.repository.share(world.path).id)
        world.line.faults["GET"] = [_answer_cut_after(1_000_000), _no_line]
        fetched = world.repository.download(made, tmp_path / "fetched")
        assert fetched.read_bytes() == world.path.read_bytes()

    def test_other_bytes_are_no_download(self, world: World, tmp_path: Path) -> None:
        made = world.repository.wait(world.repository.share(world.path).id)

        def other(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
            return httpx.Response(200, content=b"other")

        world.line.faults["GET"] = [other]
        with pytest.raises(RepositoryError, match="other bytes"):
            world.repository.download(made, tmp_path / "fetched")
        assert [path.name for path in tmp_path.glob("fetched*")] == []

    def test_nobody_waits_for_ever(self, world: World) -> None:
        world.line.faults["GET"] = [_no_line] * 10
        with pytest.raises(Unreachable):
            list(world.repository.search())
        assert len(world.line.sent) == 5
        assert world.pauses == sorted(world.pauses)
        assert len(world.pauses) == 4

    def test_as_long_as_the_service_wants(self, world: World) -> None:
        def busy(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
            return httpx.Response(503, json={"code": "busy", "detail": "Later.", "retry_after": 17})

        world.line.faults["GET"] = [busy]
        assert list(world.repository.search()) == []
        assert world.pauses == [17]


class TestRefusals:
    def test_a_problem_is_an_exception_with_its_code(self, world: World) -> None:
        upload = world.repository.upload(world.path)
        with pytest.raises(Problem, match="invalid-input") as caught:
            world.repository.share(upload, licence="none of these")
        problem = caught.value
        assert [error.pointer for error in problem.errors] == ["/licence"]
        assert problem.request_id
        assert problem.advice
        assert world.pauses == []

    def test_an_upload_that_is_refused_is_not_tried_again(self, world: World) -> None:
        stranger = Repository(world.service.settings.base_url, token="mrr_wrong", transport=world.line)
        with pytest.raises(Problem) as caught:
            stranger.upload(world.path)
        assert caught.value.code == "unauthorised"
        assert len(world.line.sent) == 1

    def test_what_a_front_server_says_is_one_too(self, world: World) -> None:
        def front(request: httpx.Request, through: httpx.BaseTransport) -> httpx.Response:
            return httpx.Response(502, html="<h1>Bad gateway</h1>")

        world.line.faults["GET"] = [front]
        with pytest.raises(Problem) as caught:
            list(world.repository.search())
        assert (caught.value.status, caught.value.code) == (502, "")


class TestMessages:
    def test_what_the_service_signs_is_taken(self) -> None:
        secret, body = new_webhook_secret(), b'{"type": "webhook.ping", "timestamp": "now", "data": {"a": 1}}'
        message = verify(secret, signed_headers(secret, "1", now(), body), body)
        assert (message.id, message.type, message.data) == ("1", "webhook.ping", {"a": 1})

    @pytest.mark.parametrize("fault", ["body", "secret", "id", "old", "future", "missing", "none", "junk"])
    def test_nothing_else_is(self, fault: str) -> None:
        secret, body = new_webhook_secret(), b'{"type": "webhook.ping", "timestamp": "now", "data": {}}'
        headers: dict[str, Any] = dict(signed_headers(secret, "1", now(), body))
        at = now().timestamp()
        match fault:
            case "body":
                body += b" "
            case "secret":
                secret = new_webhook_secret()
            case "id":
                headers["webhook-id"] = "2"
            case "old":
                at += 301
            case "future":
                at -= 302
            case "missing":
                del headers["webhook-signature"]
            case "none":
                headers["webhook-signature"] = ""
            case _:
                headers["webhook-signature"] = "v1,ü v2"
        with pytest.raises(WrongSignature):
            verify(secret, headers, body, now=at)


def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path) -> None:
    """As a program of its own, against the service as it is run, over sockets."""
    (source,) = re.findall(r"```python\n(.*?)```", _DOCS.read_text("utf-8"), re.DOTALL)
    (tmp_path / "course.mbz").write_bytes(b"Rivers and lakes.\n" * 100_000)
    with running(tmp_path, min_free_space="0") as live:
        said = subprocess.run(
            [sys.executable, "-c", source],
            env={**os.environ, "REPO": f"http://127.0.0.1:{live.port}", "TOKEN": live.token},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "again.mbz").read_bytes() == (tmp_path / "course.mbz").read_bytes()
    assert "100 %" in said.stdout
