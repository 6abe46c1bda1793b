"""Uploads through the form: a stream that is refused before its first byte, and without scripts."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from repo_service.models import Blob, Resource, Upload
from tests.support.backups import ActivitySpec, backup
from tests.support.service import MakeService, Service
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return backup(tmp_path / "course.mbz", activities=[ActivitySpec(module="quiz", title="Food chains")])


@pytest.fixture
def teacher(service: Service) -> Visitor:
    return Visitor(service, service.token("teacher"))


def _kept(service: Service) -> list[int | None]:
    with service.services.database.read() as session:
        return [session.scalar(select(func.count()).select_from(model)) for model in (Upload, Blob, Resource)]


def _post_in_order(visitor: Visitor, *parts: tuple[str, str | Path], **headers: str) -> TestResponse:
    """A form whose parts come in exactly this order; werkzeug's own sends files last."""
    body = b""
    for name, value in parts:
        body += f'--limit\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, Path):
            body += f'; filename="{value.name}"\r\nContent-Type: application/octet-stream'.encode()
            body += b"\r\n\r\n" + value.read_bytes() + b"\r\n"
        else:
            body += b"\r\n\r\n" + value.encode() + b"\r\n"
    body += b"--limit--\r\n"
    return visitor.client.post(
        "/upload",
        data=body,
        content_type="multipart/form-data; boundary=limit",
        headers={**visitor.headers, **headers},
    )


def _csrf(visitor: Visitor) -> str:
    token: str = visitor.get("/upload").form("/upload").fields["csrf_token"]
    return token


def test_a_course_is_shared_without_any_script(service: Service, teacher: Visitor, course: Path) -> None:
    with course.open("rb") as file:
        answer = teacher.send(
            "/upload", "/upload", licence="CC-BY-4.0", release="1", file=(file, course.name)
        )
    assert answer.status_code == 303
    service.work()
    page = Visitor(service).get(answer.location)
    assert "Food chains" in page.text


def test_without_the_tick_it_stays_a_draft(service: Service, teacher: Visitor, course: Path) -> None:
    with course.open("rb") as file:
        answer = teacher.send("/upload", "/upload", licence="CC-BY-4.0", file=(file, course.name))
    service.work()
    assert answer.location.endswith("/finish")
    resource = answer.location.removesuffix("/finish")
    Visitor(service).get(resource, 404)
    assert "Draft" in teacher.get(resource).text
    assert "Only you see it until it is released" in teacher.get(answer.location).text


def test_the_form_has_its_token_before_the_file(teacher: Visitor) -> None:
    names = [field.get("name") for field in teacher.get("/upload").all("//form[@data-upload]//*[@name]")]
    assert names.index("csrf_token") < names.index("file")


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_a_form_from_elsewhere_is_refused_and_nothing_kept(
    service: Service, teacher: Visitor, course: Path, token: str
) -> None:
    answer = _post_in_order(teacher, ("csrf_token", token), ("file", course))
    assert answer.status_code == 400
    assert "not from your present session" in answer.text
    assert _kept(service) == [0, 0, 0]


def test_a_token_after_the_file_is_too_late(service: Service, teacher: Visitor, course: Path) -> None:
    answer = _post_in_order(teacher, ("file", course), ("csrf_token", _csrf(teacher)))
    assert answer.status_code == 400
    assert _kept(service) == [0, 0, 0]


def test_scripts_send_the_token_in_a_header(service: Service, teacher: Visitor, course: Path) -> None:
    right = _post_in_order(teacher, ("file", course), **{"X-CSRFToken": _csrf(teacher)})
    assert right.status_code == 303
    kept = _kept(service)
    wrong = _post_in_order(
        teacher, ("csrf_token", _csrf(teacher)), ("file", course), **{"X-CSRFToken": "nonsense"}
    )
    assert wrong.status_code == 400
    assert _kept(service) == kept


def test_scripts_are_told_errors_as_problems(teacher: Visitor) -> None:
    answer = teacher.client.post(
        "/upload",
        data={"csrf_token": _csrf(teacher), "licence": "CC-BY-4.0"},
        content_type="multipart/form-data",
        headers={"Accept": "application/problem+json"},
    )
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["detail"] == "file: The form has no file."


def test_a_licence_that_is_none_is_refused_and_nothing_kept(
    service: Service, teacher: Visitor, course: Path
) -> None:
    answer = _post_in_order(teacher, ("csrf_token", _csrf(teacher)), ("licence", "mine"), ("file", course))
    assert answer.status_code == 422
    assert _kept(service) == [0, 0, 0]


def test_too_large_files_are_refused_with_a_page(make_service: MakeService) -> None:
    service = make_service(max_upload_size=10_000)
    teacher = Visitor(service, service.token("teacher"))
    assert "At most 10.0 kB." in teacher.get("/upload").text
    answer = teacher.send("/upload", "/upload", licence="CC0-1.0", file=(BytesIO(b"x" * 10_001), "big.bin"))
    assert answer.status_code == 413
    page = Page(answer)
    assert page.one("//h1").text == "Too large"
    for said in ("larger than this service takes", "At most 10.0 kB.", "share single sections or activities"):
        assert said in page.text
    german = Visitor(service, service.token("lehrer"), language="de")
    answer = german.send("/upload", "/upload", licence="CC0-1.0", file=(BytesIO(b"x" * 10_001), "big.bin"))
    assert "10,0 kB" in Page(answer).text
    assert _kept(service) == [0, 0, 0]


def test_the_signed_out_are_refused_before_anything_is_read(service: Service, course: Path) -> None:
    visitor = Visitor(service)
    assert visitor.client.get("/upload").location == "/sign-in?next=/upload"
    answer = _post_in_order(visitor, ("file", course))
    assert answer.status_code == 401
    assert Page(answer).links()["Sign in"] == "/sign-in"


def test_a_version_is_added_through_the_form(service: Service, course: Path, tmp_path: Path) -> None:
    shared = Shared(service, course, licence="CC-BY-4.0", release=True)
    service.work()
    second = backup(tmp_path / "second.mbz", activities=[ActivitySpec(title="Rivers")])
    with second.open("rb") as file:
        answer = shared.owner.send(
            f"{shared.url}/versions/new", "/versions/new", change_note="New: rivers", release="1", file=file
        )
    assert (answer.status_code, answer.location) == (303, shared.url)
    service.work()
    page = shared.public.get(shared.url)
    assert "Rivers" in page.text
    assert "New: rivers" in page.text
