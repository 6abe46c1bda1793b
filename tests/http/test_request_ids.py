"""The id of a request is the caller's where that is sane, and always sent back."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from repo_service.http import request_ids


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("ids")
    request_ids.register(app)
    app.add_url_rule("/", "id", request_ids.current)
    return app.test_client()


@pytest.mark.parametrize(
    "sent", ["12345678", "7b1c1a9e-4d39-4a5c-9a40-6ad4d5b3b6a1", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a" * 128]
)
def test_a_sane_id_is_kept(client: FlaskClient, sent: str) -> None:
    response = client.get("/", headers={"X-Request-ID": sent})
    assert response.text == response.headers["X-Request-ID"] == sent


@pytest.mark.parametrize(
    "sent", ["", "short", "a" * 129, "with space in it", "<script>alert(1)</script>", "ééééééééé"]
)
def test_another_is_replaced(client: FlaskClient, sent: str) -> None:
    first = client.get("/", headers={"X-Request-ID": sent})
    second = client.get("/", headers={"X-Request-ID": sent})
    assert first.text == first.headers["X-Request-ID"] != sent
    assert len(first.text) == 32
    assert first.text != second.text


def test_errors_carry_it_too(client: FlaskClient) -> None:
    assert client.get("/nothing").headers["X-Request-ID"]


def test_there_is_none_outside_of_a_request() -> None:
    assert request_ids.current() == ""
