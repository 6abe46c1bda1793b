"""Somebody with a browser that runs no scripts: follows links, fills in forms as they are on the page."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from tests.support.service import Service

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


class Page:
    """A page that was got."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.source = response.text
        self.tree: html.HtmlElement = html.document_fromstring(response.text)

    def one(self, xpath: str) -> html.HtmlElement:
        """The one element that fits."""
        (found,) = self.all(xpath)
        return found

    def all(self, xpath: str) -> list[html.HtmlElement]:
        """Every element that fits."""
        return list(self.tree.xpath(xpath))

    @property
    def text(self) -> str:
        """What can be read, with single spaces."""
        return " ".join(self.one("//main").text_content().split())

    def links(self) -> dict[str, str]:
        """Where the links lead, by their text."""
        return {" ".join(a.text_content().split()): a.attrib["href"] for a in self.all("//a")}

    def form(self, action: str) -> html.FormElement:
        """The form whose action ends so; one without an action sends to the page itself."""
        here = self.response.request.path
        (form,) = [f for f in self.tree.forms if (f.action or here).endswith(action)]
        return form


class Visitor:
    """One browser session."""

    def __init__(self, service: Service, token: str | None = None, language: str = "en") -> None:
        self.client: FlaskClient = service.app.test_client()
        self.headers = {**HTML, "Accept-Language": language}
        if token is not None:
            assert self.send("/sign-in", "/sign-in", token=token).status_code == 303

    def get(self, url: str, status: int = 200) -> Page:
        response = self.client.get(url, headers=self.headers)
        assert response.status_code == status, response.text
        return Page(response)

    def send(self, on: str, action: str, *, on_status: int = 200, **fields: Any) -> TestResponse:
        """Send the form of the page ``on`` that goes to ``action``, with ``fields`` filled in."""
        form = self.get(on, on_status).form(action)
        data = {name: values for name, values in _values(form).items() if name not in fields}
        url = form.action or on
        return self.client.post(url, data={**data, **fields}, headers=self.headers)


def _values(form: html.FormElement) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in form.form_values():
        values.setdefault(name, []).append(value)
    return values
