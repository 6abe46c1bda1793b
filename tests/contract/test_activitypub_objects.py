"""Resources as other servers read them: described, withdrawn, and never before they are public."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from repo_service.domain.resources import LocationState
from repo_service.models import BlobLocation
from storage import Capability
from tests.contract.activitypub import AS, BASE, SCHEMA, ask, expanded, person_of, read
from tests.contract.support import DRAFT_BYTES, path_of, problem_of, publish, sha256, share
from tests.support.fake_ipfs import FakeIpfs, Network
from tests.support.service import OPERATOR, MakeService, Service, json_of, send_file

_PROFILE = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
_DESCRIBED: dict[str, Any] = {
    "title": 'Rivers </script> & "lakes"',
    "summary": "<p>All <b>water</b></p>",
    "languages": ["en", "pt-BR"],
    "subjects": ["0613"],
    "levels": ["level3"],
    "types": ["course"],
    "keywords": ["water"],
    "authors": [{"name": "Ada", "url": "https://example.org/ada"}, {"name": "Ben"}],
}


def _id_of(resource: Any) -> str:
    return f"{BASE}/ap/resources/{resource['id']}"


def _files(document: dict[str, Any]) -> list[dict[str, Any]]:
    files: list[dict[str, Any]]
    page, *files = document["url"]
    assert page["mediaType"] == "text/html"
    return files


def test_everything_that_is_said_of_a_resource(any_service: Service) -> None:
    resource = publish(any_service, any_service.member("ada"), **_DESCRIBED)
    document = read(any_service, _id_of(resource))
    said = expanded(document)
    person = person_of(any_service, "ada")
    assert document["type"] == "Document"  # a plain string: many servers take no list
    assert (said["@id"], said["@type"]) == (_id_of(resource), [f"{AS}Document"])
    assert said[f"{AS}name"] == [{"@value": _DESCRIBED["title"]}]
    assert said[f"{AS}summary"] == [{"@value": "<p>All <b>water</b></p>"}]
    assert said[f"{AS}attributedTo"] == [{"@id": person}]
    assert document["to"] == ["https://www.w3.org/ns/activitystreams#Public"]
    assert document["cc"] == [f"{person}/followers"]
    assert said[f"{SCHEMA}license"] == [{"@id": "https://creativecommons.org/licenses/by/4.0/"}]
    assert said[f"{SCHEMA}about"] == [{"@id": "https://w3id.org/kim/isced-2013/n0613"}]
    assert said[f"{SCHEMA}educationalLevel"] == [{"@id": "https://w3id.org/kim/isced-2011/level3"}]
    assert said[f"{SCHEMA}learningResourceType"] == [{"@id": "https://w3id.org/kim/hcrt/course"}]
    assert said[f"{SCHEMA}inLanguage"] == [{"@value": "en"}, {"@value": "pt-BR"}]
    assert said[f"{SCHEMA}author"] == [{"@value": "Ada"}, {"@value": "Ben"}]
    assert said[f"{SCHEMA}keywords"] == [{"@value": "water"}]
    page, file = said[f"{AS}url"]
    assert page[f"{AS}href"] == [{"@id": f"{BASE}/resources/{resource['id']}"}]
    assert file["@type"] == [f"{AS}Link"]
    assert file[f"{AS}mediaType"] == [{"@value": "text/plain"}]
    assert file[f"{SCHEMA}contentSize"] == [{"@value": len(DRAFT_BYTES)}]
    assert file[f"{SCHEMA}sha256"] == [{"@value": sha256(DRAFT_BYTES)}]
    (href,) = file[f"{AS}href"]
    assert any_service.client().get(path_of(href["@id"])).data == DRAFT_BYTES
    assert "updated" not in document


def test_what_is_not_said_is_left_out(service: Service) -> None:
    document = read(service, _id_of(publish(service, service.member("ada"))))
    assert set(document) == {
        *("@context", "id", "type", "name", "attributedTo", "to", "cc", "license", "published", "url"),
    }


def test_released_versions_only_the_newest_first(any_service: Service) -> None:
    teacher = any_service.member("ada")
    resource = publish(any_service, teacher)
    versions = f"{path_of(resource['api_url'])}/versions"
    before = read(any_service, _id_of(resource))
    json_of(send_file(teacher, b"draft", url=versions, file_name="draft.txt"), 201)
    any_service.work()
    assert read(any_service, _id_of(resource)) == before
    json_of(send_file(teacher, b"third", url=versions, file_name="third edition.txt", release=True), 201)
    any_service.work()
    after = read(any_service, _id_of(resource))
    assert [(file["sha256"], file["href"].rpartition("/")[2]) for file in _files(after)] == [
        (sha256(b"third"), "third%20edition.txt"),
        (sha256(DRAFT_BYTES), "notes.txt"),
    ]
    assert after["updated"] >= after["published"]


def test_a_live_copy_in_ipfs_has_a_link(make_service: MakeService, network: Network) -> None:
    service = make_service(replica_urls=(network.url("one"),))
    resource = publish(service, service.member("ada"))
    service.work()
    ours, ipfs = _files(read(service, _id_of(resource)))
    (cid,) = network.nodes["one"]
    assert ipfs == {**ours, "href": f"ipfs://{cid}"}
    with service.services.database.write() as session:
        for location in session.query(BlobLocation).filter(BlobLocation.store == "ipfs"):
            location.state = LocationState.MISSING.value
    assert _files(read(service, _id_of(resource))) == [ours]


def test_a_private_node_is_nobodys_business(
    make_service: MakeService, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeIpfs, "capabilities", frozenset({Capability.CONTENT_ADDRESSED}))
    service = make_service(replica_urls=(network.url("one"),))
    resource = publish(service, service.member("ada"))
    service.work()
    assert network.nodes["one"]
    (file,) = _files(read(service, _id_of(resource)))
    assert file["href"].startswith(BASE)


def test_a_draft_is_not_there_for_its_owner_either(any_service: Service) -> None:
    """Who asks does not matter here, so nothing that is kept for others depends on it."""
    token = any_service.token("ada")
    draft = share(any_service.client(token))
    for path in (f"/ap/resources/{draft['id']}", f"/resources/{draft['id']}"):
        for client in (any_service.client(), any_service.client(token)):
            answer = client.get(path, headers={"Accept": "application/activity+json"})
            problem_of(answer, "not-found")
    json_of(any_service.client(token).get(path_of(draft["api_url"])))


def test_a_withdrawn_resource_leaves_a_tombstone(any_service: Service) -> None:
    teacher = any_service.member("ada")
    publish(any_service, teacher, b"another")
    resource = publish(any_service, teacher, title="Rivers")
    path = path_of(resource["api_url"])
    assert teacher.post(f"{path}/withdraw", json={"reason": "Names a pupil."}).status_code == 204
    for address in (_id_of(resource), f"{BASE}/resources/{resource['id']}"):
        left = read(any_service, address, 410)
        assert (left["id"], left["type"], left["formerType"]) == (_id_of(resource), "Tombstone", "Document")
        assert set(left) == {"@context", "id", "type", "formerType", "deleted"}
    json_of(teacher.post(f"{path}/restore"))
    assert read(any_service, _id_of(resource))["name"] == "Rivers"


def test_a_draft_that_was_withdrawn_never_was(any_service: Service) -> None:
    teacher = any_service.member("ada")
    draft = share(teacher)
    path = f"{path_of(draft['api_url'])}/withdraw"
    assert teacher.post(path, json={"reason": "x"}).status_code == 204
    problem_of(ask(any_service, _id_of(draft)), "not-found")


def test_the_work_of_one_who_is_blocked_is_the_services(service: Service) -> None:
    resource = publish(service, service.member("ada"))
    account = service.services.accounts.find(OPERATOR, "ada")
    service.services.accounts.change(OPERATOR, account.id, blocked=True)
    document = read(service, _id_of(resource))
    assert document["attributedTo"] == [f"{BASE}/ap/service"]
    assert str(account.id) not in str(document)


def test_an_answer_that_is_still_right_is_not_sent_again(service: Service) -> None:
    teacher = service.member("ada")
    resource = publish(service, teacher)
    first = ask(service, _id_of(resource))
    again = ask(service, _id_of(resource), **{"If-None-Match": f"W/{first.headers['ETag']}"})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": "New"}))
    changed = ask(service, _id_of(resource), **{"If-None-Match": first.headers["ETag"]})
    assert json_of(changed)["name"] == "New"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/activity+json", "application/activity+json"),
        (_PROFILE, _PROFILE),
        (f"{_PROFILE}, application/activity+json;q=0.9", _PROFILE),
        (f"application/activity+json, {_PROFILE}, text/html;q=0.1", "application/activity+json"),
        ("*/*", "application/activity+json"),
        ("text/html", "application/activity+json"),
        ("", "application/activity+json"),
    ],
)
def test_the_type_is_the_one_that_was_asked_for(service: Service, accept: str, kind: str) -> None:
    resource = publish(service, service.member("ada"))
    answer = service.client().get(path_of(_id_of(resource)), headers={"Accept": accept})
    assert answer.headers["Content-Type"] == kind
    assert "Accept" in answer.headers["Vary"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in answer.headers


def test_the_head_alone(service: Service) -> None:
    resource = publish(service, service.member("ada"))
    answer = service.client().head(path_of(_id_of(resource)))
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Type"] == "application/activity+json"


def test_the_id_is_the_one_of_the_catalogue(service: Service) -> None:
    """Neither a title nor a name is part of it."""
    resource = publish(service, service.member("ada"), title="Rivers")
    assert UUID(_id_of(resource).rpartition("/")[2]) == UUID(resource["id"])
    assert read(service, f"{BASE}/resources/{resource['id']}")["id"] == _id_of(resource)
