"""Taking one's data along, and leaving: what is in the zip, what is left, and who may ask for it."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import zipfile
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from repo_service.domain.identity import Role, Scope
from repo_service.domain.resources import JobKind
from repo_service.models import Account, AuditEntry, Base, Change, Report, Token
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import (
    count,
    nothing_changes,
    path_of,
    pointers,
    problem_of,
    publish,
    share,
    store_of,
)
from tests.support.service import OPERATOR, Service, json_of, send_file
from tests.web.visitor import Visitor

_EXPORT, _ERASE = "/api/v1/me/export", "/api/v1/me/erase"
_NAME = "ada-lovelace"
_MAIL = "ada.lovelace@example.org"


class Leaver:
    """Somebody who left traces everywhere: files, collections, tokens, sites, links."""

    def __init__(self, service: Service) -> None:
        self.service = service
        account = service.services.accounts.create(
            OPERATOR, username=_NAME, display_name="Ada Lovelace", email=_MAIL, language="de"
        )
        self.id = account.id
        issued = service.services.accounts.issue_token(
            OPERATOR,
            name="of Ada",
            scopes=frozenset({Scope.READ, Scope.WRITE, Scope.SHARE}),
            account_id=self.id,
        )
        self.secret = issued.secret
        self.client = service.client(issued.secret)
        self.public = publish(
            service, self.client, b"public bytes", title="Engines", authors=[{"name": "Ada Lovelace"}]
        )
        self.draft = share(self.client, b"draft bytes", title="Ada's draft", file_name="ada.txt")
        added = send_file(
            self.client,
            b"second edition",
            url=f"{path_of(self.public['api_url'])}/versions",
            file_name="ada-2.txt",
            change_note="Ada's note",
        )
        json_of(added, 201)
        self.gone = publish(service, self.client, b"withdrawn bytes", title="Ada's mistake")
        path = path_of(self.gone["api_url"])
        assert self.client.post(f"{path}/withdraw", json={"reason": "Ada's reason"}).status_code == 204
        self.shown, self.private = (
            path_of(
                json_of(
                    self.client.post(
                        "/api/v1/collections", json={"title": f"Ada's {word}", "visibility": word}
                    ),
                    201,
                )["api_url"]
            )
            for word in ("public", "private")
        )
        hook = {"url": "https://ada.example/hook", "events": ["resource.released"]}
        json_of(self.client.post("/api/v1/webhooks", json=hook), 201)
        for collection in (self.shown, self.private):
            given = {"resource": self.public["id"], "note": "Ada's words"}
            json_of(self.client.post(f"{collection}/items", json=given), 201)
        json_of(self.client.post("/api/v1/me/clients", json={"name": "Ada's program", "kind": "other"}), 201)
        profile = {"name": "Ada's Moodle", "moodle": "4.5.6"}
        json_of(self.client.post("/api/v1/me/site-profiles", json=profile), 201)
        begun = {"file_name": "ada-unfinished.txt", "size": 5}
        json_of(self.client.post("/api/v1/uploads", json=begun), 201)
        self.browser = Visitor(service, issued.secret)
        self.site = tokens_of(service, connect_site(service), self.browser, scope="resources:read")
        service.services.people.ask_reset(login=_NAME, address="192.0.2.1")
        service.work(but=(JobKind.MAIL,))

    def report(self) -> None:
        """Two resources of somebody else: one is decided."""
        neighbour = self.service.member("reported")
        for title in ("Decided", "Waiting"):
            other = publish(self.service, neighbour, title.encode(), title=title)
            words = {"reason": "other", "words": f"{title}: somebody's words"}
            json_of(self.client.post(f"{path_of(other['api_url'])}/reports", json=words), 201)
            if title == "Decided":
                decision = {"decision": "dismissed", "note": "It is fine."}
                moderator = self.service.client(self.service.token("keeper", Role.MODERATOR))
                json_of(moderator.post(f"{path_of(other['api_url'])}/reports/decision", json=decision))

    def unzipped(self, client: FlaskClient | None = None, url: str = _EXPORT) -> zipfile.ZipFile:
        answer = (client or self.client).get(url)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(answer.data))
        assert archive.testzip() is None
        return archive


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(f"{name}.json"))


def _administrator(service: Service) -> FlaskClient:
    return service.client(service.token("chief", Role.ADMINISTRATOR))


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _mentions(service: Service, *words: str) -> list[tuple[str, str, str]]:
    """Where in the database one of ``words`` stands, but in ids: some have "ada-" in them."""
    found = []
    with service.services.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for column, value in row._mapping.items():
                    said = _ID.sub("", str(value))
                    if any(word in said for word in words):
                        found.append((table.name, column, said))
    return found


# Taking it along


def test_everything_is_in_the_zip(any_service: Service) -> None:
    ada = Leaver(any_service)
    ada.report()
    archive = ada.unzipped()
    assert "ada-lovelace" in archive.read("README.txt").decode()
    (account,) = _json(archive, "account")
    assert (account["username"], account["email"], account["language"]) == (_NAME, _MAIL, "de")
    resources = {resource["title"]: resource for resource in _json(archive, "resources")}
    assert set(resources) == {"Engines", "Ada's draft", "Ada's mistake"}
    assert [v["change_note"] for v in resources["Engines"]["versions"]] == ["", "Ada's note"]
    assert {c["title"]: [i["note"] for i in c["items"]] for c in _json(archive, "collections")} == {
        "Ada's public": ["Ada's words"],
        "Ada's private": ["Ada's words"],
    }
    assert [u["file_name"] for u in _json(archive, "uploads")][-1] == "ada-unfinished.txt"
    assert "of Ada" in {token["name"] for token in _json(archive, "tokens")}
    assert len(_json(archive, "connected_sites")) == 1
    assert [c["name"] for c in _json(archive, "clients")] == ["Ada's program"]
    assert [p["name"] for p in _json(archive, "site_profiles")] == ["Ada's Moodle"]
    (webhook,) = _json(archive, "webhooks")
    assert webhook["url"] == "https://ada.example/hook"
    assert "secret" not in webhook
    assert sorted(r["words"] for r in _json(archive, "reports")) == [
        "Decided: somebody's words",
        "Waiting: somebody's words",
    ]
    deeds = {(deed["action"], deed["noun"]) for deed in _json(archive, "audit")}
    assert {("create", "resource"), ("create", "account"), ("export", "account")} <= deeds
    files = {archive.read(name) for name in archive.namelist() if name.startswith("files/")}
    assert files == {b"public bytes", b"second edition", b"draft bytes", b"withdrawn bytes"}
    for resource in resources.values():
        for version in resource["versions"]:
            name = f"files/{resource['id']}/{version['number']}/{version['file_name']}"
            assert archive.getinfo(name).file_size
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert ada.secret.encode() not in everything
    assert b"secret_hash" not in everything
    assert b"password_hash" not in everything


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "/etc/passwd",
        "..\\..\\x.exe",
        "C:\\x.exe",
        "..",
        ".",
        "a\x00/../b",
        "\u202ex",
    ],
)
def test_no_name_climbs_out_of_the_zip(service: Service, name: str) -> None:
    """Whoever unpacks it gets files where it says that they are."""
    ada = Leaver(service)
    share(ada.client, b"climbs", file_name=name)
    (member,) = [m for m in ada.unzipped().infolist() if m.filename.startswith("files/") and m.file_size == 6]
    folder, resource, number, leaf = member.filename.split("/")
    assert (folder, len(resource), number) == ("files", 36, "1")
    assert leaf not in ("", ".", "..")
    assert not set(leaf) & set("\\\x00\u202e")
    assert member.external_attr >> 16 == 0o644  # and is no symbolic link


def test_without_the_files(service: Service) -> None:
    ada = Leaver(service)
    archive = ada.unzipped(url=f"{_EXPORT}?files=false")
    assert not [name for name in archive.namelist() if name.startswith("files/")]
    (version,) = next(r for r in _json(archive, "resources") if r["title"] == "Ada's draft")["versions"]
    assert ada.client.get(path_of(version["download_url"])).data == b"draft bytes"


def test_a_file_that_no_store_has_is_told_of(service: Service) -> None:
    ada = Leaver(service)
    store = store_of(service.settings)
    for blob in list(store.iter()):
        store.delete(blob.locator)
    with service.services.database.write() as session:
        session.execute(Base.metadata.tables["blob_locations"].delete())
    archive = ada.unzipped()
    missing = _json(archive, "not_included")
    assert {row["name"].rpartition("/")[2] for row in missing} >= {"ada.txt", "ada-2.txt"}
    assert not [name for name in archive.namelist() if name.startswith("files/")]


def test_nothing_is_ever_whole_in_memory(service: Service) -> None:
    """64 MB go through in steps."""
    token = service.token("teacher")
    teacher, who = service.client(token), service.services.accounts.authenticate(token)
    size, block = 64 * 1024 * 1024, bytes(1024 * 1024)
    begun = service.services.uploads.begin(who, file_name="large.bin", size=size)
    with service.services.uploads.receive(who, begun.id) as receiver:
        for _ in range(size // len(block)):
            receiver.write(block)
        receiver.finish()
    json_of(teacher.post("/api/v1/resources", json={"upload": str(begun.id)}), 201)
    tracemalloc.start()
    received = 0
    answer = teacher.get(_EXPORT, buffered=False)
    tracemalloc.reset_peak()
    for block in answer.iter_encoded():
        received += len(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer.close()
    assert received > size
    assert peak < 16 * 1024 * 1024


def test_an_administrator_takes_it_along_for_somebody(service: Service) -> None:
    ada = Leaver(service)
    archive = ada.unzipped(_administrator(service), f"/api/v1/accounts/{ada.id}/export")
    assert _json(archive, "account")[0]["email"] == _MAIL
    with service.services.database.read() as session:
        deed = session.scalars(select(AuditEntry).where(AuditEntry.action == "export")).one()
    assert (deed.noun_id, deed.account_id == ada.id) == (str(ada.id), False)


def test_who_may_not(service: Service) -> None:
    ada, other = Leaver(service), service.member("other")
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    site = service.client(ada.site["access_token"])
    given = {"name": "x", "scopes": [Scope.READ]}
    reads = service.client(json_of(ada.client.post("/api/v1/me/tokens", json=given), 201)["secret"])
    given = {"shared": "withdraw"}
    own, erase = f"/api/v1/accounts/{ada.id}/export", f"/api/v1/accounts/{ada.id}/erase"
    nowhere = "/api/v1/accounts/00000000-0000-7000-8000-000000000000"
    with nothing_changes(service):
        problem_of(service.client().get(_EXPORT), "unauthorised")
        problem_of(service.client().get(own), "unauthorised")
        problem_of(service.client().post(_ERASE, json=given), "unauthorised")
        problem_of(service.client().post(erase, json=given), "unauthorised")
        for client in (other, moderator):
            problem_of(client.get(own), "forbidden")
            problem_of(client.post(erase, json=given), "forbidden")
        for client in (site, reads):
            problem_of(client.get(_EXPORT), "insufficient-scope")
            problem_of(client.get(own), "insufficient-scope")
            problem_of(client.post(_ERASE, json=given), "insufficient-scope")
            problem_of(client.post(erase, json=given), "insufficient-scope")
    administrator = _administrator(service)
    with nothing_changes(service):
        problem_of(administrator.get(f"{nowhere}/export"), "not-found")
        problem_of(administrator.post(f"{nowhere}/erase", json=given), "not-found")


def test_a_site_with_every_scope_there_is_gets_nothing(service: Service) -> None:
    """Even one that may read and write for somebody."""
    ada = Leaver(service)
    site = connect_site(service)
    scope = "resources:read resources:write @moodlenet/ed-resource:write.own"
    tokens = tokens_of(service, site, ada.browser, scope=scope)
    client = service.client(tokens["access_token"])
    with nothing_changes(service):
        problem_of(client.get(_EXPORT), "forbidden")
        problem_of(client.post(_ERASE, json={"shared": "leave"}), "forbidden")


# Leaving


@pytest.mark.parametrize("shared", ["leave", "withdraw"])
def test_nothing_of_the_person_is_left(any_service: Service, shared: str) -> None:
    """Wherever somebody looks: not a row of the database holds a word of theirs. What they chose to leave in
    public is what they said in public."""
    ada = Leaver(any_service)
    ada.report()
    assert _mentions(any_service, _MAIL)
    assert ada.client.post(_ERASE, json={"shared": shared}).status_code == 204
    any_service.work()
    problem_of(ada.client.get("/api/v1/me"), "unauthorised")
    problem_of(any_service.client(ada.site["access_token"]).get("/api/v1/resources"), "unauthorised")
    assert ada.browser.client.get("/account", headers=ada.browser.headers).status_code == 303
    left = {
        (table, column) for table, column, _ in _mentions(any_service, _NAME, _MAIL, "Ada", "ada-", "ada.")
    }
    assert left <= (
        {("resources", "authors"), ("collections", "title"), ("collection_items", "note")}
        if shared == "leave"
        else set()
    )
    with any_service.services.database.read() as session:
        assert session.scalars(select(Token).where(Token.account_id == ada.id)).all() == []
        account = session.get_one(Account, ada.id)
        reports = session.execute(select(Report.reporter_id, Report.words).order_by(Report.id)).all()
    assert [tuple(row) for row in reports] == [(None, ""), (None, "Waiting: somebody's words")]
    assert account.username.startswith("former-")
    assert account.display_name == "Former member"
    for table in (
        *("one_time_links", "site_profiles", "webhooks", "idempotency_keys"),
        *("grants", "refresh_tokens", "authorization_codes"),
    ):
        assert count(any_service.services, table) == 0
    any_service.services.accounts.create(OPERATOR, username=_NAME, email=_MAIL)  # both are free again


def test_what_stays_when_it_shall_stay(service: Service) -> None:
    ada, public = Leaver(service), service.client()
    ada.client.post(_ERASE, json={"shared": "leave"})
    service.work()
    shown = json_of(public.get(path_of(ada.public["api_url"])))
    assert (shown["title"], shown["owner_name"]) == ("Engines", "Former member")
    assert [v["number"] for v in shown["versions"]] == [1]
    assert public.get(path_of(shown["versions"][0]["download_url"])).data == b"public bytes"
    problem_of(public.get(path_of(ada.draft["api_url"])), "not-found")
    problem_of(public.get(path_of(ada.gone["api_url"])), "gone")
    assert json_of(public.get(ada.shown))["owner_name"] == "Former member"
    problem_of(public.get(ada.private), "not-found")
    assert [c["title"] for c in json_of(public.get("/api/v1/collections"))["items"]] == ["Ada's public"]
    page = Visitor(service).get(f"/people/{shown['owner']}")
    assert "Former member" in page.text
    assert "Former member" not in Visitor(service).get("/browse").text
    service.services.garbage.collect(grace=service.settings.gc_grace * 0)
    assert [
        v["sha256"] is None
        for v in json_of(_moderator(service).get(path_of(ada.public["api_url"])))["versions"]
    ] == [True, False]


def _moderator(service: Service) -> FlaskClient:
    return service.client(service.token("moderator", Role.MODERATOR))


def test_what_goes_when_it_shall_go(service: Service) -> None:
    ada, public = Leaver(service), service.client()
    before = json_of(public.get("/api/v1/resources?q=engines"))["total"]
    assert before == 1
    ada.client.post(_ERASE, json={"shared": "withdraw"})
    service.work()
    gone = problem_of(public.get(path_of(ada.public["api_url"])), "gone")
    assert gone["reason"] == "The person who shared it has left."
    problem_of(public.get(path_of(ada.draft["api_url"])), "not-found")
    problem_of(public.get(ada.shown), "gone")
    assert json_of(public.get("/api/v1/resources?q=engines"))["total"] == 0
    moderator = _moderator(service)
    for resource in (ada.public, ada.draft, ada.gone):
        with nothing_changes(service):
            problem_of(moderator.post(f"{path_of(resource['api_url'])}/restore"), "conflict")
    service.services.garbage.collect(grace=service.settings.gc_grace * 0)
    assert count(service.services, "blobs") == 0
    assert list(store_of(service.settings).iter()) == []


def test_the_trail_keeps_the_deed(service: Service) -> None:
    ada = Leaver(service)
    ada.client.post(_ERASE, json={"shared": "withdraw"})
    service.work()
    with service.services.database.read() as session:
        deeds = session.scalars(select(AuditEntry).where(AuditEntry.account_id == ada.id)).all()
        told = session.scalars(select(Change).where(Change.noun_id == str(ada.id))).all()
    erased = [deed for deed in deeds if deed.action == "erase"]
    assert [(deed.noun, deed.noun_id, deed.details) for deed in erased] == [
        ("account", str(ada.id), {"shared": "withdraw"})
    ]
    assert {"create", "withdraw", "add"} <= {deed.action for deed in deeds}
    assert not [deed for deed in deeds if "reason" in deed.details]
    assert told[-1].what == "deleted"


def test_the_job_does_it_once_however_often_it_runs(service: Service) -> None:
    ada = Leaver(service)
    ada.client.post(_ERASE, json={"shared": "withdraw"})
    service.work()
    with nothing_changes(service):
        service.services.erasing.run(f"{ada.id}:withdraw", lambda progress: None)


def test_an_administrator_erases_somebody(service: Service) -> None:
    ada, administrator = Leaver(service), _administrator(service)
    url = f"/api/v1/accounts/{ada.id}"
    assert administrator.post(f"{url}/erase", json={"shared": "leave"}).status_code == 204
    service.work()
    problem_of(ada.client.get("/api/v1/me"), "unauthorised")
    with nothing_changes(service):
        problem_of(administrator.get(url), "not-found")
        problem_of(administrator.get(f"{url}/export"), "not-found")
        problem_of(administrator.patch(url, json={"blocked": False}), "not-found")
        problem_of(administrator.patch(url, json={"email": _MAIL}), "not-found")
        problem_of(administrator.post(f"{url}/erase", json={"shared": "leave"}), "not-found")
    names = {account["username"] for account in json_of(administrator.get("/api/v1/accounts"))["items"]}
    assert names == {"chief"}


def test_the_last_administrator_stays(service: Service) -> None:
    chief = _administrator(service)
    with nothing_changes(service):
        problem_of(chief.post(_ERASE, json={"shared": "leave"}), "conflict")
    service.token("deputy", Role.ADMINISTRATOR)
    assert chief.post(_ERASE, json={"shared": "leave"}).status_code == 204


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "/shared"),
        ({"shared": "sell"}, "/shared"),
        ({"shared": "leave", "account": "x"}, "/account"),
        ({"shared": "leave", "password": "\x00"}, "/password"),
    ],
)
def test_what_is_no_way_to_leave(service: Service, given: dict[str, Any], pointer: str) -> None:
    teacher = service.member()
    with nothing_changes(service):
        assert pointers(problem_of(teacher.post(_ERASE, json=given), "invalid-input")) == [pointer]


def test_ids_stay_what_they_were(service: Service) -> None:
    """Others may have kept them."""
    ada = Leaver(service)
    ada.client.post(_ERASE, json={"shared": "leave"})
    with service.services.database.read() as session:
        assert session.get_one(Account, UUID(str(ada.id))).erased_at is not None
