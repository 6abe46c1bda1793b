"""The keys of actors: what others read of them, and what nobody can read."""

from __future__ import annotations

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from repo_service.federation.keys import Algorithm, Sealer, WrongSeal, make_key, multikey

_SECRET = "s" * 32


def test_rsa() -> None:
    key = load_pem_public_key(make_key(Algorithm.RSA).public.encode())
    assert isinstance(key, RSAPublicKey)
    assert (key.key_size, key.public_numbers().e) == (2048, 65537)


def test_ed25519_as_a_multikey() -> None:
    """Its first two bytes say what it is (the table of multicodecs), so all begin alike."""
    pair = make_key(Algorithm.ED25519)
    written = multikey(pair.public)
    assert written.startswith("z6Mk")
    decoded = base58.b58decode(written[1:])
    assert decoded[:2] == b"\xed\x01"
    private = load_pem_private_key(pair.private, None)
    assert isinstance(private, Ed25519PrivateKey)
    Ed25519PublicKey.from_public_bytes(decoded[2:]).verify(private.sign(b"said"), b"said")


def test_a_seal_opens_for_its_owner_only() -> None:
    sealer = Sealer(_SECRET)
    sealed = sealer.seal(b"private", owner="service ed25519")
    assert b"private" not in sealed
    assert sealer.open(sealed, owner="service ed25519") == b"private"
    assert sealed != sealer.seal(b"private", owner="service ed25519")
    for opened_by, bytes_of, owner in (
        (Sealer("t" * 32), sealed, "service ed25519"),
        (sealer, sealed, "accounts/1 ed25519"),
        (sealer, sealed[:-1] + bytes([sealed[-1] ^ 1]), "service ed25519"),
        (sealer, b"", "service ed25519"),
    ):
        with pytest.raises(WrongSeal):
            opened_by.open(bytes_of, owner=owner)
