"""What the inbox must refuse, at the endpoint: each with the reason, and with nothing kept of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.network import Standing
from repo_service.federation.addresses import SERVICE
from repo_service.federation.contexts import ACTIVITY_STREAMS, MEDIA_TYPE
from repo_service.federation.messages import Message
from repo_service.federation.signatures import Scheme, SigningKey, cavage
from repo_service.federation.signatures.digests import content_digest, digest
from repo_service.models import NetworkEntry
from repo_service.services import inbox, taking_in
from repo_service.services.inbox import MOST_BYTES
from repo_service.services.throttling import Allowance
from tests.contract.activitypub import BASE
from tests.contract.federating import Peer, alice_of, approve, key_of, peering, send
from tests.contract.support import count, nothing_changes, problem_of, publish, share
from tests.federation.hosts import answer, document, redirect
from tests.federation.peers import with_headers
from tests.support.service import MakeService, Service

both_schemes = pytest.mark.parametrize("scheme", list(Scheme))


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture
def hq(make_service: MakeService, peer: Peer) -> Service:
    """A service that has approved the peer: what is refused, is refused nevertheless."""
    service = make_service(federation_loopback=True)
    approve(service, peer.name)
    service.services.actor_keys.public(SERVICE)  # what makes them is no attack
    return service


def follow(peer: Peer) -> dict[str, Any]:
    return peer.activity("Follow", f"{BASE}/ap/service")


def refused(hq: Service, message: Message, reason: str) -> None:
    """For that reason, and with nothing kept."""
    received = count(hq.services, "received_activities")
    problem = problem_of(send(hq, message), "invalid-signature")
    assert problem["reason"] == reason
    assert count(hq.services, "received_activities") == received


def test_what_is_well_signed_is_taken(hq: Service, peer: Peer) -> None:
    """Or the refusals below would prove nothing."""
    for scheme in Scheme:
        assert peer.post(hq, follow(peer), scheme=scheme).status_code == 202
    assert count(hq.services, "received_activities") == 2


@pytest.mark.parametrize("to", ["/ap/inbox", "/ap/service/inbox"])
def test_no_signature(hq: Service, peer: Peer, to: str) -> None:
    body = json.dumps(follow(peer)).encode()
    with nothing_changes(hq):
        refused(
            hq,
            Message("POST", f"{BASE}{to}", (("Content-Type", MEDIA_TYPE), ("Host", BASE[7:])), body),
            "missing",
        )
    assert peer.host.requests == []


def test_a_token_of_ours_is_no_signature(hq: Service, peer: Peer) -> None:
    client = hq.member("ada")
    body, host = json.dumps(follow(peer)), {"Host": BASE[7:]}
    answered = client.post("/ap/inbox", data=body, content_type=MEDIA_TYPE, headers=host)
    assert problem_of(answered, "invalid-signature")["reason"] == "missing"


@both_schemes
def test_a_wrong_key(hq: Service, peer: Peer, scheme: Scheme) -> None:
    """One that says that it is Alice's."""
    wrong = SigningKey(peer.key.key_id, key_of(number=1).native)
    refused(hq, peer.message(hq, follow(peer), key=wrong, scheme=scheme), "mismatch")


@both_schemes
def test_a_key_that_its_owner_does_not_name(hq: Service, peer: Peer, scheme: Scheme) -> None:
    """Another document on the same host says that it is a key of Alice's."""
    forged = SigningKey(peer.id("mallory#main-key"), key_of(number=1).native)
    peer.host.replies["/mallory"] = document(
        {
            **alice_of(peer, forged),
            "id": peer.id("mallory"),
            "publicKey": {"id": forged.key_id, "owner": peer.alice, "publicKeyPem": forged.public.pem},
        }
    )
    refused(hq, peer.message(hq, follow(peer), key=forged, scheme=scheme), "key-untrusted")


@both_schemes
def test_the_key_of_somebody_on_another_host(hq: Service, peer: Peer, scheme: Scheme) -> None:
    """Who signs with their own key speaks for nobody else."""
    with peering() as other:
        mallory = SigningKey(other.key.key_id, other.key.native)
        refused(hq, peer.message(hq, follow(peer), key=mallory, scheme=scheme), "actor-mismatch")


@both_schemes
def test_another_actor_of_the_same_host(hq: Service, peer: Peer, scheme: Scheme) -> None:
    forged = {**follow(peer), "actor": peer.id("users/bob")}
    refused(hq, peer.message(hq, forged, scheme=scheme), "actor-mismatch")


@both_schemes
def test_an_altered_body(hq: Service, peer: Peer, scheme: Scheme) -> None:
    message = peer.message(hq, follow(peer), scheme=scheme)
    altered = Message(
        message.method, message.url, message.headers, message.body.replace(b"Follow", b"Create")
    )
    refused(hq, altered, "digest-mismatch")


@both_schemes
def test_an_altered_body_with_a_digest_that_fits(hq: Service, peer: Peer, scheme: Scheme) -> None:
    message = peer.message(hq, follow(peer), scheme=scheme)
    body = message.body.replace(b"Follow", b"Create")
    fits = {"Digest": digest(body)} if scheme is Scheme.CAVAGE else {"Content-Digest": content_digest(body)}
    refused(hq, replace(with_headers(message, fits), body=body), "mismatch")


@both_schemes
def test_a_digest_that_is_not_covered(hq: Service, peer: Peer, scheme: Scheme) -> None:
    """It is there and fits, and the signature is right for what it covers: any body could have been put
    there."""
    refused(hq, signed_over(hq, peer, scheme, body=False), "digest-uncovered")
    assert send(hq, signed_over(hq, peer, scheme, body=True)).status_code == 202


def signed_over(hq: Service, peer: Peer, scheme: Scheme, *, body: bool) -> Message:
    """A Follow, whose signature is put together here and covers just what others do, with its body or not."""
    whole = peer.message(hq, follow(peer), scheme=scheme)

    def signed(text: bytes) -> str:
        return base64.b64encode(peer.key.sign(text)).decode()

    if scheme is Scheme.CAVAGE:
        covered = ("(request-target)", "host", "date", *(["digest"] if body else []))
        signature = signed(cavage.signing_string(whole, covered, {}))
        fields = f'keyId="{peer.key.key_id}",algorithm="rsa-sha256",headers="{" ".join(covered)}"'
        return with_headers(whole, {"Signature": f'{fields},signature="{signature}"'})
    components = {"@method": whole.method, "@target-uri": whole.url}
    components |= {"content-digest": content_digest(whole.body)} if body else {}
    names = " ".join(f'"{name}"' for name in components)
    created = int(datetime.now(UTC).timestamp())
    parameters = f'({names});created={created};keyid="{peer.key.key_id}";alg="rsa-v1_5-sha256"'
    lines = [
        *(f'"{name}": {value}' for name, value in components.items()),
        f'"@signature-params": {parameters}',
    ]
    signature = signed("\n".join(lines).encode())
    return with_headers(whole, {"Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{signature}:"})


@both_schemes
@pytest.mark.parametrize(("ago", "reason"), [(timedelta(hours=2), "stale"), (-timedelta(hours=1), "future")])
def test_the_time(hq: Service, peer: Peer, scheme: Scheme, ago: timedelta, reason: str) -> None:
    then = datetime.now(UTC) - ago
    refused(hq, peer.message(hq, follow(peer), scheme=scheme, now=then), reason)


@both_schemes
def test_a_replay(hq: Service, peer: Peer, scheme: Scheme) -> None:
    message = peer.message(hq, follow(peer), scheme=scheme)
    assert send(hq, message).status_code == 202
    refused(hq, message, "replayed")


def test_the_same_activity_signed_anew_is_taken_and_does_nothing(hq: Service, peer: Peer) -> None:
    activity = peer.activity("Create", peer.note())
    assert peer.post(hq, activity).status_code == 202
    assert peer.post(hq, activity, scheme=Scheme.RFC9421).status_code == 202
    assert count(hq.services, "received_activities") == 1


def test_another_path_and_another_host(hq: Service, peer: Peer) -> None:
    message = peer.message(hq, follow(peer))
    refused(hq, replace(message, url=f"{BASE}/ap/service/inbox"), "mismatch")
    refused(hq, with_headers(message, {"Host": "other.example"}), "wrong-host")


def forbidden(hq: Service, peer: Peer, activity: dict[str, Any]) -> None:
    before = count(hq.services, "received_activities")
    problem_of(peer.post(hq, activity), "forbidden")
    assert count(hq.services, "received_activities") == before


@pytest.mark.parametrize("type_", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_things_of_another_host(hq: Service, peer: Peer, type_: str, whole: bool) -> None:
    with peering() as other:
        thing = other.note()
        forbidden(hq, peer, peer.activity(type_, thing if whole else thing["id"]))


def test_an_activity_by_the_id_of_another_host(hq: Service, peer: Peer) -> None:
    """Or whoever is first could have the real one taken for a repetition."""
    with peering() as other:
        forbidden(hq, peer, {**follow(peer), "id": other.id()})


def test_undoing_what_somebody_else_did(hq: Service, peer: Peer) -> None:
    with peering() as other:
        forbidden(hq, peer, peer.activity("Undo", follow(other)))


def test_undoing_an_announce_of_somebody_else(hq: Service, peer: Peer) -> None:
    """Whole, by its id, and whole without saying whose it is; of another host, and of a neighbour."""
    with peering() as other:
        approve(hq, other.name)
        theirs = other.activity("Announce", other.id())
        assert other.post(hq, theirs).status_code == 202
        anonymous = {name: value for name, value in theirs.items() if name != "actor"}
        for forged in (theirs, theirs["id"], anonymous, {**theirs, "actor": peer.alice}):
            forbidden(hq, peer, peer.activity("Undo", forged))
    bob = neighbour(peer)
    theirs = peer.activity("Announce", peer.id())
    assert peer.post(hq, theirs).status_code == 202
    for forged in (theirs, theirs["id"], {**theirs, "actor": bob.alice}):
        forbidden(hq, bob, bob.activity("Undo", forged))
    assert peer.post(hq, peer.activity("Undo", theirs)).status_code == 202


def neighbour(peer: Peer) -> Peer:
    """Bob, on the same host as Alice."""
    own = peer.id("users/bob")
    key = SigningKey(f"{own}#main-key", key_of(number=1).native)
    bob = replace(peer, alice=own, key=key)
    peer.serves(alice_of(bob, key))
    return bob


@pytest.mark.parametrize("type_", ["Add", "Remove"])
def test_the_collection_of_another_host(hq: Service, peer: Peer, type_: str) -> None:
    """Named, or whole; where it is one's own thing that would be put there, too."""
    with peering() as other:
        approve(hq, other.name)
        collection = {**other.note(), "type": "Collection"}
        for about in (other.id(), peer.id()):
            for target in (collection, collection["id"]):
                forbidden(hq, peer, peer.activity(type_, about, target=target))
                forbidden(hq, peer, peer.activity("Announce", peer.activity(type_, about, target=target)))
        if type_ == "Remove":
            forbidden(hq, peer, peer.activity(type_, other.id(), origin=collection["id"]))
    assert peer.post(hq, peer.activity(type_, peer.id(), target=peer.id())).status_code == 202


def test_a_forged_announce_of_what_is_private_here(hq: Service, peer: Peer) -> None:
    """By its id, as a copy, and as the object of an activity. What there is not is answered like it."""
    teacher = hq.member("ada")
    draft, shown = share(teacher, title="Secret"), publish(hq, teacher, b"public")
    ids = [f"{BASE}/ap/resources/{one}" for one in (draft["id"], "0190a0a0-0000-7000-8000-000000000000")]
    for private in ids:
        copy = peer.note(id=private)
        forbidden(hq, peer, peer.activity("Announce", private))
        forbidden(hq, peer, peer.activity("Announce", copy))
        inner = {**peer.activity("Create", copy), "actor": f"{BASE}/ap/service"}
        forbidden(hq, peer, peer.activity("Announce", inner))
    public = f"{BASE}/ap/resources/{shown['id']}"
    assert peer.post(hq, peer.activity("Announce", public)).status_code == 202


def test_a_forged_announce_of_what_is_private_elsewhere(hq: Service, peer: Peer) -> None:
    """A copy of it is worth nothing: its home is asked, and says that there is no such thing."""
    with peering() as other:
        approve(hq, other.name)
        private = other.note(name="Secret")
        for forged in (private, {**other.activity("Create", private)}):
            activity = peer.activity("Announce", forged)
            assert peer.post(hq, activity).status_code in (202, 403)
        hq.work()
        assert _entries(hq) == []


def test_what_is_for_followers_only_is_not_kept(hq: Service, peer: Peer) -> None:
    for audience in ([f"{peer.alice}/followers"], []):
        note = peer.note(to=audience)
        assert peer.post(hq, peer.activity("Create", note, to=audience)).status_code == 202
    note = peer.note(to=[f"{peer.alice}/followers"])
    assert peer.post(hq, peer.activity("Create", note)).status_code == 202  # which says more than its object
    hq.work()
    assert _entries(hq) == []


def _entries(hq: Service) -> list[Any]:
    with hq.services.database.read() as session:
        return list(session.scalars(select(NetworkEntry).where(NetworkEntry.deleted_at.is_(None))))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"1," * 200_000 + b"1]",
        b'{"id": "\\ud800"}',
        b"{",
        b"null",
        b"[]",
        b"{}",
    ],
    ids=["deep", "deeper", "wide", "half a character", "cut off", "null", "list", "nothing"],
)
def test_json_that_is_none_or_does_harm(hq: Service, peer: Peer, body: bytes) -> None:
    """Well signed: who has a key need not be good."""
    problem_of(peer.post(hq, body), "malformed-request")
    assert count(hq.services, "received_activities") == 0


def test_a_huge_body_is_not_read(hq: Service) -> None:
    class Unread(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

    answered = hq.client().post(
        "/ap/inbox",
        input_stream=Unread(),
        content_type=MEDIA_TYPE,
        environ_overrides={"CONTENT_LENGTH": str(MOST_BYTES + 1)},
    )
    assert problem_of(answered, "payload-too-large")["limit"] == MOST_BYTES


def test_a_body_without_a_length_and_of_another_type(hq: Service) -> None:
    chunked = hq.client().post("/ap/inbox", content_type=MEDIA_TYPE, headers={"Transfer-Encoding": "chunked"})
    problem_of(chunked, "length-required")
    problem_of(hq.client().post("/ap/inbox", json={}), "unsupported-media-type")
    problem_of(
        hq.client().post("/ap/inbox", data=b"a=b", content_type="text/plain"), "unsupported-media-type"
    )


@pytest.mark.parametrize(
    "context",
    [
        None,
        "{peer}/context",
        ["{peer}/context"],
        [ACTIVITY_STREAMS, {"actor": "http://schema.org/agent"}],
        [ACTIVITY_STREAMS, {"object": {"@id": "http://schema.org/object"}}],
    ],
    ids=["none", "remote", "remote in a list", "another actor", "another object"],
)
def test_contexts(hq: Service, peer: Peer, context: Any) -> None:
    """One that is elsewhere is never fetched, and one that changes who does what is not taken."""
    at_peer = json.loads(json.dumps(context).replace("{peer}", f"http://{peer.name}"))
    problem_of(peer.post(hq, {**follow(peer), "@context": at_peer}), "malformed-request")
    assert not [request for request in peer.host.requests if b"/context" in request]


def test_a_context_elsewhere_beside_that_of_activitystreams_is_not_fetched(hq: Service, peer: Peer) -> None:
    contexts = [ACTIVITY_STREAMS, peer.id("context"), {"MN": "http://moodle.net/#", "@language": "en"}]
    assert peer.post(hq, {**follow(peer), "@context": contexts}).status_code == 202
    hq.work()
    assert not [request for request in peer.host.requests if b"/context" in request]


def test_keys_are_not_fetched_from_ones_own_network(make_service: MakeService, peer: Peer) -> None:
    """As it is set up for others: nothing on this machine, whoever names it."""
    service = make_service()
    problem = problem_of(peer.post(service, follow(peer)), "invalid-signature")
    assert problem["reason"] == "key-untrusted"
    assert peer.host.requests == []


def test_who_is_blocked_makes_us_ask_for_nothing(hq: Service, peer: Peer) -> None:
    """Not even for the key, which is known of nobody here yet."""
    approve(hq, peer.name, Standing.BLOCKED)
    with nothing_changes(hq):
        problem_of(peer.post(hq, follow(peer)), "forbidden")
    assert peer.host.requests == []


def test_a_key_behind_a_redirect_to_another_host(hq: Service, peer: Peer) -> None:
    with peering() as other:
        peer.host.replies["/users/alice"] = redirect(other.alice)
        refused(hq, peer.message(hq, follow(peer)), "key-untrusted")


def test_a_server_of_keys_that_fails_is_no_proof(hq: Service, peer: Peer) -> None:
    peer.host.replies["/users/alice"] = answer(status="503 Service Unavailable")
    problem = problem_of(peer.post(hq, follow(peer)), "signer-unreachable")
    assert problem["retry_after"] > 0


def few(allowance: Allowance) -> Allowance:
    return replace(allowance, burst=3, every=timedelta(minutes=1))


def flood(send_one: Callable[[], Any]) -> list[int]:
    return [send_one().status_code for _ in range(5)]


def test_a_flood_of_what_proves_nothing(hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends it waits; who signs is let in all the while."""
    monkeypatch.setattr(inbox, "REFUSED", few(inbox.REFUSED))
    body = json.dumps(follow(peer))

    def unsigned() -> Any:
        return hq.client().post("/ap/inbox", data=body, content_type=MEDIA_TYPE)

    assert flood(unsigned) == [401, 401, 401, 429, 429]
    assert peer.post(hq, follow(peer)).status_code == 202


def test_a_flood_of_keys_to_look_for(hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request names another key: the third is the last that makes us ask."""
    monkeypatch.setattr(inbox, "LOOKED_UP", few(inbox.LOOKED_UP))

    def another() -> Any:
        return peer.post(hq, follow(peer), key=SigningKey(peer.id(), peer.key.native))

    assert flood(another) == [401, 401, 401, 429, 429]
    assert len(peer.host.requests) == 3


def test_a_flood_of_activities(hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server waits, the others do not."""
    monkeypatch.setattr(taking_in, "TAKEN", few(taking_in.TAKEN))
    assert flood(lambda: peer.post(hq, follow(peer))) == [202, 202, 202, 429, 429]
    with peering() as other:
        assert other.post(hq, follow(other)).status_code == 202


def test_an_inbox_of_nobody(hq: Service, peer: Peer) -> None:
    nobody = "/ap/accounts/0190a0a0-0000-7000-8000-000000000000/inbox"
    problem_of(peer.post(hq, follow(peer), to=nobody), "not-found")


def test_a_mirror_has_no_inbox(make_service: MakeService, peer: Peer) -> None:
    mirror = make_service(read_only=True, federation_loopback=True)
    assert peer.post(mirror, follow(peer)).status_code in (403, 404, 405)
    assert peer.host.requests == []
