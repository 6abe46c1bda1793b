"""Files that pages send in several goes: by the session, from our own pages only, and nobody else's."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from repo_service.models import Account, Upload
from repo_service.models.base import now
from repo_service.web import assets
from tests.support.service import MakeService, Service, json_of
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

DATA = b"not a backup, but a file " * 100
BYTES = "application/offset+octet-stream"
TUS = "/upload/tus"


class Sender(Visitor):
    """A visitor whose browser runs the page's script."""

    def __init__(self, service: Service, token: str | None = None) -> None:
        super().__init__(service, token)
        self.token = token
        self.csrf = "" if token is None else self.get("/upload").form("/upload").fields["csrf_token"]

    def ask(self, method: str, path: str, **named: Any) -> TestResponse:
        """A request of the script's; ``csrf`` shows another token than the page's."""
        headers = {
            **self.headers,
            "Tus-Resumable": "1.0.0",
            "X-CSRFToken": named.pop("csrf", self.csrf),
            **named.pop("headers", {}),
        }
        return self.client.open(path, method=method, headers=headers, **named)

    def begin(self, size: int = len(DATA), name: str = "notes.txt", **named: Any) -> TestResponse:
        metadata = f"filename {base64.b64encode(name.encode()).decode()}"
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata}
        return self.ask("POST", TUS, headers=headers, **named)

    def append(self, path: str, data: bytes, offset: int = 0, **named: Any) -> TestResponse:
        headers = {"Upload-Offset": str(offset)}
        return self.ask("PATCH", path, data=data, content_type=BYTES, headers=headers, **named)

    def sent(self, data: bytes = DATA, name: str = "notes.txt") -> str:
        """The address of an upload that has all its bytes."""
        path: str = self.begin(len(data), name).location
        assert self.append(path, data).status_code == 204
        return path

    def share(self, path: str, **fields: str) -> TestResponse:
        """What the script does at the end; ``at`` is where."""
        at = fields.pop("at", "/upload")
        upload_id = path.rpartition("/")[2]
        data = {"csrf_token": self.csrf, **fields}
        return self.client.post(f"{at}/{upload_id}", data=data, headers=self.headers)


@pytest.fixture
def teacher(service: Service) -> Sender:
    return Sender(service, service.token("teacher"))


def _refused(response: TestResponse, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert words in Page(response).text


def test_a_file_comes_in_several_goes_and_becomes_a_draft(service: Service, teacher: Sender) -> None:
    begun = teacher.begin()
    assert begun.status_code == 201
    path = begun.headers["Location"]
    assert path.startswith(f"{TUS}/")  # wherever the page is looked at from
    assert teacher.append(path, DATA[:1000]).headers["Upload-Offset"] == "1000"
    looked = teacher.ask("HEAD", path)
    assert (looked.headers["Upload-Offset"], looked.headers["Upload-Length"]) == ("1000", str(len(DATA)))
    assert teacher.append(path, DATA[1000:], 1000).headers["Upload-Offset"] == str(len(DATA))
    shared = teacher.share(path, licence="CC0-1.0")
    assert shared.status_code == 303
    assert shared.location.endswith("/finish")
    service.work()
    (made,) = json_of(service.client(teacher.token).get("/api/v1/me/resources"))["items"]
    assert made["versions"][0]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert (made["versions"][0]["file_name"], made["licence"]) == ("notes.txt", "CC0-1.0")
    Visitor(service).get(shared.location.removesuffix("/finish"), 404)


def test_released_by_itself_it_is_public(service: Service, teacher: Sender) -> None:
    shared = teacher.share(teacher.sent(), licence="CC0-1.0", release="1")
    service.work()
    assert "notes" in Visitor(service).get(shared.location).text


def test_a_further_version(service: Service, tmp_path: Path) -> None:
    first = tmp_path / "notes.txt"
    first.write_bytes(b"the first")
    shared = Shared(service, first, licence="CC0-1.0", release=True)
    service.work()
    owner = Sender(service, shared.token)
    path = owner.sent()
    added = owner.share(path, at=f"{shared.url}/versions/new", change_note="Longer", release="1")
    assert (added.status_code, added.location) == (303, shared.url)
    service.work()
    assert "Longer" in shared.public.get(shared.url).text
    waiting = owner.share(owner.sent(b"another"), at=f"{shared.url}/versions/new")
    assert waiting.location == f"{shared.url}/finish"


def test_given_up(teacher: Sender) -> None:
    path = teacher.begin().location
    assert teacher.ask("DELETE", path).status_code == 204
    assert teacher.ask("HEAD", path).status_code == 404


def test_who_signs_in_again_goes_on(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    teacher.append(path, DATA[:500])
    again = Sender(service, teacher.token)
    assert again.ask("HEAD", path).headers["Upload-Offset"] == "500"
    assert again.append(path, DATA[500:], 500).status_code == 204


def test_the_program_of_the_same_account_goes_on(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    teacher.append(path, DATA[:500])
    program = service.client(teacher.token)
    answer = program.open(path.replace(TUS, "/api/v1/tus"), method="HEAD", headers={"Tus-Resumable": "1.0.0"})
    assert answer.headers["Upload-Offset"] == "500"


# What is refused


def _every_request(sender: Sender, path: str, **named: Any) -> list[TestResponse]:
    return [
        sender.begin(**named),
        sender.ask("HEAD", path, **named),
        sender.append(path, DATA, **named),
        sender.ask("DELETE", path, **named),
    ]


def _untouched(sender: Sender, path: str) -> bool:
    looked = sender.ask("HEAD", path)
    return looked.status_code == 200 and looked.headers["Upload-Offset"] == "0"


def _count(service: Service) -> int:
    with service.services.database.read() as session:
        return session.query(Upload).count()


@pytest.mark.parametrize("csrf", ["", "nonsense"])
def test_requests_from_elsewhere(service: Service, teacher: Sender, csrf: str) -> None:
    """Another site can have a browser send the cookie, and never the header."""
    path = teacher.begin().location
    for answer in _every_request(teacher, path, csrf=csrf):
        assert answer.status_code == 400
        if answer.request.method != "HEAD":
            _refused(answer, 400, "This form is not from your present session")
    assert _untouched(teacher, path)
    assert _count(service) == 1


def test_the_token_of_somebody_elses_session(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    other = Sender(service, service.token("other"))
    for answer in _every_request(teacher, path, csrf=other.csrf):
        assert answer.status_code == 400
    assert _untouched(teacher, path)


def test_the_token_in_the_address_or_the_body_does_not_count(teacher: Sender) -> None:
    path = teacher.begin().location
    assert teacher.append(f"{path}?csrf_token={teacher.csrf}", DATA, csrf="").status_code == 400
    form = teacher.ask("PATCH", path, data={"csrf_token": teacher.csrf}, csrf="")
    assert form.status_code == 400
    assert _untouched(teacher, path)


def test_the_signed_out(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    for answer in _every_request(Sender(service), path):
        assert answer.status_code == 401  # and not sent to sign in, which no script would notice
        assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert _untouched(teacher, path)
    _refused(Sender(service).begin(), 401, "You are signed out")


def test_who_signs_out_ends_what_the_page_may_do(teacher: Sender) -> None:
    path = teacher.begin().location
    teacher.send("/upload", "/sign-out")
    assert teacher.append(path, DATA).status_code == 401


def test_a_blocked_account(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    with service.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "teacher").values(blocked_at=now()))
    assert teacher.append(path, DATA).status_code == 401


def test_an_api_token_is_none_of_a_page(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    stranger = Sender(service)
    bearer = {"Authorization": f"Bearer {teacher.token}"}
    assert stranger.ask("HEAD", path, headers=bearer).status_code == 401


def test_the_api_takes_no_session(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location.replace(TUS, "/api/v1/tus")
    assert teacher.ask("HEAD", path).status_code == 401
    assert teacher.append(path, DATA).status_code == 401


def test_other_peoples_uploads_are_not_there(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    other = Sender(service, service.token("other"))
    assert other.ask("HEAD", path).status_code == 404
    assert other.append(path, DATA).status_code == 404
    assert other.ask("DELETE", path).status_code == 404
    assert _untouched(teacher, path)
    teacher.append(path, DATA)
    _refused(other.share(path), 404, "no such upload")
    assert teacher.share(path, licence="CC0-1.0").status_code == 303


def test_somebody_elses_resource_gets_no_version(service: Service, teacher: Sender, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"the first")
    theirs = Shared(service, file, username="other", licence="CC0-1.0", release=True)
    service.work()
    path = teacher.sent()
    _refused(teacher.share(path, at=f"{theirs.url}/versions/new"), 403, "belongs to somebody else")
    assert len(theirs.json()["versions"]) == 1
    assert teacher.share(path).status_code == 303  # the file is still there to be used


def test_what_is_not_all_there_makes_no_draft(service: Service, teacher: Sender) -> None:
    path = teacher.begin().location
    teacher.append(path, DATA[:10])
    _refused(teacher.share(path), 409, "This upload has no file yet")
    _refused(teacher.share(f"/{uuid4()}"), 404, "no such upload")


def test_what_is_being_read_says_when_to_ask_again(service: Service, teacher: Sender) -> None:
    """As after a killed server: the script waits for it."""
    path = teacher.begin().location
    teacher.append(path, DATA[:500])
    service.services.resuming._fingerprints._kept.clear()
    teacher.append(path, DATA[500:], 500)
    answer = teacher.share(path)
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) >= 1
    service.work()
    assert teacher.share(path).status_code == 303


def test_a_file_is_used_once(teacher: Sender) -> None:
    path = teacher.sent()
    assert teacher.share(path).status_code == 303
    _refused(teacher.share(path), 409, "used already")


def test_a_draft_needs_the_forms_token(service: Service, teacher: Sender) -> None:
    path = teacher.sent()
    _refused(teacher.share(path, csrf_token="nonsense"), 400, "not from your present session")
    _refused(Sender(service).share(path), 400, "not from your present session")
    assert teacher.share(path).status_code == 303


def test_a_licence_that_is_none(teacher: Sender) -> None:
    path = teacher.sent()
    _refused(teacher.share(path, licence="mine"), 422, "not in /vocabularies/licences")
    assert teacher.share(path).status_code == 303


def test_limits_are_told_on_a_page(make_service: MakeService) -> None:
    service = make_service(max_upload_size=1000)
    teacher = Sender(service, service.token("teacher"))
    _refused(teacher.begin(1001), 413, "larger than this service takes")
    small = Sender(service, service.token("small", quota=10))
    _refused(small.begin(11), 413, "not enough room")


def test_a_mirror_takes_nothing(make_service: MakeService) -> None:
    mirror = make_service(read_only=True)
    visitor = Sender(mirror)
    assert visitor.begin().status_code == 403
    assert visitor.ask("HEAD", f"{TUS}/{uuid4()}").status_code == 401


def test_the_library_is_the_one_that_was_published() -> None:
    folder = Path(assets.__file__).parent / "static" / "vendor"
    digest = hashlib.sha256((folder / "tus.min.js").read_bytes()).hexdigest()
    assert digest in (folder / "README.txt").read_text()
    assert "MIT" in (folder / "tus-js-client.LICENSE.txt").read_text()
