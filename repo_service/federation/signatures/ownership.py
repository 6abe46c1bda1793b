"""Whose key it is.

Anybody can put up a document that says "this is the key of Alice". So key and actor have to name each other:
the key says who owns it, and the actor, at its own address, says that this is a key of its own. Both live on
one host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urldefrag, urlsplit

from repo_service.domain.errors import InvalidSignature, RemoteFailed, SignatureFault, SignerUnreachable
from repo_service.federation.documents import Fetched
from repo_service.federation.signatures.claims import ADDRESS
from repo_service.federation.signatures.keys import PublicKey, UnfitKey

_KNOWN_FOR: Final = timedelta(days=1)
"""After this a key is looked at again: actors take keys back, too."""
_LEFT_ALONE_FOR: Final = timedelta(minutes=5)
"""How often a false signature can make us look at a key again. Anybody can send some."""
_KEYS: Final = ("publicKey", "assertionMethod")
"""What everybody has, and FEP-521a."""
_MOST_KEYS: Final = 20
_RETRY_AFTER: Final = 60


@dataclass(frozen=True, slots=True)
class ActorKey:
    """A key and the actor whose it is, both by address, as they were at ``fetched_at``."""

    key_id: str
    actor: str
    public: PublicKey
    fetched_at: datetime


class Documents(Protocol):
    """Gets documents from other servers: ``outgoing.Outgoing``, or ``Outgoing.signing``."""

    def get(self, url: str) -> Fetched:
        """The ActivityPub document at ``url``. Raises RemoteFailed."""


class KeyStore(Protocol):
    """Keeps keys that were found."""

    def get(self, key_id: str) -> ActorKey | None:
        """What was put last."""

    def put(self, key: ActorKey) -> None:
        """Keep it in place of what was there."""

    def discard(self, key_id: str) -> None:
        """Forget it."""


class Clock(Protocol):
    """The time, with its zone."""

    def __call__(self) -> datetime:
        """Now."""


class CachedKeys:
    """Keys, from ``store`` where they are known and from ``documents`` where not."""

    def __init__(self, *, store: KeyStore, documents: Documents, clock: Clock) -> None:
        self._store = store
        self._documents = documents
        self._clock = clock

    def find(self, key_id: str, *, fresh: bool = False) -> ActorKey:
        """See ``verifying.Keys``."""
        known = self._store.get(key_id)
        now = self._clock()
        if known is not None and now - known.fetched_at < (_LEFT_ALONE_FOR if fresh else _KNOWN_FOR):
            return known
        try:
            found = find_key(key_id, self._documents, now=now)
        except InvalidSignature:
            self._store.discard(key_id)  # it was taken back
            raise
        self._store.put(found)
        return found


def find_key(key_id: str, documents: Documents, *, now: datetime) -> ActorKey:
    """The key at the address ``key_id`` and its owner, as their documents say now.

    Raises InvalidSignature when it is gone, unfit, or not beyond doubt somebody's; SignerUnreachable when
    that could not be found out.
    """
    address = urldefrag(key_id).url
    document = _document(address, documents)
    entry = next((entry for entry in _entries(document) if entry.get("id") == key_id), None)
    if entry is None and document.get("id") == key_id:
        entry = document  # a document of its own
    if entry is None:
        raise _untrusted("There is no such key at its address.")
    public = _public(entry)
    owner = entry.get("owner", entry.get("controller"))
    if not isinstance(owner, str) or not ADDRESS.fullmatch(owner) or _origin(owner) != _origin(key_id):
        raise _untrusted("The key names no owner on its own host.")
    # GoToSocial has a shortened actor at the address of the key. Only what is at the actor's own counts.
    actor = document if owner == address else _document(owner, documents)
    if actor.get("id") != owner or not _names(actor, key_id, public):
        raise _untrusted("The owner of the key does not name it.")
    return ActorKey(key_id=key_id, actor=owner, public=public, fetched_at=now)


def _document(address: str, documents: Documents) -> Mapping[str, Any]:
    """What is at ``address``, if its host is who said it."""
    try:
        fetched = documents.get(address)
    except RemoteFailed as error:
        if error.is_gone:
            raise InvalidSignature(
                "The key, or its owner, is not there any more.", reason=SignatureFault.KEY_GONE
            ) from error
        if error.temporary:
            raise SignerUnreachable(retry_after=_RETRY_AFTER) from error
        raise _untrusted("The key cannot be had.") from error
    if not isinstance(fetched.value, dict):
        raise _untrusted("What is at the address is something else.")
    if _origin(fetched.url) != _origin(address):
        raise _untrusted("The address leads to another host.")
    return fetched.value


def _names(actor: Mapping[str, Any], key_id: str, public: PublicKey) -> bool:
    """Whether the actor says that the key is its own: by address, or whole, and then it is the same."""
    for found in _listed(actor):
        if found == key_id:
            return True
        if isinstance(found, dict) and found.get("id") == key_id:
            owner = found.get("owner", found.get("controller"))
            return owner == actor.get("id") and _public(found).pem == public.pem
    return False


def _entries(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (found for found in _listed(document) if isinstance(found, dict))


def _listed(document: Mapping[str, Any]) -> Iterator[object]:
    for name in _KEYS:
        found = document.get(name, [])
        yield from (found if isinstance(found, list) else [found])[:_MOST_KEYS]


def _public(entry: Mapping[str, Any]) -> PublicKey:
    pem, multibase = entry.get("publicKeyPem"), entry.get("publicKeyMultibase")
    try:
        if isinstance(pem, str):
            return PublicKey.from_pem(pem)
        if isinstance(multibase, str):
            return PublicKey.from_multibase(multibase)
    except UnfitKey as error:
        raise InvalidSignature(f"The key is not fit: {error}.", reason=SignatureFault.KEY_UNFIT) from error
    raise _untrusted("There is no key at its address.")


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _untrusted(detail: str) -> InvalidSignature:
    return InvalidSignature(detail, reason=SignatureFault.KEY_UNTRUSTED)
