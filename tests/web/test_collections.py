"""Pages of collections: made, filled, arranged and published without a script; found; hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import html
from sqlalchemy import select

from repo_service.domain.identity import Role
from repo_service.models import Account
from repo_service.services import collections
from repo_service.web import collecting
from tests.contract.support import nothing_changes, publish, share
from tests.support.service import Service, json_of
from tests.web.test_safety import EVIL
from tests.web.visitor import Page, Visitor


class World:
    """A curator, and three resources of somebody else."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.member("author")
        self.resources = [
            publish(service, self.author, name.encode(), title=name) for name in ("Rivers", "Lakes", "Seas")
        ]
        self.token = service.token("curator")
        self.curator = Visitor(service, self.token)

    def make(self, title: str = "Water", **fields: Any) -> str:
        """A collection, by the form; its address."""
        answer = self.curator.send("/collections/new", "/collections/new", title=title, **fields)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def add(self, collection: str, resource: Any, note: str = "") -> None:
        """Put a resource in, by the form that its page leads to."""
        page = f"/resources/{resource['id']}"
        where = self.curator.get(page).links()["Add to a collection"]
        chosen = collection.rpartition("/")[2]
        assert self.curator.send(where, "/collect", collection=chosen, note=note).status_code == 303

    def filled(self, **fields: Any) -> str:
        """A collection with all three in it."""
        made = self.make(**fields)
        for resource in self.resources:
            self.add(made, resource, f"About {resource['title']}")
        return made


@pytest.fixture
def world(service: Service) -> World:
    return World(service)


def _titles(page: Page) -> list[str]:
    return [a.text_content() for a in page.all("//ol[@class='collected']//article//h3/a")]


def _do(world: World, collection: str, resource: Any, what: str, **fields: Any) -> Page:
    """Press a button beside a resource on the page to arrange; the page that follows."""
    answer = world.curator.send(f"{collection}/arrange", f"/items/{resource['id']}", do=what, **fields)
    assert answer.status_code == 303, answer.text
    return world.curator.get(answer.headers["Location"].partition("#")[0])


def test_made_filled_and_published(world: World) -> None:
    made = world.filled()
    page = world.curator.get(made)
    assert _titles(page) == ["Rivers", "Lakes", "Seas"]
    assert "Private" in page.text
    assert "About Lakes" in page.text
    world.curator.get("/collections/mine").one("//article//h2/a[text()='Water']")
    public = Visitor(world.service)
    public.get(made, status=404)
    fields: dict[str, Any] = {
        "visibility": "public",
        "summary": "For the <b>first</b> year",
        "subjects": ["0521"],
    }
    assert world.curator.send(f"{made}/edit", "/edit", **fields).status_code == 303
    page = public.get(made)
    assert _titles(page) == ["Rivers", "Lakes", "Seas"]
    assert page.one("//div[contains(@class, 'collection-summary')]//b").text_content() == "first"
    assert page.links()["Environmental sciences"] == "/?subject=0521"
    assert not {"Arrange", "Edit the description"} & set(page.links())
    assert [a.text_content() for a in public.get("/collections").all("//article//h2/a")] == ["Water"]
    assert public.get("/browse").links()["Water"] == made
    assert public.get(f"/resources/{world.resources[0]['id']}").links()["Water"] == made
    assert public.get("/people/curator").links()["Water"] == made  # who shared nothing of their own
    assert "0 resources" in public.get("/people/curator").text


def test_arranging_without_a_script(world: World) -> None:
    made = world.filled()
    rivers, lakes, seas = world.resources
    _do(world, made, seas, "up")
    assert _titles(world.curator.get(made)) == ["Rivers", "Seas", "Lakes"]
    _do(world, made, rivers, "down")
    assert _titles(world.curator.get(made)) == ["Seas", "Rivers", "Lakes"]
    page = _do(world, made, lakes, "note", note="Deep\r\nwater")
    assert page.form(f"/items/{lakes['id']}").fields["note"].lstrip("\n") == "Deep\nwater"
    page = _do(world, made, seas, "remove")
    assert _titles(world.curator.get(made)) == ["Rivers", "Lakes"]
    assert page.form(f"/items/{lakes['id']}").xpath(".//button/@value") == ["note", "up", "remove"]
    assert page.form(f"/items/{rivers['id']}").xpath(".//button/@value") == ["note", "down", "remove"]
    _do(world, made, lakes, "place", position="1")
    assert _titles(world.curator.get(made)) == ["Lakes", "Rivers"]
    for nowhere in ("0", "201", "x", "", "٣", "-1", "9" * 99):
        with nothing_changes(world.service):
            answer = world.curator.send(
                f"{made}/arrange", f"/items/{lakes['id']}", do="place", position=nowhere
            )
        assert answer.status_code == 422, nowhere
    back = world.curator.client.get(f"{made}/items/{lakes['id']}", headers=world.curator.headers)
    assert back.headers["Location"] == f"{made}/arrange#item-{lakes['id']}"


def test_into_a_new_collection_at_once(world: World) -> None:
    where = f"/resources/{world.resources[0]['id']}/collect"
    answer = world.curator.send(where, "/collect", collection="new", title="First", note="Why")
    page = world.curator.get(answer.headers["Location"])
    assert page.one("//h1").text_content() == "First"
    assert _titles(page) == ["Rivers"]
    form = world.curator.get(where)
    assert "it is in there already" in form.text
    assert form.all("//input[@name='collection' and @disabled]")


def test_what_is_refused_beside_the_form(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed is still there."""
    where = f"/resources/{world.resources[0]['id']}/collect"
    wrong: list[dict[str, Any]] = [
        {"collection": "new", "title": " "},
        {"collection": "x"},
        {"collection": ""},
    ]
    for fields in wrong:
        answer = world.curator.send(where, "/collect", note="Kept", **fields)
        page = Page(answer)
        assert page.status == 422
        assert page.one("//div[@role='alert']").text_content()
        assert page.one("//textarea[@name='note']").text_content().strip() == "Kept"
    assert world.curator.get("/collections/mine").all("//article") == []
    made = world.make()
    world.add(made, world.resources[0])
    again = world.curator.send(where, "/collect", collection=made.rpartition("/")[2])
    assert again.status_code == 409
    assert "in the collection already" in Page(again).text
    answer = world.curator.send("/collections/new", "/collections/new", title="", languages="klingon!")
    page = Page(answer)
    assert page.status == 422
    assert {element.get("id") for element in page.all("//p[@class='field-error']")} == {
        *("title-error", "languages-error")
    }
    monkeypatch.setattr(collections, "MAX_COLLECTIONS", 1)
    answer = world.curator.send("/collections/new", "/collections/new", title="Too many")
    assert answer.status_code == 409
    assert Page(answer).one("//input[@name='title']").get("value") == "Too many"


@pytest.mark.parametrize("place", ["0", "-1", "x", "", "²", "9" * 30, "000000001" + "9" * 30])
def test_places_that_there_are_not(world: World, place: str) -> None:
    made = world.filled()
    with nothing_changes(world.service):
        answer = world.curator.send(
            f"{made}/arrange", f"/items/{world.resources[0]['id']}", do="place", position=place
        )
        assert answer.status_code == 422, answer.text


def test_two_windows(world: World) -> None:
    made = world.make()
    form = world.curator.get(f"{made}/edit").form("/edit")
    world.curator.send(f"{made}/edit", "/edit", title="Changed elsewhere")
    data = {**dict(form.form_values()), "title": "Typed"}
    answer = world.curator.client.post(f"{made}/edit", data=data, headers=world.curator.headers)
    page = Page(answer)
    assert page.status == 412
    assert "changed elsewhere" in page.text
    assert page.one("//input[@name='title']").get("value") == "Typed"
    assert world.curator.get(made).one("//h1").text_content() == "Changed elsewhere"


def test_what_is_not_there_any_more(world: World) -> None:
    """The curator is told, and takes it out."""
    made = world.filled(visibility="public")
    withdrawn = f"/api/v1/resources/{world.resources[1]['id']}/withdraw"
    assert world.author.post(withdrawn, json={"reason": "Mistakes."}).status_code == 204
    assert _titles(Visitor(world.service).get(made)) == ["Rivers", "Seas"]
    assert "Mistakes." not in Visitor(world.service).get(made).text
    page = world.curator.get(made)
    assert "1 resource in it is not there any more. Only you are told." in page.text
    assert "Mistakes." in page.text
    assert "Lakes" not in [a.text_content() for a in page.all("//a")]
    _do(world, made, world.resources[1], "remove")
    assert "not there any more" not in world.curator.get(made).text


def test_a_draft_of_ones_own(world: World) -> None:
    draft = share(world.service.client(world.token), b"draft", title="Draft of mine")
    made = world.make(visibility="public")
    world.add(made, draft)
    assert "others do not see it here" in world.curator.get(made).text
    assert "Draft of mine" not in Visitor(world.service).get(made).text


def test_deleted(world: World) -> None:
    made = world.filled(visibility="public")
    answer = world.curator.send(f"{made}/edit", "/delete")
    assert answer.headers["Location"] == "/collections/mine"
    page = Visitor(world.service).get(made, status=410)
    assert "This collection was deleted." in page.text
    assert "Water" not in page.source
    for path in ("delete", "hide", "show"):
        back = world.curator.client.get(f"{made}/{path}", headers=world.curator.headers)
        assert back.headers["Location"] == made


def test_others_change_nothing(world: World) -> None:
    made = world.filled(visibility="public")
    private = world.make("Secret")
    other = Visitor(world.service, world.service.token("other"))
    public = Visitor(world.service)
    resource = world.resources[0]["id"]
    token = other.get("/collections/new").one("//main//input[@name='csrf_token']").get("value")
    with nothing_changes(world.service):
        for page in (f"{made}/edit", f"{made}/arrange"):
            other.get(page, status=403)
            assert public.client.get(page, headers=public.headers).headers["Location"].startswith("/sign-in")
        for page in (private, f"{private}/edit", f"{private}/arrange"):
            other.get(page, status=404)
        for where, status in ((made, 403), (private, 404)):
            for path in ("edit", "delete", f"items/{resource}"):
                data = {"csrf_token": token, "title": "Mine", "do": "remove"}
                answer = other.client.post(f"{where}/{path}", data=data, headers=other.headers)
                assert answer.status_code == status, (where, path)
        for path, data in (("hide", {"reason": "x"}), ("show", {})):
            answer = other.client.post(
                f"{made}/{path}", data={"csrf_token": token, **data}, headers=other.headers
            )
            assert answer.status_code == 403
        taken = {"csrf_token": token, "collection": made.rpartition("/")[2]}
        answer = other.client.post(f"/resources/{resource}/collect", data=taken, headers=other.headers)
        assert answer.status_code == 403
        answer = other.client.post(f"{made}/delete", data={"title": "x"}, headers=other.headers)
        assert answer.status_code == 400  # the form is not one of ours


def test_what_others_keep_to_themselves_goes_nowhere(world: World) -> None:
    secret = share(world.author, b"secret", title="Secret")
    made = world.make()
    token = world.curator.get("/collections/new").one("//main//input[@name='csrf_token']").get("value")
    world.curator.get(f"/resources/{secret['id']}/collect", status=404)
    given = {"csrf_token": token, "collection": "new", "title": "x"}
    with nothing_changes(world.service):
        for chosen in ("new", made.rpartition("/")[2]):
            answer = world.curator.client.post(
                f"/resources/{secret['id']}/collect",
                data={**given, "collection": chosen},
                headers=world.curator.headers,
            )
            assert answer.status_code == 404


def test_a_moderator_hides(world: World) -> None:
    made = world.filled(visibility="public")
    moderator = Visitor(world.service, world.service.token("moderator", Role.MODERATOR))
    refused = Page(moderator.send(made, "/hide", reason=" "))
    assert refused.status == 422
    assert "Say in a few words why it goes." in refused.text
    assert moderator.send(made, "/hide", reason="Advertising.").status_code == 303
    assert "Advertising." in Visitor(world.service).get(made, status=410).text
    page = world.curator.get(made)
    assert "A moderator has hidden this collection" in page.text
    assert "Advertising." in page.text
    assert not page.all("//script[@type='application/ld+json']")
    assert Visitor(world.service).get(f"/resources/{world.resources[0]['id']}").links().get("Water") is None
    assert moderator.send(made, "/show").status_code == 303
    Visitor(world.service).get(made)


def test_what_machines_read(world: World) -> None:
    made = world.filled(visibility="public", languages="en, de", summary="All about water")
    page = Visitor(world.service).get(made)
    document = json.loads(page.one("//script[@type='application/ld+json']").text_content())
    base = world.service.settings.base_url
    assert document["@type"] == "ItemList"
    assert document["@id"] == f"{base}{made}"
    assert document["author"]["url"] == f"{base}/people/curator"
    assert document["numberOfItems"] == 3
    assert [(item["position"], item["name"]) for item in document["itemListElement"]] == [
        *((1, "Rivers"), (2, "Lakes"), (3, "Seas"))
    ]
    assert document["itemListElement"][0]["url"] == f"{base}/resources/{world.resources[0]['id']}"
    graph = {meta.get("property"): meta.get("content") for meta in page.all("//meta[@property]")}
    assert graph["og:title"] == "Water"
    assert graph["og:description"] == "All about water"
    assert page.one("//link[@rel='canonical']").get("href") == f"{base}{made}"
    assert not world.curator.get(world.make("Private")).all("//script[@type='application/ld+json']")


def test_harvesters_find_them(world: World) -> None:
    public = Visitor(world.service)
    assert "collections" not in public.client.get("/sitemap.xml").text
    assert public.client.get("/sitemap-collections.xml").status_code == 404
    made = world.filled(visibility="public")
    world.make("Empty", visibility="public")
    world.make("Private")
    assert "/sitemap-collections.xml</loc>" in public.client.get("/sitemap.xml").text
    found = html.fromstring(public.client.get("/sitemap-collections.xml").data)
    assert found.xpath("//loc/text()") == [f"{world.service.settings.base_url}{made}"]


def test_markup_is_text(world: World) -> None:
    made = world.make(EVIL, summary=f"<p onclick=alert(1)>{EVIL}</p>", visibility="public")
    world.add(made, world.resources[0], EVIL)
    for url in (made, f"{made}/edit", f"{made}/arrange", "/collections", "/collections/mine", "/browse"):
        page = world.curator.get(url)
        assert "<script>alert" not in page.source
        assert "<img src=x" not in page.source
        assert not page.all("//@onclick")
        assert ">49" not in page.text
    document = json.loads(world.curator.get(made).one("//script[@type='application/ld+json']").text_content())
    assert document["name"] == EVIL


def test_who_cannot_be_reached_publishes_nothing(world: World) -> None:
    with world.service.services.database.write() as session:
        session.scalars(select(Account).where(Account.username == "curator")).one().must_confirm = True
    answer = world.curator.send("/collections/new", "/collections/new", title="Water", visibility="public")
    assert answer.status_code == 409
    page = Page(answer)
    assert "Confirm your e-mail address" in page.text or "confirm" in page.text.lower()
    assert page.one("//input[@name='title']").get("value") == "Water"
    assert world.curator.get("/collections/mine").all("//article") == []


def test_pages_of_collections(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PAGE_SIZE", 1)
    for title in ("One", "Two"):
        world.add(world.make(title, visibility="public"), world.resources[0])
    for url in ("/collections", "/collections/mine"):
        first = world.curator.get(url)
        assert [a.text_content() for a in first.all("//article//h2/a")] == ["Two"]
        second = world.curator.get(first.links()["Next page"])
        assert [a.text_content() for a in second.all("//article//h2/a")] == ["One"]
        assert second.links()["First page"] == url
    Visitor(world.service).get("/collections?cursor=%00", status=400)


def test_a_visitor_is_asked_to_sign_in_and_comes_back(world: World) -> None:
    public = Visitor(world.service)
    where = public.get(f"/resources/{world.resources[0]['id']}").links()["Add to a collection"]
    answer = public.client.get(where, headers=public.headers)
    assert answer.headers["Location"].startswith("/sign-in?next=")
    assert json_of(world.service.client(world.token).get("/api/v1/me/collections"))["items"] == []
