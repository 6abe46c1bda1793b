"""Collections over the API: put together, arranged, published, hidden, deleted; and who sees what of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from repo_service.domain.identity import Role, Scope
from repo_service.models import Account, AuditEntry, Change
from repo_service.services import collections
from tests.contract.support import nothing_changes, path_of, pointers, problem_of, publish, share
from tests.support.service import OPERATOR, Service, json_of

_ALL = "/api/v1/collections"
_MINE = "/api/v1/me/collections"
_NOWHERE = f"{_ALL}/00000000-0000-7000-8000-000000000000"


def _make(client: FlaskClient, title: str = "Ecology", **given: Any) -> str:
    """A new collection; its path."""
    return path_of(json_of(client.post(_ALL, json={"title": title, **given}), 201)["api_url"])


def _add(client: FlaskClient, collection: str, resource: Any, note: str = "") -> Any:
    return json_of(client.post(f"{collection}/items", json={"resource": resource["id"], "note": note}), 201)


def _titles(client: FlaskClient, collection: str) -> list[str | None]:
    items = json_of(client.get(collection))["items"]
    return [item["resource"] and item["resource"]["title"] for item in items]


def _withdraw(client: FlaskClient, resource: Any) -> None:
    response = client.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "Old."})
    assert response.status_code == 204


def _three(service: Service, owner: FlaskClient) -> list[Any]:
    return [publish(service, owner, name.encode(), title=name) for name in ("Rivers", "Lakes", "Seas")]


def _changes(service: Service) -> list[tuple[str, str, str]]:
    with service.services.database.read() as session:
        rows = session.scalars(select(Change).where(Change.noun.startswith("collection")).order_by(Change.id))
        return [(row.noun, row.noun_id, row.what) for row in rows]


def test_from_the_first_resource_to_everybody(any_service: Service) -> None:
    """A private collection of somebody else's resources, arranged and published."""
    curator, public = any_service.member("curator"), any_service.client()
    resources = _three(any_service, any_service.member("author"))
    made = curator.post(
        _ALL,
        json={
            "title": "  Water ",
            "summary": "<p onclick='x()'>For <b>all</b><script>x()</script></p>",
            "languages": ["pt_br"],
            "subjects": ["052"],
        },
    )
    body = json_of(made, 201)
    assert made.headers["Location"] == body["api_url"]
    assert (body["title"], body["visibility"], body["count"]) == ("Water", "private", 0)
    assert (body["summary"], body["summary_text"]) == ("<p>For <b>all</b></p>", "For all")
    assert body["languages"] == ["pt-BR"]
    path = path_of(body["api_url"])
    for number, resource in enumerate(resources, start=1):
        added = _add(curator, path, resource, f"Note {number}")
        assert (added["items"][-1]["position"], added["items"][-1]["note"]) == (number, f"Note {number}")
    problem_of(public.get(path), "not-found")

    json_of(curator.patch(f"{path}/items/{resources[2]['id']}", json={"position": 1, "note": "First"}))
    assert _titles(curator, path) == ["Seas", "Rivers", "Lakes"]
    json_of(curator.patch(f"{path}/items/{resources[2]['id']}", json={"position": 200}))
    assert _titles(curator, path) == ["Rivers", "Lakes", "Seas"]
    assert curator.delete(f"{path}/items/{resources[0]['id']}").status_code == 204

    shown = json_of(curator.patch(path, json={"visibility": "public"}))
    assert shown["published_at"]
    seen = json_of(public.get(path))
    assert [(item["position"], item["note"]) for item in seen["items"]] == [(1, "Note 2"), (2, "First")]
    assert seen["owner"] == "curator"
    assert seen["items"][0]["resource"]["owner"] == "author"
    assert [c["title"] for c in json_of(public.get(_ALL))["items"]] == ["Water"]
    assert [c["title"] for c in json_of(public.get(f"{_ALL}?owner=curator"))["items"]] == ["Water"]
    assert json_of(public.get(f"{_ALL}?owner=author"))["items"] == []
    assert [c["count"] for c in json_of(curator.get(_MINE))["items"]] == [2]

    item = UUID(body["id"]).hex + UUID(resources[0]["id"]).hex
    told = _changes(any_service)
    assert told[0] == ("collection", body["id"], "created")
    assert ("collection", body["id"], "released") in told
    assert [what for noun, about, what in told if about == item] == ["created", "deleted"]
    with any_service.services.database.read() as session:
        deeds = session.scalars(select(AuditEntry).where(AuditEntry.noun_id == body["id"])).all()
    assert [deed.action for deed in deeds] == [
        *("create", "add", "add", "add", "arrange", "arrange", "remove", "publish", "describe")
    ]


def test_a_private_collection_is_its_curators(any_service: Service) -> None:
    """Others get 404 for everything about it, moderators too, and can change nothing."""
    curator, other, public = any_service.member("curator"), any_service.member("other"), any_service.client()
    moderator = any_service.client(any_service.token("moderator", Role.MODERATOR))
    (resource, *_rest) = _three(any_service, curator)
    path = _make(curator)
    _add(curator, path, resource)
    item = f"{path}/items/{resource['id']}"
    with nothing_changes(any_service):
        for client in (other, moderator):
            problem_of(client.get(path), "not-found")
            problem_of(client.patch(path, json={"title": "Mine"}), "not-found")
            problem_of(client.delete(path), "not-found")
            problem_of(client.post(f"{path}/items", json={"resource": resource["id"]}), "not-found")
            problem_of(client.patch(item, json={"position": 1}), "not-found")
            problem_of(client.delete(item), "not-found")
        problem_of(moderator.post(f"{path}/hide", json={"reason": "x"}), "not-found")
        problem_of(public.get(path), "not-found")
        for answer in (
            public.post(_ALL, json={"title": "x"}),
            public.patch(path, json={"title": "Mine"}),
            public.delete(path),
            public.post(f"{path}/items", json={"resource": resource["id"]}),
            public.patch(item, json={"position": 1}),
            public.delete(item),
            public.get(_MINE),
            public.post(f"{path}/hide", json={"reason": "x"}),
            public.post(f"{path}/show"),
        ):
            problem_of(answer, "unauthorised")
    assert json_of(other.get(_MINE))["items"] == []
    assert json_of(public.get(_ALL))["items"] == []


def test_a_public_collection_is_changed_by_its_curator_alone(service: Service) -> None:
    curator, other = service.member("curator"), service.member("other")
    (resource, *_rest) = _three(service, curator)
    path = _make(curator, visibility="public")
    _add(curator, path, resource)
    item = f"{path}/items/{resource['id']}"
    with nothing_changes(service):
        assert _titles(other, path) == ["Rivers"]
        for answer in (
            other.patch(path, json={"visibility": "private"}),
            other.delete(path),
            other.post(f"{path}/items", json={"resource": resource["id"]}),
            other.patch(item, json={"note": "x"}),
            other.delete(item),
            other.post(f"{path}/hide", json={"reason": "x"}),
            other.post(f"{path}/show"),
        ):
            problem_of(answer, "forbidden")


def test_what_is_not_public_any_more_is_shown_to_nobody_else(any_service: Service) -> None:
    """And the curator is told, without what they may not know."""
    curator, author, public = (
        any_service.member("curator"),
        any_service.member("author"),
        any_service.client(),
    )
    rivers, lakes, seas = _three(any_service, author)
    draft = share(curator, b"draft", title="My draft")
    path = _make(curator, visibility="public")
    for resource in (rivers, draft, lakes, seas):
        _add(curator, path, resource)
    before = public.get(path).headers["ETag"]
    _withdraw(author, rivers)
    shown = json_of(public.get(path))
    assert [(item["position"], item["resource"]["title"]) for item in shown["items"]] == [
        (1, "Lakes"),
        (2, "Seas"),
    ]
    assert shown["count"] == 2
    assert public.get(path).headers["ETag"] != before
    told = json_of(curator.get(path))["items"]
    assert [item["state"] for item in told] == ["withdrawn", "draft", "public", "public"]
    assert told[0]["resource"] is None
    assert told[0]["reason"] == "Old."
    assert told[1]["resource"]["title"] == "My draft"
    moderator = any_service.client(any_service.token("moderator", Role.MODERATOR))
    assert _titles(moderator, path) == ["Lakes", "Seas"]
    for resource in (lakes, seas):
        _withdraw(author, resource)
    assert json_of(public.get(_ALL))["items"] == []  # nothing is in it for anybody
    assert json_of(public.get(path))["items"] == []


def test_what_may_not_be_put_in(service: Service) -> None:
    """What others keep to themselves, what is gone, what is there already."""
    curator, author = service.member("curator"), service.member("author")
    path = _make(curator)
    secret = share(author, b"secret")
    gone, good, *_rest = _three(service, author)
    _withdraw(author, gone)
    _add(curator, path, good)
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    theirs = _make(moderator)

    def put(client: FlaskClient, where: str, resource_id: str, **more: Any) -> Any:
        return client.post(f"{where}/items", json={"resource": resource_id, **more})

    with nothing_changes(service):
        problem_of(put(curator, path, secret["id"]), "not-found")
        problem_of(put(moderator, theirs, secret["id"]), "not-found")
        problem_of(put(curator, path, gone["id"]), "gone")
        problem_of(put(curator, path, good["id"]), "conflict")
        problem_of(put(curator, path, "00000000-0000-7000-8000-000000000000"), "not-found")
        problem_of(put(curator, path, "x"), "invalid-input")
        problem_of(put(curator, path, good["id"], note="x" * 1001), "invalid-input")
        problem_of(put(curator, path, good["id"], note="\x00"), "invalid-input")
        problem_of(put(curator, _NOWHERE, good["id"]), "not-found")
        missing = f"{path}/items/{gone['id']}"
        problem_of(curator.patch(missing, json={"position": 1}), "not-found")
        problem_of(curator.delete(missing), "not-found")
        item = f"{path}/items/{good['id']}"
        for position in (0, -1, 201, "1", 1.5):
            problem_of(curator.patch(item, json={"position": position}), "invalid-input")


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": "\u200b "}, "/title"),
        ({"title": "x" * 501}, "/title"),
        ({}, "/title"),
        ({"title": "x", "summary": "x" * 10_001}, "/summary"),
        ({"title": "x", "languages": ["klingon!"]}, "/languages/0"),
        ({"title": "x", "subjects": ["9999"]}, "/subjects/0"),
        ({"title": "x", "visibility": "draft"}, "/visibility"),
        ({"title": "x", "owner": "somebody"}, "/owner"),
        ({"title": "x", "hidden_at": None}, "/hidden_at"),
    ],
)
def test_what_is_no_description(service: Service, given: dict[str, Any], pointer: str) -> None:
    curator = service.member()
    with nothing_changes(service):
        assert pointers(problem_of(curator.post(_ALL, json=given), "invalid-input")) == [pointer]


def test_there_is_an_end_to_everything(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    curator = service.member("curator")
    monkeypatch.setattr(collections, "MAX_COLLECTIONS", 2)
    monkeypatch.setattr(collections, "MAX_ITEMS", 2)
    first, second = _make(curator), _make(curator, visibility="public")
    rivers, lakes, seas = _three(service, curator)
    _add(curator, first, rivers)
    _add(curator, first, lakes)
    with nothing_changes(service):
        problem_of(curator.post(_ALL, json={"title": "Third"}), "conflict")
        problem_of(curator.post(f"{first}/items", json={"resource": seas["id"]}), "conflict")
    assert curator.delete(second).status_code == 204  # a tombstone takes no room
    _make(curator)
    _make(service.member("other"))


def test_nobody_writes_over_what_they_have_not_read(service: Service) -> None:
    curator = service.member("curator")
    (resource, *_rest) = _three(service, curator)
    path = _make(curator)
    old = curator.get(path).headers["ETag"]
    _add(curator, path, resource)
    item = f"{path}/items/{resource['id']}"
    stale = {"If-Match": old}
    with nothing_changes(service):
        problem_of(curator.patch(path, json={"title": "x"}, headers=stale), "precondition-failed")
        problem_of(curator.patch(item, json={"note": "x"}, headers=stale), "precondition-failed")
        problem_of(curator.delete(item, headers=stale), "precondition-failed")
        problem_of(curator.delete(path, headers=stale), "precondition-failed")
        given = {"resource": resource["id"]}
        problem_of(curator.post(f"{path}/items", json=given, headers=stale), "precondition-failed")
    present = curator.get(path).headers["ETag"]
    assert curator.get(path, headers={"If-None-Match": present}).status_code == 304
    assert curator.get(path, headers={"If-None-Match": old}).status_code == 200
    json_of(curator.patch(item, json={"note": "x"}, headers={"If-Match": present}))
    json_of(curator.patch(item, json={"note": "y"}, headers={"If-Match": "*"}))


def test_what_is_deleted(service: Service) -> None:
    """Nothing stays of what nobody else ever saw; what was public says that it is gone, and no more."""
    curator, public = service.member("curator"), service.client()
    (resource, *_rest) = _three(service, curator)
    private, known = _make(curator), _make(curator, "Known", visibility="public", summary="Words")
    _add(curator, known, resource)
    for path in (private, known):
        assert curator.delete(path).status_code == 204
    problem_of(curator.get(private), "not-found")
    for client in (curator, public):
        problem_of(client.get(known), "gone")
    problem_of(curator.patch(known, json={"title": "x"}), "gone")
    problem_of(curator.delete(known), "gone")
    assert json_of(curator.get(_MINE))["items"] == []
    assert json_of(public.get(_ALL))["items"] == []
    assert json_of(public.get(path_of(resource["api_url"])))["title"] == "Rivers"
    assert [what for _, _, what in _changes(service)][-1] == "deleted"


def test_a_moderator_hides_and_shows(service: Service) -> None:
    curator, public = service.member("curator"), service.client()
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    (resource, *_rest) = _three(service, curator)
    path = _make(curator, visibility="public")
    _add(curator, path, resource)
    with nothing_changes(service):
        problem_of(moderator.post(f"{path}/show"), "conflict")
        problem_of(moderator.post(f"{path}/hide", json={"reason": ""}), "invalid-input")
        problem_of(moderator.post(f"{path}/hide", json={"reason": " "}), "invalid-input")
        problem_of(moderator.post(f"{_NOWHERE}/hide", json={"reason": "x"}), "not-found")
        problem_of(moderator.patch(path, json={"title": "x"}), "forbidden")
    assert moderator.post(f"{path}/hide", json={"reason": "Advertising."}).status_code == 204
    assert problem_of(public.get(path), "gone")["reason"] == "Advertising."
    assert json_of(public.get(_ALL))["items"] == []
    assert json_of(curator.get(path))["hidden_reason"] == "Advertising."
    assert _titles(moderator, path) == ["Rivers"]
    json_of(curator.patch(path, json={"visibility": "private"}))
    json_of(curator.patch(path, json={"visibility": "public"}))
    problem_of(public.get(path), "gone")  # the curator cannot take it back
    assert moderator.post(f"{path}/show").status_code == 204
    assert _titles(public, path) == ["Rivers"]
    curator.delete(path)
    problem_of(moderator.post(f"{path}/hide", json={"reason": "x"}), "gone")
    problem_of(moderator.post(f"{path}/show"), "gone")


def test_a_moderator_shows_no_collection_of_their_own(service: Service) -> None:
    curator = service.client(service.token("curator", Role.MODERATOR))
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    path = _make(curator, visibility="public")
    assert moderator.post(f"{path}/hide", json={"reason": "Advertising."}).status_code == 204
    with nothing_changes(service):
        problem_of(curator.post(f"{path}/show"), "forbidden")
    assert moderator.post(f"{path}/show").status_code == 204


def test_nothing_is_published_by_whom_nobody_can_reach(service: Service) -> None:
    curator = service.member("curator")
    with service.services.database.write() as session:
        session.scalars(select(Account).where(Account.username == "curator")).one().must_confirm = True
    path = _make(curator)
    with nothing_changes(service):
        problem_of(curator.patch(path, json={"visibility": "public"}), "email-unconfirmed")
        problem_of(curator.post(_ALL, json={"title": "x", "visibility": "public"}), "email-unconfirmed")


def test_a_token_that_reads_writes_nothing(service: Service) -> None:
    curator = service.member("curator")
    path = _make(curator)
    reads = service.client(
        json_of(curator.post("/api/v1/me/tokens", json={"name": "r", "scopes": [Scope.READ]}), 201)["secret"]
    )
    shares = service.client(
        json_of(curator.post("/api/v1/me/tokens", json={"name": "s", "scopes": [Scope.SHARE]}), 201)["secret"]
    )
    with nothing_changes(service):
        assert json_of(reads.get(path))["title"] == "Ecology"
        problem_of(reads.patch(path, json={"title": "x"}), "insufficient-scope")
        problem_of(reads.post(_ALL, json={"title": "x"}), "insufficient-scope")
        problem_of(reads.delete(path), "insufficient-scope")
        problem_of(shares.get(path), "insufficient-scope")
        problem_of(shares.get(_MINE), "insufficient-scope")


def test_whose_account_is_blocked_is_listed_nowhere(service: Service) -> None:
    curator, public = service.member("curator"), service.client()
    (resource, *_rest) = _three(service, curator)
    _add(curator, _make(curator, visibility="public"), resource)
    account = next(a for a in service.services.accounts.list(OPERATOR, limit=9).items)
    service.services.accounts.change(OPERATOR, account.id, blocked=True)
    assert json_of(public.get(_ALL))["items"] == []


def test_pages_of_collections(service: Service) -> None:
    curator, public = service.member("curator"), service.client()
    (resource, *_rest) = _three(service, curator)
    for number in range(3):
        _add(curator, _make(curator, f"No. {number}", visibility="public"), resource)
    for url in (_ALL, _MINE):
        first = json_of(curator.get(f"{url}?limit=2"))
        assert [c["title"] for c in first["items"]] == ["No. 2", "No. 1"]
        second = json_of(curator.get(f"{url}?limit=2&cursor={first['next_cursor']}"))
        assert [c["title"] for c in second["items"]] == ["No. 0"]
        assert second["next_cursor"] is None
    problem_of(public.get(f"{_ALL}?cursor=x"), "invalid-cursor")
    problem_of(public.get(f"{_ALL}?owner=%00"), "invalid-input")
    problem_of(public.get(f"{_ALL}?limit=0"), "invalid-input")
