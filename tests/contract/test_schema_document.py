"""The OpenAPI document: valid, committed as it is served, and silent about who asked for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from repo_service.api import SPEC_PATH
from repo_service.cli import main
from repo_service.http.problems import CATALOGUE, MEDIA_TYPE
from tests.support.service import Service, json_of

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    committed: dict[str, Any] = json.loads(COMMITTED.read_text("utf-8"))
    return committed


def test_the_committed_document_is_the_served_one(document: dict[str, Any], service: Service) -> None:
    served = json_of(service.client().get(SPEC_PATH, headers={"Host": "evil.example"}))
    assert served == document, "refresh it: repo openapi > docs/openapi.json"


def test_the_command_prints_the_committed_document() -> None:
    printed = CliRunner().invoke(main, ["openapi"], catch_exceptions=False)
    assert printed.stdout == COMMITTED.read_text("utf-8"), "refresh it: repo openapi > docs/openapi.json"


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    """The validator follows those it meets; this finds them wherever they stand (discriminators too)."""
    for reference in set(_references(document)):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_every_operation_has_an_id_of_its_own_a_summary_and_problems(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    statuses = {str(kind.status) for kind in CATALOGUE.values()}
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        assert any(status.startswith("2") for status in operation["responses"]), operation["operationId"]
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert status in statuses
                assert MEDIA_TYPE in answer["content"] or operation["operationId"] == "getReadiness"


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, str) and value.startswith("#/"):
        yield value
