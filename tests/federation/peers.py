"""Another server, as far as its keys and documents go; and what ``verify`` needs to know it by."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.federation.documents import Fetched
from repo_service.federation.messages import Message
from repo_service.federation.signatures import (
    ActorKey,
    CachedKeys,
    Scheme,
    SigningKey,
    Verified,
    sign,
    verify,
)
from repo_service.federation.signatures.keys import Kind

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
HOST = "hq.example"
INBOX = f"https://{HOST}/inbox"
ALICE = "https://peer.example/users/alice"
BODY = b'{"type": "Create", "actor": "https://peer.example/users/alice"}'
ACTIVITY = "application/activity+json"


@functools.cache
def key_of(kind: Kind = "rsa", number: int = 0) -> SigningKey:
    """A key of Alice's; another one for each number. RSA keys take long to make."""
    return SigningKey.generate(f"{ALICE}#main-key", kind)


def actor(key: SigningKey, *, actor_id: str = ALICE, **other: object) -> dict[str, Any]:
    """The document of an actor who has that key."""
    if key.public.kind == "rsa":
        public = {"id": key.key_id, "owner": actor_id, "publicKeyPem": key.public.pem}
        return {"id": actor_id, "type": "Person", "publicKey": public, **other}
    multikey = {
        "id": key.key_id,
        "type": "Multikey",
        "controller": actor_id,
        "publicKeyMultibase": key.public.multibase,
    }
    return {"id": actor_id, "type": "Person", "assertionMethod": [multikey], **other}


@dataclass
class Web:
    """Documents by address. ``asked`` is what was asked for; ``failing`` fails so."""

    documents: dict[str, object]
    asked: list[str] = field(default_factory=list)
    failing: RemoteFailed | None = None
    leads_to: Mapping[str, str] = field(default_factory=dict)

    def get(self, url: str) -> Fetched:
        self.asked.append(url)
        if self.failing:
            raise self.failing
        if url not in self.documents:
            raise RemoteFailed("It answers 404.", reason=RemoteFault.STATUS, status=404)
        return Fetched(self.leads_to.get(url, url), self.documents[url])


@dataclass
class Memory:
    """A ``KeyStore``, and a ``Seen``, in memory."""

    keys: dict[str, ActorKey] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)

    def get(self, key_id: str) -> ActorKey | None:
        return self.keys.get(key_id)

    def put(self, key: ActorKey) -> None:
        self.keys[key.key_id] = key

    def discard(self, key_id: str) -> None:
        self.keys.pop(key_id, None)

    def first(self, token: str, *, until: datetime) -> bool:
        if token in self.seen:
            return False
        self.seen[token] = until
        return True


@dataclass
class Receiver:
    """This service, as far as signatures go, with a clock to set."""

    web: Web
    memory: Memory = field(default_factory=Memory)
    now: datetime = NOW

    def verify(self, message: Message, *, hosts: Collection[str] = (HOST,)) -> Verified:
        keys = CachedKeys(store=self.memory, documents=self.web, clock=lambda: self.now)
        return verify(message, keys=keys, now=self.now, seen=self.memory, hosts=hosts)


def receiver(key: SigningKey | None = None) -> Receiver:
    """One that can find Alice."""
    return Receiver(Web({ALICE: actor(key or key_of())}))


def post(body: bytes = BODY, url: str = INBOX) -> Message:
    """An activity, not signed yet."""
    return Message("POST", url, (("Content-Type", ACTIVITY),), body)


def signed(
    message: Message | None = None,
    key: SigningKey | None = None,
    *,
    scheme: Scheme = Scheme.CAVAGE,
    ago: timedelta = timedelta(0),
) -> Message:
    """``message`` by Alice."""
    message = message or post()
    return with_headers(message, sign(message, key or key_of(), scheme=scheme, now=NOW - ago))


def with_headers(message: Message, headers: Mapping[str, str | None]) -> Message:
    """``message`` with those instead of its own; None takes one away."""
    lower = {name.lower() for name in headers}
    kept = [header for header in message.headers if header[0].lower() not in lower]
    added = [(name, value) for name, value in headers.items() if value is not None]
    return Message(message.method, message.url, (*kept, *added), message.body)
