"""Outboxes as other servers read them: what was done in public, by whom, and in which order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from repo_service.api import activitypub as views
from repo_service.domain.identity import Role
from repo_service.services.erasing import Shared
from tests.contract.activitypub import BASE, ask, outbox, person_of, read, told
from tests.contract.support import path_of, problem_of, publish, share
from tests.support.service import OPERATOR, Service, json_of, send_file

_SERVICE = f"{BASE}/ap/service"


def _id_of(resource: Any) -> str:
    return f"{BASE}/ap/resources/{resource['id']}"


def _withdraw(client: Any, resource: Any) -> None:
    given = {"reason": "Names a pupil."}
    assert client.post(f"{path_of(resource['api_url'])}/withdraw", json=given).status_code == 204


def _collection(client: Any, *resources: Any, title: str = "Water", visibility: str = "public") -> str:
    given = {"title": title, "visibility": visibility}
    made = json_of(client.post("/api/v1/collections", json=given), 201)
    for resource in resources:
        _add(client, f"{BASE}/ap/collections/{made['id']}", resource)
    return f"{BASE}/ap/collections/{made['id']}"


def _add(client: Any, collection: str, resource: Any) -> None:
    json_of(client.post(f"{_api(collection)}/items", json={"resource": resource["id"]}), 201)


def _api(collection: str) -> str:
    return collection.replace(f"{BASE}/ap/", "/api/v1/")


def test_the_life_of_a_resource(any_service: Service) -> None:
    """In the outbox of its owner, who does it, and in that of the service, which tells of it."""
    teacher = any_service.member("ada")
    other = publish(any_service, teacher, b"other")
    resource = publish(any_service, teacher, title="Rivers")
    person = person_of(any_service, "ada")
    created = ("Create", "Document", _id_of(resource))
    before = ("Create", "Document", _id_of(other))

    def both() -> list[tuple[str, str, str]]:
        of_person, of_service = outbox(any_service, person), outbox(any_service, _SERVICE)
        assert {item["actor"] for item in of_person} == {person}
        assert {item["actor"] for item in of_service} == {_SERVICE}
        assert [item["object"] for item in of_service] == of_person
        return told(of_person)

    assert both() == [created, before]
    assert [kind for kind, *_ in told(outbox(any_service, _SERVICE))] == ["Announce Create"] * 2

    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": "Lakes"}))
    assert both() == [("Update", "Document", _id_of(resource)), created, before]
    newest = outbox(any_service, person)[0]
    assert newest["object"]["name"] == "Lakes"
    assert outbox(any_service, person)[1]["object"]["name"] == "Lakes"  # what it is now, everywhere

    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": "Seas"}))
    assert both() == [("Update", "Document", _id_of(resource)), created, before]
    assert outbox(any_service, person)[0]["id"] != newest["id"]
    problem_of(ask(any_service, newest["id"]), "not-found")  # it is not the last word any more

    _withdraw(teacher, resource)
    assert both() == [("Delete", "Tombstone", _id_of(resource)), before]
    assert "Seas" not in str(outbox(any_service, person))
    assert "pupil" not in str(outbox(any_service, person))

    json_of(teacher.post(f"{path_of(resource['api_url'])}/restore"))
    assert both() == [("Update", "Document", _id_of(resource)), created, before]


def test_every_activity_is_at_its_id(any_service: Service) -> None:
    teacher = any_service.member("ada")
    publish(any_service, teacher, b"first")
    changed, gone = publish(any_service, teacher, b"changed"), publish(any_service, teacher, b"gone")
    json_of(teacher.patch(path_of(changed["api_url"]), json={"title": "Lakes"}))
    _withdraw(teacher, gone)
    collection = _collection(teacher, changed)
    deleted = _collection(teacher, changed)
    assert teacher.delete(_api(deleted)).status_code == 204
    read_all = [
        item
        for own in (_SERVICE, person_of(any_service, "ada"), collection)
        for item in outbox(any_service, own)
    ]
    assert len(read_all) == 2 * 7 + 1
    for item in [*read_all, *(item["object"] for item in read_all if isinstance(item["object"], dict))]:
        if item["type"] in ("Document", "Tombstone"):
            continue
        document = read(any_service, item["id"])
        del document["@context"]
        assert document == item


def test_drafts_leave_no_trace(any_service: Service) -> None:
    """Neither of a resource, nor of a new version of one that is public, nor of a private collection."""
    teacher = any_service.member("ada")
    resource = publish(any_service, teacher)
    before = {own: outbox(any_service, own) for own in (_SERVICE, person_of(any_service, "ada"))}
    draft = share(teacher, b"draft", title="Secret")
    json_of(teacher.patch(path_of(draft["api_url"]), json={"title": "More secret"}))
    versions = f"{path_of(resource['api_url'])}/versions"
    json_of(send_file(teacher, b"second", url=versions, file_name="second.txt"), 201)
    any_service.work()
    _collection(teacher, resource, draft, visibility="private")
    _withdraw(teacher, draft)
    assert {own: outbox(any_service, own) for own in before} == before


def test_a_new_version_is_an_update(any_service: Service) -> None:
    teacher = any_service.member("ada")
    resource = publish(any_service, teacher)
    versions = f"{path_of(resource['api_url'])}/versions"
    json_of(send_file(teacher, b"second", url=versions, file_name="second.txt", release=True), 201)
    any_service.work()
    update, create = outbox(any_service, person_of(any_service, "ada"))
    assert (update["type"], create["type"]) == ("Update", "Create")
    assert len(update["object"]["url"]) == 3


def test_the_life_of_a_collection(any_service: Service) -> None:
    curator = any_service.member("curator")
    moderator = any_service.client(any_service.token("keeper", Role.MODERATOR))
    resource = publish(any_service, any_service.member("author"))
    collection = _collection(curator, resource, visibility="private")

    def of_service() -> list[tuple[str, str, str]]:
        return told(outbox(any_service, _SERVICE))[: -1 or None]

    assert of_service() == []
    json_of(curator.patch(_api(collection), json={"visibility": "public"}))
    person = person_of(any_service, "curator")
    assert of_service() == [("Announce Create", "", collection)]
    assert told(outbox(any_service, person)) == [("Create", "", collection)]
    json_of(curator.patch(_api(collection), json={"title": "Lakes"}))
    assert of_service() == [("Announce Update", "", collection), ("Announce Create", "", collection)]

    assert moderator.post(f"{_api(collection)}/hide", json={"reason": "x"}).status_code == 204
    assert of_service() == [("Delete", "Tombstone", collection)]  # nobody else is there to do it
    assert moderator.post(f"{_api(collection)}/show").status_code == 204
    assert of_service()[0] == ("Announce Update", "", collection)

    json_of(curator.patch(_api(collection), json={"visibility": "private"}))
    assert of_service() == []
    json_of(curator.patch(_api(collection), json={"visibility": "public"}))
    assert of_service()[0] == ("Announce Update", "", collection)
    assert curator.delete(_api(collection)).status_code == 204
    assert of_service() == [("Delete", "Tombstone", collection)]
    assert "Lakes" not in str(outbox(any_service, _SERVICE))


def test_an_empty_collection_is_not_told_of(service: Service) -> None:
    curator, author = service.member("curator"), service.member("author")
    resource = publish(service, author)
    collection = _collection(curator)
    assert [object_ for *_, object_ in told(outbox(service, _SERVICE))] == [_id_of(resource)]
    assert outbox(service, collection) == []


def test_a_collection_tells_of_what_is_put_into_it(any_service: Service) -> None:
    """Of what everybody sees: not of its curator's drafts, and not of what was withdrawn."""
    curator, author = any_service.member("curator"), any_service.member("author")
    first, second = publish(any_service, author, b"first"), publish(any_service, author, b"second")
    draft = share(curator, b"draft")
    collection = _collection(curator, first, draft, second)
    items = outbox(any_service, collection)
    assert told(items) == [("Announce", "", _id_of(second)), ("Announce", "", _id_of(first))]
    assert {item["actor"] for item in items} == {collection}
    assert {item["cc"][0] for item in items} == {f"{collection}/followers"}
    for item in items:
        assert read(any_service, item["id"])["object"] == item["object"]
    _withdraw(author, second)
    assert told(outbox(any_service, collection)) == [("Announce", "", _id_of(first))]
    problem_of(ask(any_service, items[0]["id"]), "not-found")
    assert curator.delete(f"{_api(collection)}/items/{first['id']}").status_code == 204
    assert outbox(any_service, collection) == []
    problem_of(ask(any_service, items[1]["id"]), "not-found")
    assert curator.delete(_api(collection)).status_code == 204
    problem_of(ask(any_service, items[1]["id"]), "gone")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_page_by_page(any_service: Service, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Whatever the size of a page, nothing is left out and nothing comes twice; what is new comes first and
    moves nothing."""
    teacher = any_service.member("ada")
    resources = [publish(any_service, teacher, f"{number}".encode()) for number in range(4)]
    json_of(teacher.patch(path_of(resources[1]["api_url"]), json={"title": "Lakes"}))
    _withdraw(teacher, resources[2])
    collection = _collection(teacher, *resources[:2], resources[3])
    owns = (_SERVICE, person_of(any_service, "ada"), collection)
    whole = {own: outbox(any_service, own) for own in owns}
    assert [len(items) for items in whole.values()] == [7, 7, 3]
    monkeypatch.setattr(views, "PAGE_SIZE", size)
    assert {own: outbox(any_service, own) for own in owns} == whole
    dates = [item["published"] for item in whole[_SERVICE]]
    assert dates == sorted(dates, reverse=True)

    page = read(any_service, f"{_SERVICE}/outbox?page=first")
    assert len(page["orderedItems"]) == size
    following = read(any_service, page["next"])
    publish(any_service, teacher, b"new")
    assert read(any_service, page["next"]) == following


@pytest.mark.parametrize(
    "cursor", ["", "x", "0", "20261128T151659000007Z", "20261128T151659000007Z.x", "%00", "first.", "٢"]
)
def test_what_is_no_page(service: Service, cursor: str) -> None:
    problem_of(ask(service, f"{_SERVICE}/outbox?page={cursor}"), "invalid-cursor")


def test_what_is_no_activity(any_service: Service) -> None:
    """An id has to be true in every part."""
    teacher = any_service.member("ada")
    resource = publish(any_service, teacher)
    collection = _collection(teacher, resource)
    telling = outbox(any_service, _SERVICE)[-1]
    (announced,) = outbox(any_service, collection)
    other = "00000000-0000-7000-8000-000000000000"
    for true in (telling["id"], telling["object"]["id"]):
        read(any_service, true)
        for false in (
            true.replace("/create/", "/update/"),
            true.replace("/create/", "/delete/"),
            true.replace("/create/", "/like/"),
            true.replace("/resources/", "/collections/"),
            true.replace("/resources/", "/accounts/"),
            true.replace(resource["id"], other),
            f"{true[:-2]}Z",
            f"{true[:-8]}000000Z",
            f"{true}/x",
        ):
            if false != true:
                problem_of(ask(any_service, false), "not-found")
    problem_of(ask(any_service, announced["id"].replace(resource["id"], other)), "not-found")


def test_drafts_have_no_activities(any_service: Service) -> None:
    """Not even for whoever knows when."""
    draft = share(any_service.member("ada"))
    moment = "20261128T151659000007Z"
    for kind in ("create", "update", "delete"):
        problem_of(ask(any_service, f"{_id_of(draft)}/{kind}/{moment}"), "not-found")


def test_of_one_who_is_blocked_the_work_stays(any_service: Service) -> None:
    """It is public all the same, and the service answers for it."""
    resource = publish(any_service, any_service.member("ada"))
    account = any_service.services.accounts.find(OPERATOR, "ada")
    any_service.services.accounts.change(OPERATOR, account.id, blocked=True)
    (item,) = outbox(any_service, _SERVICE)
    assert (item["type"], item["actor"], item["object"]["id"]) == ("Create", _SERVICE, _id_of(resource))
    assert str(account.id) not in str(item)
    assert read(any_service, item["id"])["id"] == item["id"]
    announced = item["id"].replace("/ap/", "/ap/service/announce/")
    problem_of(ask(any_service, announced), "not-found")


def test_one_who_leaves_is_deleted_by_the_service(any_service: Service) -> None:
    """What they leave is changed: it is by a former member."""
    resource = publish(any_service, any_service.member("ada"))
    person = person_of(any_service, "ada")
    any_service.services.erasing.erase(OPERATOR, UUID(person.rpartition("/")[2]), shared=Shared.LEAVE)
    any_service.work()
    items = outbox(any_service, _SERVICE)
    assert told(items) == [
        ("Update", "Document", _id_of(resource)),
        ("Delete", "Tombstone", person),
        ("Create", "Document", _id_of(resource)),
    ]
    assert {item["actor"] for item in items} == {_SERVICE}
    assert items[0]["object"]["attributedTo"] == [_SERVICE]
    assert read(any_service, items[1]["id"])["object"]["formerType"] == "Person"


def test_one_who_leaves_and_takes_all_along(any_service: Service) -> None:
    resource = publish(any_service, any_service.member("ada"), title="Rivers")
    person = person_of(any_service, "ada")
    any_service.services.erasing.erase(OPERATOR, UUID(person.rpartition("/")[2]), shared=Shared.WITHDRAW)
    any_service.work()
    items = outbox(any_service, _SERVICE)
    assert told(items) == [("Delete", "Tombstone", _id_of(resource)), ("Delete", "Tombstone", person)]
    assert "ada" not in str(items)
    assert "Rivers" not in str(items)
