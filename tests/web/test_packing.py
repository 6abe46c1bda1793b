"""Pages that are packed for the line, and those that must not be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.support.backups import backup
from tests.support.service import Service
from tests.web.shared import Shared
from tests.web.visitor import Visitor

PACKED = {"Accept-Encoding": "gzip, deflate, br"}


def test_what_everybody_sees_is_packed(service: Service) -> None:
    visitor = Visitor(service)
    plain = visitor.client.get("/")
    packed = visitor.client.get("/", headers=PACKED)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity, gzip;q=0.5"])
def test_who_cannot_unpack_it_gets_it_as_it_is(service: Service, accepted: str) -> None:
    answer = Visitor(service).client.get("/", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert answer.data.startswith(b"<!doctype html>")


def test_what_the_signed_in_see_is_not_packed(service: Service) -> None:
    """The length of what is packed tells of the secrets in it."""
    visitor = Visitor(service, service.token("teacher"))
    assert "Content-Encoding" not in visitor.client.get("/", headers=PACKED).headers


@pytest.mark.parametrize("path", ["/sign-in", "/forgotten-password"])
def test_a_page_with_a_form_token_is_not_packed(service: Service, path: str) -> None:
    answer = Visitor(service).client.get(path, headers=PACKED)
    assert answer.status_code == 200
    assert b'name="csrf_token"' in answer.data
    assert "Content-Encoding" not in answer.headers


def test_other_answers_are_as_they_were(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"), licence="CC-BY-4.0", release=True)
    service.work()
    for path in (f"/api/v1{shared.url}", "/suggest?q=eco", "/feed.atom"):
        answer = shared.public.client.get(path, headers=PACKED)
        assert "Content-Encoding" not in answer.headers, path
