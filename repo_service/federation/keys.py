"""The keys of an actor: made here, sealed for the database, and written as other servers read them."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Final

import base58
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

_RSA_BITS: Final = 2048
_RSA_EXPONENT: Final = 65537
_ED25519_MULTICODEC: Final = b"\xed\x01"
"""0xed as an unsigned varint: ``ed25519-pub`` in the table of multicodecs."""
_SEALING_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Algorithm(enum.StrEnum):
    """What a key is for: RSA for draft-cavage-http-signatures, Ed25519 for whatever is newer."""

    RSA = "rsa-2048"
    ED25519 = "ed25519"


class WrongSeal(Exception):
    """A private key was sealed for another actor, or with another secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """``public`` is a SubjectPublicKeyInfo, ``private`` a PKCS #8; both in PEM."""

    public: str
    private: bytes


def make_key(algorithm: Algorithm) -> KeyPair:
    """A new key. RSA takes some tenths of a second."""
    key: rsa.RSAPrivateKey | Ed25519PrivateKey
    if algorithm is Algorithm.RSA:
        key = rsa.generate_private_key(public_exponent=_RSA_EXPONENT, key_size=_RSA_BITS)
    else:
        key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(
        public=public.decode(),
        private=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def multikey(public: str) -> str:
    """An Ed25519 key as a Multikey: base58btc of its multicodec and its 32 bytes
    (https://www.w3.org/TR/controller-document/#Multikey)."""
    key = load_pem_public_key(public.encode())
    assert isinstance(key, Ed25519PublicKey)
    return f"z{base58.b58encode(_ED25519_MULTICODEC + key.public_bytes_raw()).decode()}"


class Sealer:
    """Keeps private keys unreadable to whoever has the database and not the service's secret: AES-256-GCM, by
    a key derived from the secret for this alone (HKDF, RFC 5869)."""

    def __init__(self, secret: str) -> None:
        derived = HKDF(
            algorithm=hashes.SHA256(), length=_SEALING_KEY_BYTES, salt=None, info=b"private keys of actors"
        ).derive(secret.encode())
        self._cipher = AESGCM(derived)

    def seal(self, private: bytes, *, owner: str) -> bytes:
        """``owner`` says whose it is, and what for: it opens for nobody else."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, private, owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """What ``seal`` was given. Raises WrongSeal."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, encrypted, owner.encode())
        except (InvalidTag, ValueError) as error:  # the latter for what is too short to have been sealed
            raise WrongSeal from error
