"""Keys of actors: which are fit, how they are written, and what they can check.

RSA in PEM (``publicKeyPem``, as everybody has it) and Ed25519 as a Multikey (FEP-521a). What a key can be
used for follows from the key: nothing that a request says makes an RSA key check anything but RSA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import base58
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 8192
"""Larger ones take so long to check with that they are a way to keep us busy."""
_MOST_CHARACTERS: Final = 4096
"""Of a key as it is written: the largest RSA key takes 1,500."""
_ED25519_CODE: Final = b"\xed\x01"
"""ed25519-pub in the table of Multicodec, as varint."""
_RSA_CODE: Final = b"\x85\x24"
"""rsa-pub: what follows is the DER of an RSAPublicKey (RFC 8017, appendix A.1.1)."""

Kind = Literal["rsa", "ed25519"]
Check = Literal["rsa-v1_5-sha256", "rsa-v1_5-sha512", "rsa-pss-sha512", "ed25519"]
"""What a signature is made by, in the names of RFC 9421's registry and their like."""


class UnfitKey(ValueError):
    """This is no key, of a kind that we do not use, or too weak."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that is fit to check signatures."""

    native: RSAPublicKey | Ed25519PublicKey

    def __post_init__(self) -> None:
        if isinstance(self.native, RSAPublicKey) and not (
            LEAST_RSA_BITS <= self.native.key_size <= MOST_RSA_BITS
        ):
            raise UnfitKey(f"an RSA key has {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits")

    @classmethod
    def from_pem(cls, pem: str) -> PublicKey:
        """Raises UnfitKey."""
        if len(pem) > _MOST_CHARACTERS:
            raise UnfitKey("this is longer than a key")
        try:
            return cls._of(load_pem_public_key(pem.strip().encode()))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _unfit(error) from error

    @classmethod
    def from_multibase(cls, text: str) -> PublicKey:
        """``publicKeyMultibase`` of a Multikey (Controlled Identifiers 1.0, section 2.2.2). Raises
        UnfitKey."""
        if not text.startswith("z") or len(text) > _MOST_CHARACTERS:
            raise UnfitKey("a Multikey is written in base 58, which begins with z")
        try:
            data = base58.b58decode(text[1:].encode())
            if data.startswith(_ED25519_CODE):
                return cls(Ed25519PublicKey.from_public_bytes(data[2:]))
            if data.startswith(_RSA_CODE):
                return cls._of(load_der_public_key(data[2:]))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _unfit(error) from error
        raise UnfitKey("a Multikey of this kind is not used here")

    @classmethod
    def _of(cls, native: object) -> PublicKey:
        if not isinstance(native, RSAPublicKey | Ed25519PublicKey):
            raise UnfitKey("only RSA and Ed25519 keys are used here")
        return cls(native)

    @property
    def kind(self) -> Kind:
        """What it is, whatever a request calls it."""
        return "rsa" if isinstance(self.native, RSAPublicKey) else "ed25519"

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo: the same text for the same key."""
        return self.native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def multibase(self) -> str:
        """As ``publicKeyMultibase``."""
        data = (
            _ED25519_CODE + self.native.public_bytes_raw()
            if isinstance(self.native, Ed25519PublicKey)
            else _RSA_CODE + self.native.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        )
        return "z" + base58.b58encode(data).decode()

    def fits(self, signature: bytes, signed: bytes, check: Check) -> bool:
        """Whether ``signature`` is this key's over ``signed``; False, too, for a check of another kind."""
        try:
            if isinstance(self.native, Ed25519PublicKey):
                if check != "ed25519":
                    return False
                self.native.verify(signature, signed)
            elif check == "rsa-v1_5-sha256":
                self.native.verify(signature, signed, PKCS1v15(), SHA256())
            elif check == "rsa-v1_5-sha512":
                self.native.verify(signature, signed, PKCS1v15(), SHA512())
            elif check == "rsa-pss-sha512":
                self.native.verify(signature, signed, PSS(MGF1(SHA512()), SHA512.digest_size), SHA512())
            else:
                return False
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of our own. ``key_id`` is its address, which leads peers to the public half."""

    key_id: str
    native: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def generate(cls, key_id: str, kind: Kind = "rsa") -> SigningKey:
        """A new one. RSA is what every peer can check."""
        native = (
            generate_private_key(65537, LEAST_RSA_BITS) if kind == "rsa" else Ed25519PrivateKey.generate()
        )
        return cls(key_id, native)

    @classmethod
    def from_pem(cls, key_id: str, pem: str) -> SigningKey:
        """One that was kept as ``pem`` wrote it. Raises UnfitKey."""
        try:
            # It is one that was made here, and comes from under a seal. To make sure anew that its primes are
            # primes takes seventy times as long as a signature.
            native = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _unfit(error) from error
        if not isinstance(native, RSAPrivateKey | Ed25519PrivateKey):
            raise UnfitKey("only RSA and Ed25519 keys are used here")
        return cls(key_id, native)

    @property
    def pem(self) -> str:
        """PKCS #8, not encrypted: for the database only."""
        return self.native.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def public(self) -> PublicKey:
        """What peers get. Raises UnfitKey where they should not take it."""
        return PublicKey(self.native.public_key())

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id!r})"

    def sign(self, data: bytes) -> bytes:
        """A signature by RSASSA-PKCS1-v1_5 with SHA-256, which is what peers check with an RSA key; or
        Ed25519."""
        if isinstance(self.native, Ed25519PrivateKey):
            return self.native.sign(data)
        return self.native.sign(data, PKCS1v15(), SHA256())


def _unfit(error: Exception) -> UnfitKey:
    return error if isinstance(error, UnfitKey) else UnfitKey(f"this is no key: {error}")
