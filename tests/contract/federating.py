"""Services that speak with each other over sockets on this machine, and a peer that signs as it likes."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from repo_service.domain.network import Standing
from repo_service.federation.contexts import ACTIVITY_STREAMS, MEDIA_TYPE, PUBLIC
from repo_service.federation.messages import Message
from repo_service.federation.signatures import Scheme, SigningKey, sign
from repo_service.federation.signatures.keys import Kind
from tests.contract.support import path_of
from tests.federation.hosts import Host, answer, document, serving
from tests.support.service import OPERATOR, MakeService, Service
from tests.support.services import free_port


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Tests show what fails by themselves."""


@contextmanager
def federated(make_service: MakeService, **settings: Any) -> Iterator[Service]:
    """A service that others on this machine can speak with. Its jobs are done when the test says so."""
    port = free_port()
    service = make_service(base_url=f"http://127.0.0.1:{port}", federation_loopback=True, **settings)
    with _answering(service, port):
        yield service


@contextmanager
def _answering(service: Service, port: int) -> Iterator[None]:
    server = make_server("127.0.0.1", port, service.app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def service_actor(service: Service) -> str:
    """The id of the service as an actor."""
    return f"{service.settings.base_url}/ap/service"


def host_of(service: Service) -> str:
    """As other servers name it."""
    return service.settings.base_url.partition("://")[2]


def work(*services: Service) -> None:
    """Do what all their workers would do, and what comes of that on either side."""
    for _ in range(3):
        for service in services:
            service.work()


def approve(service: Service, host: str, standing: Standing = Standing.APPROVED) -> None:
    """As an administrator does."""
    service.services.instances.decide(OPERATOR, host, standing)


@functools.cache
def key_of(kind: Kind = "rsa", number: int = 0) -> SigningKey:
    """A key; another one for each number. RSA keys take long to make."""
    return SigningKey.generate("unused", kind)


@dataclass
class Peer:
    """Another server with one actor, Alice, who has a key. What comes to its inbox is in ``inbox``."""

    host: Host
    key: SigningKey
    alice: str
    said: int = 0
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def inbox(self) -> list[dict[str, Any]]:
        """The bodies of what was posted."""
        return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in self.posted]

    @property
    def posted(self) -> list[bytes]:
        """Whole requests."""
        return [request for request in self.host.requests if request.startswith(b"POST ")]

    @property
    def name(self) -> str:
        """Its host, as others name it."""
        return self.alice.split("/")[2]

    def id(self, path: str = "") -> str:
        """An id of its own."""
        return f"http://{self.name}/{path or uuid4()}"

    def serves(self, value: Mapping[str, Any]) -> None:
        """Have a document at the address that is its id."""
        self.host.replies[path_of(value["id"])] = document(value)

    def activity(self, type_: str, about: Any, **more: Any) -> dict[str, Any]:
        """Something that Alice does, for everybody to see."""
        return {
            "@context": ACTIVITY_STREAMS,
            "id": self.id(),
            "type": type_,
            "actor": self.alice,
            "to": [PUBLIC],
            "object": about,
            **more,
        }

    def note(self, **more: Any) -> dict[str, Any]:
        """A resource of Alice's."""
        return {
            "id": self.id(),
            "type": "Document",
            "name": "Rivers",
            "attributedTo": self.alice,
            "to": [PUBLIC],
            "url": self.id("page"),
            **more,
        }

    def message(
        self,
        service: Service,
        activity: Mapping[str, Any] | bytes,
        *,
        to: str = "/ap/inbox",
        key: SigningKey | None = None,
        scheme: Scheme = Scheme.CAVAGE,
        **sign_by: Any,
    ) -> Message:
        """A signed request to a service."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        url = f"{service.settings.base_url}{to}"
        bare = Message("POST", url, (("Content-Type", MEDIA_TYPE),), body)
        signed = sign(bare, key or self.key, scheme=scheme, **sign_by)
        return Message("POST", url, (*bare.headers, *signed.items()), body)

    def post(self, service: Service, activity: Mapping[str, Any] | bytes, **options: Any) -> TestResponse:
        """Send it."""
        return send(service, self.message(service, activity, **options))


def follow(service: Service, peer: Peer, actor: str | None = None) -> dict[str, Any]:
    """Have Alice follow an actor of the service's, and be answered."""
    asked = peer.activity("Follow", actor or service_actor(service))
    answered = peer.post(service, asked)
    assert answered.status_code == 202, answered.text
    service.work()
    return asked


def send(service: Service, message: Message) -> TestResponse:
    """Send a request as it is."""
    return service.client().post(path_of(message.url), data=message.body, headers=list(message.headers))


@contextmanager
def peering(kind: Kind = "rsa") -> Iterator[Peer]:
    """Another server."""
    with serving() as host:
        alice = host.url("/users/alice")
        made = key_of(kind)
        key = SigningKey(f"{alice}#main-key", made.native)
        peer = Peer(host, key, alice)
        peer.serves(alice_of(peer, key))
        for path in ("/users/alice/inbox", "/inbox"):
            host.replies[path] = answer(status="202 Accepted")
        yield peer


def alice_of(peer: Peer, key: SigningKey, **more: Any) -> dict[str, Any]:
    """Alice's document, with that key."""
    own = peer.alice
    found: dict[str, Any] = {
        "@context": ACTIVITY_STREAMS,
        "id": own,
        "type": "Person",
        "preferredUsername": "alice",
        "inbox": f"{own}/inbox",
        "outbox": f"{own}/outbox",
        "endpoints": {"sharedInbox": f"http://{own.split('/')[2]}/inbox"},
        **more,
    }
    if key.public.kind == "rsa":
        found["publicKey"] = {"id": key.key_id, "owner": own, "publicKeyPem": key.public.pem}
    else:
        found["assertionMethod"] = [
            {
                "id": key.key_id,
                "type": "Multikey",
                "controller": own,
                "publicKeyMultibase": key.public.multibase,
            }
        ]
    return found
