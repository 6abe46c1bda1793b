"""Problems as pages, and the page that explains them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from repo_service.domain.errors import Unauthorised
from repo_service.http.problems import CATALOGUE
from repo_service.services import people
from repo_service.services.finding import Search
from repo_service.services.throttling import Allowance
from tests.support.service import Service, json_of
from tests.support.speech import Teach
from tests.web.person import sign_in
from tests.web.visitor import Page, Visitor


def test_every_problem_points_at_its_explanation(service: Service) -> None:
    page = Visitor(service).get("/docs/errors")
    assert {div.get("id") for div in page.all("//dl/div")} == set(CATALOGUE)
    for kind in CATALOGUE.values():
        assert kind.advice in page.text
    problem = json_of(service.client().get("/api/v1/nowhere"), 404)
    path, _, fragment = problem["type"].removeprefix(service.settings.base_url).partition("#")
    assert path == "/docs/errors"
    assert page.one(f"//div[@id='{fragment}']") is not None


def test_a_problem_is_a_page_with_what_to_do_and_whom_to_tell(service: Service) -> None:
    page = Visitor(service).get("/nowhere", 404)
    assert page.one("//h1").text == "Not found"
    assert CATALOGUE["not-found"].advice in page.text
    assert page.response.headers["X-Request-ID"] in page.text
    assert page.links()["not-found"] == "/docs/errors#not-found"


def test_addresses_of_buttons_lead_back(service: Service) -> None:
    """They stay in the address bar after a refusal."""
    resource = "/resources/01234567-89ab-7def-8123-456789abcdef"
    client = service.client()
    for button, page in (
        ("/versions/3/release", "/versions/3"),
        ("/versions/3/inspect", "/versions/3"),
        ("/withdraw", ""),
        ("/restore", ""),
    ):
        answer = client.get(resource + button)
        assert (answer.status_code, answer.headers["Location"]) == (302, resource + page)


def test_an_accident_shows_no_inside(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Search, "search", fail)
    page = Visitor(service).get("/", 500)
    assert page.one("//h1").text == CATALOGUE["internal"].title
    assert "swordfish" not in page.source
    assert "Traceback" not in page.source


def test_programs_get_json_from_the_same_address(service: Service) -> None:
    answer = service.client().get("/nowhere", headers={"Accept": "application/json"})
    assert answer.mimetype == "application/problem+json"


def test_being_signed_out_leads_to_the_form(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unauthorised

    monkeypatch.setattr(Search, "search", refuse)
    assert Visitor(service).get("/", 401).links()["Sign in"] in ("/sign-in", "/sign-in?next=/")


def test_a_problem_is_said_in_the_language_of_the_page(
    service: Service, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that its sentence is made of; and what there are no words for is marked as English."""
    teach(
        "de",
        {
            "Too many requests": "Zu viele Versuche",
            "Too many attempts: try again in %(wait)s.": "Zu viele Versuche: noch einmal in %(wait)s.",
            "%(count)s minutes": "%(count)s Minuten",
            "Not found": "Nicht gefunden",
        },
    )
    monkeypatch.setattr(people, "SIGN_IN_HERE", Allowance(name="s", burst=1, every=timedelta(minutes=3)))
    visitor = Visitor(service, language="de")
    assert sign_in(visitor, "ada").status_code == 403
    page = Page(sign_in(visitor, "ada"))
    assert page.status == 429
    assert page.one("//h1").text == "Zu viele Versuche"
    assert page.one("//title").text_content().startswith("Zu viele Versuche ")
    assert "noch einmal in 3 Minuten." in page.text
    page = visitor.get("/nowhere", 404)
    assert page.one("//h1").text == "Nicht gefunden"
    english = page.all("//main//p/span[@lang='en']")[-1]
    assert english.text == CATALOGUE["not-found"].advice
    problem = json_of(service.client().get("/api/v1/nowhere", headers={"Accept-Language": "de"}), 404)
    assert problem["title"] == "Not found"


def test_a_title_without_words_holds_no_markup(service: Service, teach: Teach) -> None:
    teach("de", {})
    page = Visitor(service, language="de").get("/nowhere", 404)
    assert page.one("//title").text_content().startswith("Not found ")
    assert page.one("//h1/span[@lang='en']").text == "Not found"
