"""A read-only service refuses whatever could change something, whoever asks, at each endpoint there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Rule

from repo_service.domain.identity import Role
from repo_service.http.read_only import SAFE_METHODS
from repo_service.web.blueprint import blueprint as pages
from tests.contract.support import nothing_changes, problem_of, publish, share
from tests.support.service import MakeService, Service, json_of

_SAMPLES = {
    "uuid": "00000000-0000-7000-8000-000000000001",
    "version": "1",
    "int": "1",
}
_BODIES: tuple[dict[str, Any], ...] = ({}, {"json": {}}, {"data": b"bytes", "content_type": "text/plain"})


_KEPT_BY_BROWSERS = {"moodle.stop", "moodle.to_typed"}
"""Forms by which a browser is told what to remember, and nothing else."""


class ReadOnly:
    """A service that was written to before, so that there are things, people and tokens."""

    def __init__(self, make_service: MakeService, folder: Path) -> None:
        before = make_service(data_dir=folder)
        self.token = before.token("administrator", Role.ADMINISTRATOR)
        teacher = before.client(self.token)
        self.public = publish(before, teacher)
        self.draft = share(teacher, b"Draft\n")
        before.services.close()
        self.service = make_service(data_dir=folder, read_only=True)

    def addresses(self, rule: Rule) -> Iterator[str]:
        """One that is about nothing, and one that is about the public resource."""
        for resource_id in (_SAMPLES["uuid"], self.public["id"]):

            def value(found: re.Match[str], resource_id: str = resource_id) -> str:
                if found["name"] == "resource_id":
                    return resource_id
                return _SAMPLES.get(found["converter"] or "", "x")

            yield re.sub(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>", value, rule.rule)


@pytest.fixture
def read_only(make_service: MakeService, tmp_path: Path) -> ReadOnly:
    return ReadOnly(make_service, tmp_path / "data")


def test_every_method_that_is_not_safe_is_refused(read_only: ReadOnly) -> None:
    service = read_only.service
    clients = (service.client(), service.client(read_only.token), service.client("mrr_of_nobody"))
    tried = 0
    with nothing_changes(service):
        for rule in service.app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - SAFE_METHODS):
                for address in read_only.addresses(rule):
                    for client in clients:
                        for body in _BODIES:
                            response = client.open(address, method=method, **body)
                            if rule.endpoint in _KEPT_BY_BROWSERS:
                                assert response.status_code == 400  # the form is not one of ours
                            else:
                                problem_of(response, "read-only")
                            tried += 1
    assert tried > 300


def test_so_are_addresses_and_methods_that_there_are_not(read_only: ReadOnly) -> None:
    client = read_only.service.client(read_only.token)
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "X"):
        for address in ("/", "/api/v1/nothing", read_only.public["api_url"]):
            problem_of(client.open(address, method=method), "read-only")


def test_a_method_in_a_header_counts(read_only: ReadOnly) -> None:
    client = read_only.service.client(read_only.token)
    for method in ("PATCH", "DELETE"):
        for address in ("/api/v1/tus", f"/api/v1/tus/{_SAMPLES['uuid']}"):
            response = client.post(address, headers={"X-HTTP-Method-Override": method})
            problem_of(response, "read-only")


def test_pages_offer_nothing_that_would_be_refused(read_only: ReadOnly) -> None:
    service = read_only.service
    visitor = service.client()
    shown, refused = set(), set()
    for rule in service.app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] != pages.name or "GET" not in (rule.methods or ()):
            continue
        for address in read_only.addresses(rule):
            response = visitor.get(address, headers={"Accept": "text/html"})
            assert 'method="post"' not in response.text, address
            for offer in ('href="/upload', 'href="/mine', 'href="/sign-in'):
                assert offer not in _without_languages(response.text), address
            if response.status_code == 403:
                assert "This is a read-only mirror" in response.text
                refused.add(rule.endpoint)
            else:
                assert response.status_code in (200, 302, 404, 409), address
                shown.add(rule.endpoint)
    assert {"web.home", "web.resource", "web.explain_errors"} <= shown
    about_resources = {"upload", "mine", "new_version", "edit", "cleaning", "finish", "looking"}
    about_people = {
        "sign_in",
        "sign_up",
        "welcome",
        "confirm",
        "confirmed",
        "forgotten_password",
        "letter_asked",
        "new_password",
        "account",
        "invitations",
        "data",
        "data_of",
        "erased",
        "sign_in_elsewhere",
        "back_from_elsewhere",
        "sign_up_elsewhere",
    }
    looking_after = {
        *("report_form", "reported", "look_after", "reports", "reports_of", "people", "member"),
        *("jobs", "storage", "audit", "usage"),
        *("servers", "blocked_actors", "hidden_entries"),
    }
    about_sites = {
        *("authorise", "connected_sites", "back_to_connected_sites", "sites", "back_to_sites"),
        *("webhooks", "webhook"),
    }
    about_collections = {"my_collections", "new_collection", "edit_collection", "arrange", "collect"}
    expected = about_resources | about_people | about_sites | about_collections | looking_after
    assert refused == {f"web.{name}" for name in expected}


def _without_languages(text: str) -> str:
    """A page without the ways to itself in other languages: they are there on a refusal, too."""
    return re.sub(r"<a [^>]*hreflang=[^>]*>", "", text)


def test_a_session_of_before_offers_nothing_either(read_only: ReadOnly) -> None:
    service = read_only.service
    visitor = service.client()
    with visitor.session_transaction() as session:
        session["token"] = read_only.token
    page = visitor.get(f"/resources/{read_only.public['id']}")
    assert page.status_code == 200
    assert 'method="post"' not in page.text


def test_reading_goes_on(read_only: ReadOnly) -> None:
    client = read_only.service.client()
    assert json_of(client.get("/api/v1/resources"))["total"] == 1
    assert json_of(client.get(read_only.public["api_url"]))["id"] == read_only.public["id"]
    assert client.options("/api/v1/resources").status_code == 200
    problem_of(client.get(read_only.draft["api_url"]), "not-found")


def test_the_answer_is_documented(service: Service) -> None:
    paths = json_of(service.client().get("/api/openapi.json"))["paths"]
    for path, operations in paths.items():
        for method in set(operations) & {"post", "put", "patch", "delete"}:
            assert "`read-only`" in operations[method]["responses"]["403"]["description"], (method, path)


def test_a_service_that_is_not_read_only_says_nothing_of_it(service: Service) -> None:
    assert "mirror" not in service.client().get("/").text
    problem_of(service.client().post("/api/v1/resources", json={}), "unauthorised")
