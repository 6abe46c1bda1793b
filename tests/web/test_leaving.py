"""The page to take one's data along and to leave; administrators do both for others."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from repo_service.domain.identity import Role
from repo_service.services import erasing
from tests.contract.support import nothing_changes, publish
from tests.support.service import MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.person import PASSWORD, is_signed_in, sign_in, somebody
from tests.web.visitor import Page, Visitor

_DATA = "/account/data"


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """Where everybody may sign up."""
    return make_service(registration="open")


def _id_of(service: Service, username: str) -> str:
    administrator = service.client(service.token("looks", Role.ADMINISTRATOR))
    found = administrator.get("/api/v1/accounts").json
    assert found is not None
    return next(str(account["id"]) for account in found["items"] if account["username"] == username)


def test_the_zip_comes_for_the_password(service: Service) -> None:
    ada = somebody(service)
    assert ada.get("/account").one(f"//a[@href='{_DATA}']") is not None
    answer = ada.send(_DATA, "/export", password=PASSWORD)
    assert answer.status_code == 200
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="ada-20')
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "account.json" in zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    with nothing_changes(service):
        refused = ada.send(_DATA, "/export", password="not it at all")
    page = Page(refused)
    assert page.status == 422
    assert "This is not your present password." in page.text


def test_leaving(service: Service) -> None:
    ada = somebody(service)
    answer = ada.send(_DATA, "/erase", username="ada", shared="withdraw", password=PASSWORD)
    assert answer.status_code == 303
    assert "The account is erased" in ada.get(answer.headers["Location"]).text
    assert not is_signed_in(ada)
    assert sign_in(Visitor(service), "ada").status_code == 403
    assert sign_in(Visitor(service), "ada@example.org").status_code == 403
    assert somebody(service, "ada", address="192.0.2.9")  # the name is free again


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "not it at all"}, "This is not your present password."),
        ({"username": "bob"}, "Type the user name of the account that shall go."),
        ({"username": ""}, "Type the user name of the account that shall go."),
        ({"shared": "sell"}, "Choose what becomes of what was shared."),
    ],
)
def test_what_is_asked_before(service: Service, fields: dict[str, Any], said: str) -> None:
    ada = somebody(service)
    given: dict[str, Any] = {"username": "ada", "shared": "leave", "password": PASSWORD, **fields}
    with nothing_changes(service):
        page = Page(ada.send(_DATA, "/erase", **given))
    assert page.status == 422
    assert said in page.text
    assert page.one("//input[@name='username']").get("value") == given["username"]
    assert is_signed_in(ada)


def test_passwords_are_not_guessed_here(service: Service) -> None:
    ada = somebody(service)
    codes = [ada.send(_DATA, "/export", password=f"guess {n}").status_code for n in range(11)]
    assert codes[-1] == 429
    assert ada.send(_DATA, "/erase", username="ada", shared="leave", password="x").status_code == 429


def test_an_administrator_does_it_for_others(service: Service) -> None:
    somebody(service)
    page = f"/accounts/{_id_of(service, 'ada')}/data"
    chief = Visitor(service, service.token("chief", Role.ADMINISTRATOR))
    assert "The data of ada" in chief.get(page).text
    answer = chief.send(page, "/export", files="")
    assert "account.json" in zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert chief.send(page, "/erase", username="ada", shared="leave").status_code == 303
    assert is_signed_in(chief)
    chief.get(page, status=404)


def test_others_do_not(service: Service) -> None:
    somebody(service)
    page = f"/accounts/{_id_of(service, 'ada')}/data"
    for role in (Role.MEMBER, Role.MODERATOR):
        other = Visitor(service, service.token(role.value, role))
        token = other.get(_DATA).all("//main//input[@name='csrf_token']")[0].get("value")
        with nothing_changes(service):
            other.get(page, status=403)
            for action in ("export", "erase"):
                data = {"csrf_token": token, "username": "ada", "shared": "leave"}
                answer = other.client.post(f"{page}/{action}", data=data, headers=other.headers)
                assert answer.status_code == 403
    public = Visitor(service)
    for url in (page, _DATA):
        answer = public.client.get(url, headers=public.headers)
        assert answer.headers["Location"].startswith("/sign-in?next=")


def test_the_last_administrator_is_told(service: Service) -> None:
    chief = Visitor(service, service.token("chief", Role.ADMINISTRATOR))
    page = Page(chief.send(_DATA, "/erase", username="chief", shared="leave"))
    assert page.status == 409
    assert "There is no other administrator" in page.text


def test_who_has_no_password_signs_in_again_first(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.token("other", Role.ADMINISTRATOR)
    visitor = Visitor(service, service.token("ada"))
    monkeypatch.setattr(erasing, "_RECENT", timedelta(0))
    with nothing_changes(service):
        page = Page(visitor.send(_DATA, "/erase", username="ada", shared="leave"))
    assert page.status == 409
    assert "sign out and in again" in page.text
    monkeypatch.undo()
    assert visitor.send(_DATA, "/erase", username="ada", shared="leave").status_code == 303


def test_no_other_site_sends_the_form(service: Service) -> None:
    ada = somebody(service)
    with nothing_changes(service):
        for action in ("export", "erase"):
            data = {"username": "ada", "shared": "leave", "password": PASSWORD}
            answer = ada.client.post(f"{_DATA}/{action}", data=data, headers=ada.headers)
            assert answer.status_code == 400
            back = ada.client.get(f"{_DATA}/{action}", headers=ada.headers)
            assert back.headers["Location"] == _DATA


def test_what_was_left_is_a_former_members(service: Service) -> None:
    token = service.token("ada")
    resource = publish(service, service.client(token), title="Engines")
    ada = Visitor(service, token)
    assert ada.send(_DATA, "/erase", username="ada", shared="leave").status_code == 303
    service.work()
    page = Visitor(service).get(f"/resources/{resource['id']}")
    assert "Shared by Former member" in page.text
    assert "Engines" in Visitor(service).get(page.links()["Former member"]).text


def test_a_former_member_is_called_so_in_the_readers_language(service: Service, teach: Teach) -> None:
    """On every page where their name stood; the API goes on in English, and other names stay as they are."""
    credit = "“%(title)s” by %(authors)s, licence: %(licence)s. From %(page)s"
    teach("de", {"Former member": "Ehemaliges Mitglied", "Public": "Öffentlich", credit: credit})
    token = service.token("ada")
    ada = Visitor(service, token)
    resource = publish(service, service.client(token), title="Engines")["id"]
    curated = {"title": "Machines", "visibility": "public"}
    collection = json_of(service.client(token).post("/api/v1/collections", json=curated), 201)["id"]
    item = {"resource": resource}
    json_of(service.client(token).post(f"/api/v1/collections/{collection}/items", json=item), 201)
    ada.send("/account", "/account/name", display_name="Public")
    german = Visitor(service, language="de")
    assert "Public" in german.get(f"/resources/{resource}").links()
    assert ada.send(_DATA, "/erase", username="ada", shared="leave").status_code == 303
    service.work()
    page = german.get(f"/resources/{resource}")
    person = page.links()["Ehemaliges Mitglied"]
    assert "by Ehemaliges Mitglied" in page.one("//p[@class='credit']").text_content()
    for address in (
        "/",
        f"/resources/{resource}/embed",
        "/collections",
        f"/collections/{collection}",
        person,
    ):
        body = str(german.get(address).one("//body").text_content())
        assert "Ehemaliges Mitglied" in body, address
        assert "Former member" not in body, address
    shown = json_of(service.client().get(f"/api/v1/resources/{resource}"))
    assert shown["owner_name"] == "Former member"
