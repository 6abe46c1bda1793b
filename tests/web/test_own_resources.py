"""My resources: where each stands and why, filtered and in order, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.domain.resources import JobKind
from repo_service.web import own_resources
from tests.support.backups import ActivitySpec, backup
from tests.support.private import private_backup
from tests.support.service import Service, json_of, send_file
from tests.web.visitor import Page, Visitor


class Owner:
    """Somebody with resources, each by its title."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.token = service.token("teacher")
        self.client: FlaskClient = service.client(self.token)
        self.visitor = Visitor(service, self.token)
        self.folder = folder

    def share(self, title: str, content: bytes | Path | None = None, **metadata: Any) -> str:
        if content is None:
            content = backup(self.folder / "a.mbz", activities=[ActivitySpec(title=title)])
        return str(json_of(send_file(self.client, content, title=title, **metadata), 201)["id"])

    def titles(self, query: str = "") -> list[str]:
        return _titles(self.visitor.get(f"/mine{query}"))

    def one_of_each(self) -> None:
        self.share("Draft")
        self.share("Public", licence="CC0-1.0", release=True)
        withdrawn = self.share("Withdrawn")
        self.client.post(f"/api/v1/resources/{withdrawn}/withdraw", json={"reason": "Old"})
        self.share("With people", private_backup(self.folder / "people.mbz"))
        self.share("Without a licence", release=True)
        self.share("Broken", b"no backup")
        self.service.work()
        self.share("Waiting")


@pytest.fixture
def owner(service: Service, tmp_path: Path) -> Owner:
    return Owner(service, tmp_path)


def _titles(page: Page) -> list[str]:
    return [" ".join(heading.text_content().split()) for heading in page.all("//article//h2")]


def _of(page: Page, title: str) -> str:
    (article,) = [a for a in page.all("//article") if title in a.xpath(".//h2")[0].text_content()]
    return " ".join(article.text_content().split())


def _filters(page: Page) -> dict[str, str]:
    return {
        " ".join(a.text_content().split()): a.attrib["href"]
        for a in page.all("//nav[@aria-label='Filter by state']//a")
    }


def test_each_says_where_it_stands(any_service: Service, tmp_path: Path) -> None:
    owner = Owner(any_service, tmp_path)
    owner.one_of_each()
    page = owner.visitor.get("/mine")
    assert _filters(page) == {
        "All 7": "/mine",
        "Needs attention 3": "/mine?state=attention",
        "Draft 1": "/mine?state=draft",
        "Waiting 1": "/mine?state=waiting",
        "Public 1": "/mine?state=public",
        "Withdrawn 1": "/mine?state=withdrawn",
    }
    assert "Draft" in _of(page, "Draft")
    assert "It holds personal data or keys" in _of(page, "With people")
    assert "Choose a licence first" in _of(page, "Without a licence")
    assert "The file is named .mbz but is no Moodle backup." in _of(page, "Broken")
    assert "being looked into" in _of(page, "Waiting")
    assert owner.titles("?state=attention") == ["Broken", "Without a licence", "With people"]
    assert owner.titles("?state=draft") == ["Draft"]
    assert owner.titles("?state=waiting") == ["Waiting"]
    assert owner.titles("?state=public") == ["Public"]
    assert owner.titles("?state=withdrawn") == ["Withdrawn"]


def test_a_newer_version_is_what_counts(owner: Owner, tmp_path: Path) -> None:
    public = owner.share("Public", licence="CC0-1.0", release=True)
    owner.service.work()
    add = f"/api/v1/resources/{public}/versions"
    newer = backup(tmp_path / "b.mbz", activities=[ActivitySpec(title="Newer")])
    send_file(owner.client, newer, url=add)
    assert owner.titles("?state=waiting") == ["Public"]
    owner.service.work()
    assert owner.titles("?state=public") == ["Public"]
    assert "version 2 not released" in _of(owner.visitor.get("/mine"), "Public")
    send_file(owner.client, private_backup(tmp_path / "people.mbz"), url=add)
    owner.service.work()
    assert owner.titles("?state=attention") == ["Public"]
    owner.client.post(f"{add}/3/clean", json={"release": True})
    owner.service.work()
    assert owner.titles("?state=public") == ["Public"]
    assert owner.titles("?state=attention") == []


def test_what_is_looked_into_again_waits(owner: Owner) -> None:
    draft = owner.share("Draft")
    owner.service.work()
    owner.client.post(f"/api/v1/resources/{draft}/versions/1/inspection")
    assert owner.titles("?state=waiting") == ["Draft"]
    owner.service.work(but={JobKind.INDEX})
    assert owner.titles("?state=draft") == ["Draft"]


def test_the_order_is_chosen(any_service: Service, tmp_path: Path) -> None:
    owner = Owner(any_service, tmp_path)
    first = owner.share("beta")
    owner.share("Alpha")
    owner.share("gamma")
    owner.client.patch(f"/api/v1/resources/{first}", json={"keywords": ["x"]})
    assert owner.titles() == ["gamma", "Alpha", "beta"]
    assert owner.titles("?sort=changed") == ["beta", "gamma", "Alpha"]
    assert owner.titles("?sort=title") == ["Alpha", "beta", "gamma"]
    links = owner.visitor.get("/mine?state=waiting&sort=title").links()
    assert links["Newest first"] == "/mine?state=waiting"
    assert links["All 3"] == "/mine?sort=title"


def test_page_by_page(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_resources, "_PAGE_SIZE", 1)
    for title in ("First", "Second"):
        owner.share(title)
    newest = owner.visitor.get("/mine?state=waiting&sort=changed")
    assert _titles(newest) == ["Second"]
    oldest = owner.visitor.get(newest.links()["Next page"])
    assert _titles(oldest) == ["First"]
    assert "Next page" not in oldest.links()
    assert oldest.links()["First page"] == "/mine?state=waiting&sort=changed"
    assert "no licence yet" in oldest.text


@pytest.mark.parametrize("query", ["?state=nonsense", "?sort=<b>", "?state=&sort="])
def test_what_there_is_not_is_passed_over(owner: Owner, query: str) -> None:
    owner.share("Draft")
    assert owner.titles(query) == ["Draft"]


@pytest.mark.parametrize("cursor", ["x", "%00", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"])
def test_a_cursor_that_is_none(owner: Owner, cursor: str) -> None:
    assert "start again without one" in owner.visitor.get(f"/mine?cursor={cursor}", 400).text


def test_nobody_elses(owner: Owner) -> None:
    owner.one_of_each()
    other = Visitor(owner.service, owner.service.token("other"))
    page = other.get("/mine?state=public")
    assert _titles(page) == []
    assert "You have shared nothing yet." in page.text
    assert not page.all("//nav[@aria-label='Filter by state']")
    assert Visitor(owner.service).client.get("/mine?state=draft").location == (
        "/sign-in?next=/mine?state%3Ddraft"
    )


def test_what_one_goes_on_to_from_there(owner: Owner) -> None:
    draft = owner.share("Draft")
    public = owner.share("Public", licence="CC0-1.0", release=True)
    owner.service.work()
    links = owner.visitor.get("/mine").links()
    assert links["Finish and release Draft"] == f"/resources/{draft}/finish"
    assert links["Add a version of Public"] == f"/resources/{public}/versions/new"
    assert links["API tokens"] == "/account#tokens-title"
    assert links["Connected sites"] == "/mine/sites"
    owner.client.post(f"/api/v1/resources/{draft}/withdraw", json={"reason": "Old"})
    answer = owner.visitor.send("/mine?state=withdrawn", "/restore")
    assert answer.status_code == 303
    assert owner.titles("?state=draft") == ["Draft"]
