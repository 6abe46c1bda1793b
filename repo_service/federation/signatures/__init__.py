"""Signatures of HTTP requests: RFC 9421, and draft-cavage-http-signatures-12, which most of the fediverse
speaks.

``sign`` and ``verify`` are the seam for both. Neither knows a database or the network: who keeps keys,
fetches actors and remembers what was seen are given as protocols (``Keys``, ``KeyStore``, ``Documents``,
``Seen``).
"""

from repo_service.federation.signatures.claims import Scheme, Window
from repo_service.federation.signatures.keys import PublicKey, SigningKey, UnfitKey
from repo_service.federation.signatures.ownership import (
    ActorKey,
    CachedKeys,
    Documents,
    KeyStore,
    find_key,
)
from repo_service.federation.signatures.signing import sign
from repo_service.federation.signatures.verifying import Keys, Seen, Verified, verify

__all__ = [
    "ActorKey",
    "CachedKeys",
    "Documents",
    "KeyStore",
    "Keys",
    "PublicKey",
    "Scheme",
    "Seen",
    "SigningKey",
    "UnfitKey",
    "Verified",
    "Window",
    "find_key",
    "sign",
    "verify",
]
