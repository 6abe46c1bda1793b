"""How secrets of our own making are kept."""

from __future__ import annotations

import hashlib
import secrets


def new_secret() -> str:
    """256 random bits, in characters that need no quoting in an address."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """SHA-256, in hexadecimal. The secret has 256 random bits: a slow hash would add nothing but time."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
