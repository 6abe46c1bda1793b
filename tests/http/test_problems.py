"""Every error, wherever it comes from, is a problem out of the catalogue."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import apiflask
import pytest
from apiflask import APIFlask
from flask import Flask, Response, abort
from flask.testing import FlaskClient
from pydantic import BaseModel, ValidationError, field_validator
from werkzeug.exceptions import default_exceptions
from werkzeug.test import TestResponse

from repo_service.domain import errors as domain
from repo_service.http import problems, request_ids
from storage import errors as storage

BASE_URL = "https://repo.example.org"
DOC = Path(__file__).resolve().parents[2] / "docs" / "errors.md"

DOMAIN_ERRORS: tuple[domain.DomainError, ...] = (
    domain.NotFound(),
    domain.Gone("Withdrawn by its owner.", reason="licence", withdrawn_at=datetime(2026, 1, 2, tzinfo=UTC)),
    domain.InvalidRange("There are only 7 bytes.", size=7),
    domain.InvalidCursor("This cursor is not ours."),
    domain.Unauthorised(),
    domain.Forbidden(),
    domain.InsufficientScope(scope="resources:write"),
    domain.InvalidInput(errors=[("/metadata/licence", "Unknown licence.")]),
    domain.MalformedRequest("The form is broken."),
    domain.UnsupportedMediaType("Not this.", supported=["text/plain"]),
    domain.LengthRequired(),
    domain.PayloadTooLarge("Too large.", limit=5),
    domain.QuotaExceeded("Too much.", quota=5, used=4, size=2),
    domain.SizeMismatch(expected=5, received=4),
    domain.DigestMismatch(expected="aa", received="bb"),
    domain.ChecksumMismatch(algorithm="sha1"),
    domain.UnsupportedProtocol("Send Tus-Resumable: 1.0.0.", supported=["1.0.0"]),
    domain.InvalidFile("Cut off.", reason="truncated", place="moodle_backup.xml"),
    domain.Conflict("Not in this state."),
    domain.PreconditionFailed(),
    domain.NameTaken(name="anna"),
    domain.OffsetMismatch(offset=7),
    domain.Locked(retry_after=8),
    domain.UploadFailed("The bytes are gone."),
    domain.NotVerified(retry_after=3),
    domain.PartsMissing(missing=[2], count=1),
    domain.NoDirectUploads(),
    domain.NotInspected(state="queued"),
    domain.NotABackup(kind="file"),
    domain.BlockingFindings("Learners inside.", findings=["users"]),
    domain.Uncleanable("Nobody can tell.", places=["mod_hvp"]),
    domain.Incomplete(errors=[("/title", "Say what it is called.")]),
    domain.EmailUnconfirmed(),
    domain.IdempotencyKeyInUse(since=datetime(2026, 11, 28, tzinfo=UTC)),
    domain.IdempotencyKeyReused(),
    domain.InvalidSignature("Too long ago.", reason=domain.SignatureFault.STALE),
    domain.SignerUnreachable(retry_after=60),
    domain.RemoteFailed("No answer.", reason=domain.RemoteFault.TIMEOUT, temporary=True),
    domain.InvalidLink(),
    domain.RegistrationClosed("Ask for an invitation.", registration="invite"),
    domain.StorageFull(),
    domain.Busy(),
    domain.TooManyRequests(retry_after=9),
    domain.ReadOnly(home="https://hq.example"),
    domain.NotFetched(home="https://hq.example/resources/1"),
    domain.NotIndexed(),
)

STORAGE_ERRORS = {
    storage.StorageFull: "storage-full",
    storage.StorageUnavailable: "storage-unavailable",
    storage.StorageRefused: "storage-unavailable",
    storage.BlobNotFound: "blob-missing",
    storage.InvalidLocator: "internal",
}


class Metadata(BaseModel):
    title: str
    levels: dict[str, int] = {}

    @field_validator("title")
    @classmethod
    def _short(cls, title: str) -> str:
        if len(title) > 5:
            raise ValueError("This is too long.")
        return title


class Page(BaseModel):
    limit: int = 10


@pytest.fixture
def app() -> Flask:
    app = APIFlask("errors", enable_openapi=False)
    request_ids.register(app)
    problems.register(app, base_url=BASE_URL + "/")

    @app.post("/api/metadata")
    @app.input(Metadata, location="json")
    def metadata(json_data: Metadata) -> str:
        return json_data.title

    @app.get("/api/pages")
    @app.input(Page, location="query")
    def pages(query_data: Page) -> str:
        return str(query_data.limit)

    return app


@pytest.fixture
def raising(app: Flask) -> Callable[[BaseException], FlaskClient]:
    """A client for whom ``/api/raise`` raises the given error."""

    def prepare(error: BaseException) -> FlaskClient:
        def view() -> str:
            raise error

        app.add_url_rule("/api/raise", "raise", view, methods=["GET", "POST"])
        return app.test_client()

    return prepare


def problem(response: TestResponse, code: str) -> dict[str, object]:
    """The body, after everything that all problems have in common was seen in it."""
    body: dict[str, object] = json.loads(response.data)
    assert response.mimetype == "application/problem+json"
    assert next(iter(body)) == "detail"
    assert body["detail"]
    kind = problems.CATALOGUE[code]
    assert body["code"] == code
    assert body["title"] == kind.title
    assert body["advice"] == kind.advice
    assert body["status"] == response.status_code
    assert body["type"] == f"{BASE_URL}/docs/errors#{code}"
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert response.headers["Cache-Control"] == "no-store"
    return body


def subclasses(base: type[domain.DomainError]) -> Iterator[type[domain.DomainError]]:
    for found in base.__subclasses__():
        yield found
        yield from subclasses(found)


def test_every_domain_error_has_its_line_in_the_catalogue() -> None:
    ours = {found for found in subclasses(domain.DomainError) if found.__module__.startswith("repo_service")}
    assert len(ours) > 20
    assert {found.code for found in ours} <= set(problems.CATALOGUE)
    assert ours == {type(error) for error in DOMAIN_ERRORS}, "an error without an example in this test"


def test_fields_of_errors_never_hide_members_of_the_problem() -> None:
    members = set(problems.Problem.model_fields)
    for error in DOMAIN_ERRORS:
        assert not members & set(error.fields), type(error)


@pytest.mark.parametrize("error", DOMAIN_ERRORS, ids=lambda error: error.code)
def test_domain_errors(raising: Callable[[BaseException], FlaskClient], error: domain.DomainError) -> None:
    body = problem(raising(error).get("/api/raise"), error.code)
    assert body["detail"] == error.detail
    assert body["status"] == problems.CATALOGUE[error.code].status
    assert set(error.fields) <= set(body)


def test_fields_are_plain_json(raising: Callable[[BaseException], FlaskClient]) -> None:
    error = domain.Conflict(
        "No.", account=UUID(int=1), at=datetime(2026, 1, 2, tzinfo=UTC), kinds=("a", "b"), none=None
    )
    body = problem(raising(error).get("/api/raise"), "conflict")
    assert body["account"] == "00000000-0000-0000-0000-000000000001"
    assert body["at"] == "2026-01-02T00:00:00Z"
    assert body["kinds"] == ["a", "b"]


def test_an_error_that_nobody_catalogued_shows_nothing(
    raising: Callable[[BaseException], FlaskClient],
) -> None:
    class Unheard(domain.DomainError):
        code = "unheard"

    body = problem(raising(Unheard("the secret", secret="secret")).get("/api/raise"), "internal")
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (domain.Unauthorised(), {"WWW-Authenticate": "Bearer"}),
        (
            domain.InvalidSignature("Sign this.", reason=domain.SignatureFault.MISSING),
            {
                "WWW-Authenticate": 'Signature headers="(request-target) host date digest"',
                "Accept-Signature": 'sig1=("@method" "@target-uri" "content-digest");created;keyid',
            },
        ),
        (domain.Unauthorised(reason="expired"), {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
        (
            domain.InsufficientScope(scope="moderation"),
            {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="moderation"'},
        ),
        (domain.InvalidRange("No.", size=7), {"Content-Range": "bytes */7"}),
        (domain.Busy(retry_after=3), {"Retry-After": "3"}),
        (domain.TooManyRequests(retry_after=9), {"Retry-After": "9"}),
        (storage.StorageUnavailable("host 10.0.0.1 is down"), {"Retry-After": "30"}),
    ],
)
def test_headers_that_belong_to_a_problem(
    raising: Callable[[BaseException], FlaskClient], error: Exception, headers: dict[str, str]
) -> None:
    response = raising(error).get("/api/raise")
    assert {name: response.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize(("kind", "code"), STORAGE_ERRORS.items(), ids=str)
def test_storage_errors_show_no_inside(
    raising: Callable[[BaseException], FlaskClient], kind: type[storage.StorageError], code: str
) -> None:
    response = raising(kind("bucket s3://secret")).get("/api/raise")
    problem(response, code)
    assert b"secret" not in response.data


def test_a_fault_shows_no_inside_and_is_logged(
    raising: Callable[[BaseException], FlaskClient], capsys: pytest.CaptureFixture[str]
) -> None:
    response = raising(RuntimeError("the password is 1234")).get("/api/raise")
    assert problem(response, "internal")["status"] == 500
    assert b"1234" not in response.data
    assert "the password is 1234" in capsys.readouterr().out


@pytest.mark.parametrize("status", sorted(default_exceptions))
def test_http_errors(raising: Callable[[BaseException], FlaskClient], status: int) -> None:
    response = raising(default_exceptions[status]()).get("/api/raise")
    body = json.loads(response.data)
    assert response.status_code == status
    problem(response, body["code"])
    own = problems.CATALOGUE[body["code"]].status
    assert own == status or body["code"] in {"malformed-request", "internal"}


def test_what_a_view_says_when_it_aborts_is_kept(raising: Callable[[BaseException], FlaskClient]) -> None:
    error = default_exceptions[409]("Somebody is editing this.")
    assert problem(raising(error).get("/api/raise"), "conflict")["detail"] == "Somebody is editing this."


def test_apiflask_errors(raising: Callable[[BaseException], FlaskClient]) -> None:
    error = apiflask.HTTPError(404, "No such list.", headers={"X-Hint": "lists"})
    response = raising(error).get("/api/raise")
    assert problem(response, "not-found")["detail"] == "No such list."
    assert response.headers["X-Hint"] == "lists"


def test_an_answer_given_by_abort_stands(app: Flask) -> None:
    app.add_url_rule("/api/abort", "abort", lambda: abort(Response("tea", status=418)))
    response = app.test_client().get("/api/abort")
    assert (response.status_code, response.data) == (418, b"tea")


def test_the_router(app: Flask) -> None:
    client = app.test_client()
    problem(client.get("/api/nothing"), "not-found")
    response = client.delete("/api/metadata")
    problem(response, "method-not-allowed")
    assert "POST" in response.headers["Allow"]


def test_input_of_apiflask(app: Flask) -> None:
    client = app.test_client()
    body = problem(
        client.post("/api/metadata", json={"title": "xxxxxx", "levels": {"a/b": "x"}}), "invalid-input"
    )
    assert body["detail"] == "title: This is too long. (and 1 more)"
    errors = body["errors"]
    assert isinstance(errors, list)
    assert errors[0] == {"pointer": "/title", "detail": "This is too long."}
    assert errors[1]["pointer"] == "/levels/a~1b"
    body = problem(client.get("/api/pages?limit=x"), "invalid-input")
    errors = body["errors"]
    assert isinstance(errors, list)
    assert [(error["pointer"], error["location"]) for error in errors] == [("/limit", "query")]
    problem(client.post("/api/metadata", data="{", content_type="application/json"), "malformed-request")


def test_input_that_a_view_validates_itself(raising: Callable[[BaseException], FlaskClient]) -> None:
    with pytest.raises(ValueError, match="title") as caught:
        Metadata.model_validate({})
    found = problem(raising(caught.value).get("/api/raise"), "invalid-input")["errors"]
    assert found == [{"pointer": "/title", "detail": "Field required"}]


def test_pointers_into_a_part_of_a_form() -> None:
    with pytest.raises(ValidationError) as caught:
        Metadata.model_validate({})
    found = problems.invalid_input(caught.value, prefix="/metadata")
    assert found.errors == (domain.FieldError("/metadata/title", "Field required"),)
    assert found.detail == "metadata/title: Field required"


def test_head_has_no_body(raising: Callable[[BaseException], FlaskClient]) -> None:
    response = raising(domain.NotFound()).head("/api/raise")
    assert response.status_code == 404
    assert response.data == b""
    assert response.mimetype == "application/problem+json"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def page(problem: problems.Problem) -> str:
    return f"<h1>{problem.title}</h1>"


@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        ("/nothing", BROWSER["Accept"], "text/html"),
        ("/nothing", "*/*", "application/problem+json"),
        ("/nothing", "", "application/problem+json"),
        ("/nothing", "application/json", "application/problem+json"),
        ("/api/nothing", BROWSER["Accept"], "application/problem+json"),
        ("/files/nothing", BROWSER["Accept"], "application/problem+json"),
    ],
)
def test_browsers_get_a_page(path: str, accept: str, media_type: str) -> None:
    app = Flask("pages")
    problems.register(app, base_url=BASE_URL, html=page)
    response = app.test_client().get(path, headers={"Accept": accept})
    assert response.status_code == 404
    assert response.mimetype == media_type
    assert response.headers["Vary"] == "Accept"
    assert (b"<h1>Not found</h1>" in response.data) == (media_type == "text/html")


def test_a_page_that_fails_is_replaced_by_the_problem() -> None:
    def broken(_: problems.Problem) -> str:
        raise RuntimeError("no template")

    app = Flask("pages")
    problems.register(app, base_url=BASE_URL, html=broken)
    response = app.test_client().get("/nothing", headers=BROWSER)
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_the_documentation_lists_the_catalogue() -> None:
    sections = re.split(r"^### ", DOC.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    documented = {}
    for section in sections:
        code = re.match(r"`([a-z-]+)`\n", section)
        heading = re.search(r"\*\*(\d{3}) ([^*]+)\.\*\*", section)
        assert code is not None, section
        assert heading is not None, section
        advice = section.strip().split("\n## ")[0].strip().rpartition("\n\n")[2]
        documented[code[1]] = problems.Kind(int(heading[1]), heading[2], advice)
    assert documented == dict(problems.CATALOGUE)


def test_the_documentation_names_every_field() -> None:
    text = DOC.read_text(encoding="utf-8")
    for error in DOMAIN_ERRORS:
        section = text.partition(f"### `{error.code}`")[2].partition("###")[0]
        for name in error.fields:
            assert f"`{name}`" in section, (error.code, name)


def test_first_sentences_are_short_enough_for_moodle() -> None:
    for error in DOMAIN_ERRORS:
        assert len(json.dumps({"detail": error.detail})) <= 120, error.code
    assert all(inspect.getdoc(type(error)) for error in DOMAIN_ERRORS)
