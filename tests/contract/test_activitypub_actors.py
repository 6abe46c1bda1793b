"""Actors as other servers read them: the service, people, collections; and who is none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import select

from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.federation.addresses import SERVICE, ActorKind, ActorRef
from repo_service.federation.keys import Algorithm
from repo_service.models import ActorKey, Resource
from repo_service.services.erasing import Shared
from tests.contract.activitypub import AS, BASE, SECURITY, ask, expanded, person_of, read
from tests.contract.support import nothing_changes, path_of, problem_of, publish, share
from tests.support.service import OPERATOR, MakeService, Service, json_of

_SERVICE = f"{BASE}/ap/service"
_NOBODY = "00000000-0000-7000-8000-000000000000"
_BELOW = ("", "/outbox", "/outbox?page=first", "/followers", "/following")


def _collection(service: Service, client: Any, *resources: Any, **given: Any) -> str:
    """A new public collection; its id as an actor."""
    given = {"title": "Water", "visibility": "public", **given}
    made = json_of(client.post("/api/v1/collections", json=given), 201)
    for resource in resources:
        added = client.post(f"/api/v1/collections/{made['id']}/items", json={"resource": resource["id"]})
        json_of(added, 201)
    return f"{BASE}/ap/collections/{made['id']}"


def _api(actor: str) -> str:
    return actor.replace(f"{BASE}/ap/", "/api/v1/")


# What is there


def test_the_service(any_service: Service) -> None:
    actor = read(any_service, _SERVICE)
    said = expanded(actor)
    assert said["@type"] == [f"{AS}Application"]
    assert said["@id"] == _SERVICE
    assert said["http://www.w3.org/ns/ldp#inbox"] == [{"@id": f"{_SERVICE}/inbox"}]
    for name in ("outbox", "followers", "following"):
        assert said[f"{AS}{name}"] == [{"@id": f"{_SERVICE}/{name}"}]
    assert said[f"{AS}endpoints"][0][f"{AS}sharedInbox"] == [{"@id": f"{BASE}/ap/inbox"}]
    assert said[f"{AS}manuallyApprovesFollowers"] == [{"@value": False}]
    implemented = [link[f"{AS}href"][0]["@id"] for link in said["https://w3id.org/fep/844e#implements"]]
    assert "https://datatracker.ietf.org/doc/html/rfc9421" in implemented
    assert (actor["preferredUsername"], actor["url"]) == ("_service", f"{BASE}/")
    assert actor["name"] == any_service.settings.site_name
    assert "generator" not in actor


def test_a_person(any_service: Service) -> None:
    account = any_service.services.accounts.create(OPERATOR, username="ada", display_name="Ada Lovelace")
    issued = any_service.services.accounts.issue_token(
        OPERATOR, name="t", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
    )
    publish(any_service, any_service.client(issued.secret))
    own = person_of(any_service, "ada")
    assert own == f"{BASE}/ap/accounts/{account.id}"
    actor = read(any_service, own)
    said = expanded(actor)
    assert (actor["id"], actor["type"]) == (own, "Person")
    assert (actor["preferredUsername"], actor["name"]) == ("ada", "Ada Lovelace")
    assert said["https://purl.archive.org/socialweb/webfinger#webfinger"] == [
        {"@value": "ada@127.0.0.1:8080"}
    ]
    assert actor["url"] == f"{BASE}/people/ada"
    assert any_service.client().get(path_of(actor["url"])).status_code == 200
    assert actor["published"] == account.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    (generator,) = said[f"{AS}generator"]
    assert generator["@id"] == _SERVICE
    assert len(generator["https://w3id.org/fep/844e#implements"]) == 2


def test_a_collection(any_service: Service) -> None:
    curator = any_service.member("curator")
    resource = publish(any_service, any_service.member("author"))
    own = _collection(any_service, curator, resource, summary="<p>For <b>all</b></p>")
    actor = read(any_service, own)
    said = expanded(actor)
    assert (actor["id"], actor["type"], actor["name"]) == (own, "Group", "Water")
    assert actor["preferredUsername"] == f"_collection-{own.rpartition('/')[2]}"
    assert actor["summary"] == "<p>For <b>all</b></p>"
    assert said[f"{AS}attributedTo"] == [{"@id": person_of(any_service, "curator")}]
    assert actor["url"] == own.replace("/ap/", "/")
    assert any_service.client().get(path_of(actor["url"])).status_code == 200


def test_one_who_only_curates_is_somebody(service: Service) -> None:
    _collection(service, service.member("curator"), publish(service, service.member("author")))
    assert read(service, person_of(service, "curator"))["name"] == "curator"


def test_followers_are_counted_and_not_named(any_service: Service) -> None:
    publish(any_service, any_service.member("ada"))
    for own in (_SERVICE, person_of(any_service, "ada")):
        for name in ("followers", "following"):
            listed = read(any_service, f"{own}/{name}")
            assert {**listed, "@context": None} == {
                "@context": None,
                "id": f"{own}/{name}",
                "type": "OrderedCollection",
                "totalItems": 0,
            }


# Keys


def test_signatures_fit_the_published_keys(any_service: Service) -> None:
    """Both kinds of keys, read from the document alone."""
    actor = read(any_service, _SERVICE)
    said = expanded(actor)
    (key,) = said[f"{SECURITY}publicKey"]
    assert key["@id"] == f"{_SERVICE}#main-key"
    assert key[f"{SECURITY}owner"] == [{"@id": _SERVICE}]
    rsa = load_pem_private_key(any_service.services.actor_keys.private(SERVICE, Algorithm.RSA), None)
    assert isinstance(rsa, RSAPrivateKey)
    spki = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert actor["publicKey"]["publicKeyPem"] == spki.decode()

    (multikey,) = said[f"{SECURITY}assertionMethod"]
    assert (multikey["@id"], multikey["@type"]) == (f"{_SERVICE}#ed25519-key", [f"{SECURITY}Multikey"])
    assert multikey[f"{SECURITY}controller"] == [{"@id": _SERVICE}]
    (written,) = multikey[f"{SECURITY}publicKeyMultibase"]
    assert written["@type"] == f"{SECURITY}multibase"
    ed25519 = load_pem_private_key(any_service.services.actor_keys.private(SERVICE, Algorithm.ED25519), None)
    assert isinstance(ed25519, Ed25519PrivateKey)
    public = Ed25519PublicKey.from_public_bytes(base58.b58decode(written["@value"][1:])[2:])
    public.verify(ed25519.sign(b"said"), b"said")


def test_keys_are_made_once_and_kept_sealed(any_service: Service) -> None:
    publish(any_service, any_service.member("ada"))
    person = person_of(any_service, "ada")
    first = [read(any_service, own) for own in (_SERVICE, person)]
    with nothing_changes(any_service):
        assert [read(any_service, own) for own in (_SERVICE, person)] == first
    assert first[0]["publicKey"]["publicKeyPem"] != first[1]["publicKey"]["publicKeyPem"]
    with any_service.services.database.read() as session:
        rows = session.scalars(select(ActorKey)).all()
    assert sorted((row.actor.partition("/")[0], row.algorithm) for row in rows) == [
        *(("accounts", algorithm) for algorithm in ("ed25519", "rsa-2048")),
        *(("service", algorithm) for algorithm in ("ed25519", "rsa-2048")),
    ]
    assert all(b"PRIVATE" not in row.private_key and "PRIVATE" not in row.public_key for row in rows)


def test_of_many_who_need_a_key_at_once_all_get_the_same(any_service: Service) -> None:
    keys = any_service.services.actor_keys
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: keys.public(SERVICE), range(4)))
    assert len(set(found)) == 1


def test_another_secret_means_other_keys(make_service: MakeService, tmp_path: Path) -> None:
    """What was sealed with a secret that is lost is lost; the service goes on with a key that it can use."""
    folder = tmp_path / "data"
    before = make_service(data_dir=folder, secret_key="a" * 32)
    old = read(before, _SERVICE)
    before.services.close()
    after = make_service(data_dir=folder, secret_key="b" * 32)
    private = load_pem_private_key(after.services.actor_keys.private(SERVICE, Algorithm.ED25519), None)
    assert isinstance(private, Ed25519PrivateKey)
    new = read(after, _SERVICE)
    assert new["assertionMethod"] != old["assertionMethod"]
    (multikey,) = new["assertionMethod"]
    public = base58.b58decode(multikey["publicKeyMultibase"][1:])[2:]
    assert public == private.public_key().public_bytes_raw()


def test_who_is_nobody_gets_no_keys(service: Service) -> None:
    share(service.member("ben"))
    account = service.services.accounts.find(OPERATOR, "ben")
    with nothing_changes(service):
        for own in (f"{BASE}/ap/accounts/{account.id}", f"{BASE}/ap/collections/{_NOBODY}"):
            problem_of(ask(service, own), "not-found")


# Who is none


def _all_refuse(service: Service, own: str, code: str) -> None:
    """The actor and all that hangs on it."""
    for below in _BELOW:
        answer = ask(service, own + below)
        if code == "gone" and not below:
            assert answer.status_code == 410
        else:
            problem_of(answer, code)


def _blocked(service: Service, account_id: UUID) -> None:
    service.services.accounts.change(OPERATOR, account_id, blocked=True)


def _withdrawn(service: Service, account_id: UUID) -> None:
    (resource,) = json_of(service.client().get("/api/v1/resources"))["items"]
    moderator = service.client(service.token("keeper", Role.MODERATOR))
    path = f"/api/v1/resources/{resource['id']}/withdraw"
    assert moderator.post(path, json={"reason": "Old."}).status_code == 204


@pytest.mark.parametrize("becomes", [_blocked, _withdrawn])
def test_a_person_whom_nobody_sees_any_more(
    any_service: Service, becomes: Callable[[Service, UUID], None]
) -> None:
    publish(any_service, any_service.member("ada"))
    own = person_of(any_service, "ada")
    read(any_service, own)
    becomes(any_service, UUID(own.rpartition("/")[2]))
    _all_refuse(any_service, own, "not-found")
    problem_of(ask(any_service, f"{BASE}/people/ada"), "not-found")


@pytest.mark.parametrize("shared", list(Shared))
def test_a_person_who_has_left_leaves_a_tombstone(any_service: Service, shared: Shared) -> None:
    publish(any_service, any_service.member("ada"))
    own = person_of(any_service, "ada")
    any_service.services.erasing.erase(OPERATOR, UUID(own.rpartition("/")[2]), shared=shared)
    any_service.work()
    left = read(any_service, own, 410)
    assert (left["id"], left["type"], left["formerType"]) == (own, "Tombstone", "Person")
    assert set(left) == {"@context", "id", "type", "formerType", "deleted"}
    _all_refuse(any_service, own, "gone")


def test_one_who_left_without_sharing_was_never_there(service: Service) -> None:
    service.member("ben")
    account = service.services.accounts.find(OPERATOR, "ben")
    service.services.erasing.erase(OPERATOR, account.id, shared=Shared.LEAVE)
    _all_refuse(service, f"{BASE}/ap/accounts/{account.id}", "not-found")


def test_whose_work_is_mirrored_only_is_nobody(service: Service) -> None:
    """A copy of what another service publishes makes nobody an actor of this one."""
    resource = publish(service, service.member("ada"))
    own = person_of(service, "ada")
    _set_origin(service, resource)
    problem_of(ask(service, own), "not-found")
    problem_of(ask(service, f"{BASE}/ap/resources/{resource['id']}"), "not-found")


def _set_origin(service: Service, resource: Any) -> None:
    with service.services.database.write() as session:
        session.get_one(Resource, UUID(resource["id"])).origin = "https://home.example/resources/1"


def test_a_private_collection_is_none(any_service: Service) -> None:
    curator = any_service.member("curator")
    resource = publish(any_service, any_service.member("author"))
    own = _collection(any_service, curator, resource, visibility="private")
    _all_refuse(any_service, own, "not-found")
    json_of(curator.patch(_api(own), json={"visibility": "public"}))
    read(any_service, own)
    json_of(curator.patch(_api(own), json={"visibility": "private"}))
    _all_refuse(any_service, own, "not-found")


def test_a_hidden_collection_is_gone_until_it_is_shown_again(any_service: Service) -> None:
    moderator = any_service.client(any_service.token("keeper", Role.MODERATOR))
    resource = publish(any_service, any_service.member("author"))
    own = _collection(any_service, any_service.member("curator"), resource)
    assert moderator.post(f"{_api(own)}/hide", json={"reason": "Advertising."}).status_code == 204
    left = read(any_service, own, 410)
    assert (left["type"], left["formerType"]) == ("Tombstone", "Group")
    assert "Advertising" not in str(left)
    _all_refuse(any_service, own, "gone")
    assert moderator.post(f"{_api(own)}/show").status_code == 204
    assert read(any_service, own)["type"] == "Group"


def test_a_deleted_collection_leaves_a_tombstone(any_service: Service) -> None:
    curator = any_service.member("curator")
    own = _collection(any_service, curator, publish(any_service, any_service.member("author")))
    assert curator.delete(_api(own)).status_code == 204
    left = read(any_service, own, 410)
    assert (left["id"], left["formerType"]) == (own, "Group")
    assert "Water" not in str(left)
    _all_refuse(any_service, own, "gone")


def test_a_blocked_curator_is_not_named(service: Service) -> None:
    own = _collection(service, service.member("curator"), publish(service, service.member("author")))
    curator = read(service, own)["attributedTo"]
    _blocked(service, UUID(curator.rpartition("/")[2]))
    assert "attributedTo" not in read(service, own)


@pytest.mark.parametrize(
    "path",
    [
        f"accounts/{_NOBODY}",
        f"collections/{_NOBODY}",
        f"resources/{_NOBODY}",
        "accounts/ada",
        "",
        "nothing",
        f"resources/{_NOBODY}/outbox",
    ],
)
def test_what_there_is_not(service: Service, path: str) -> None:
    """Browsers get no page either: nothing under this path is one."""
    for accept in ("application/activity+json", "text/html"):
        problem_of(service.client().get(f"/ap/{path}", headers={"Accept": accept}), "not-found")


def test_a_mirror_publishes_nothing(make_service: MakeService, tmp_path: Path) -> None:
    """It makes no keys, and is nobody: what is there is published at its home."""
    folder = tmp_path / "data"
    before = make_service(data_dir=folder)
    resource = publish(before, before.member("ada"))
    person = person_of(before, "ada")
    before.services.close()
    mirror = make_service(data_dir=folder, read_only=True)
    with nothing_changes(mirror):
        for own in (_SERVICE, person):
            _all_refuse(mirror, own, "not-found")
        problem_of(ask(mirror, f"{BASE}/ap/resources/{resource['id']}"), "not-found")
        for path in ("/.well-known/nodeinfo", "/nodeinfo/2.1"):
            problem_of(mirror.client().get(path), "not-found")
        asked = "/.well-known/webfinger?resource=acct:ada@127.0.0.1:8080"
        problem_of(mirror.client().get(asked), "not-found")


def test_refs_name_rows_that_keys_are_kept_under() -> None:
    """Changing this would lose every key."""
    assert SERVICE.path == "service"
    assert ActorRef(ActorKind.ACCOUNT, UUID(_NOBODY)).path == f"accounts/{_NOBODY}"
    assert ActorRef(ActorKind.COLLECTION, UUID(_NOBODY)).path == f"collections/{_NOBODY}"
