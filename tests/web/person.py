"""Somebody with a password: signs up and in through the pages."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from tests.support.service import Service
from tests.web.visitor import Visitor

PASSWORD = "blue heron over marsh"
OTHER_PASSWORD = "grey seal under ice"


def sign_up(visitor: Visitor, username: str = "ada", *, on: str = "/sign-up", **fields: Any) -> TestResponse:
    """Send the form with what is not in ``fields`` filled in sensibly."""
    given = {
        "username": username,
        "display_name": username.title(),
        "email": f"{username}@example.org",
        "password": PASSWORD,
    }
    return visitor.send(on, "/sign-up", **{**given, **fields})


def sign_in(visitor: Visitor, login: str, password: str = PASSWORD, **fields: Any) -> TestResponse:
    """Send the form for a name and a password."""
    return visitor.send("/sign-in", "/sign-in", login=login, password=password, **fields)


def somebody(service: Service, username: str = "ada", *, address: str = "192.0.2.1") -> Visitor:
    """A new person, signed in where the service is open, who has not confirmed their address."""
    visitor = Visitor(service)
    visitor.client.environ_base["REMOTE_ADDR"] = address
    answer = sign_up(visitor, username)
    assert answer.status_code == 303, answer.text
    return visitor


def is_signed_in(visitor: Visitor) -> bool:
    """Whether the pages know who it is."""
    return visitor.client.get("/account", headers=visitor.headers).status_code == 200
