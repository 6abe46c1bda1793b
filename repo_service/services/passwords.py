"""Passwords: which are good enough, and how they are kept."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from repo_service.domain.errors import Busy, InvalidInput
from repo_service.domain.texts import text

MIN_LENGTH = 10
"""Characters."""
MAX_BYTES = 256
"""In UTF-8: a sentence fits, and a novel does not."""
_AT_ONCE = 2
_TURN_SECONDS = 15.0
_LEAST_DISTINCT = 4
_LEAST_OWN = 6
_SHORTEST_NAME = 3


class Passwords:
    """Argon2id (RFC 9106) with the parameters that argon2-cffi recommends, 64 MiB each: so a process works on
    two at a time, and the others wait for their turn."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """What is kept of a password, in the PHC string format. Raises Busy."""
        with self._turn():
            return self._hasher.hash(normalise(password))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is that password. It takes as long when there is none to compare with. Raises Busy."""
        nobodys = self._nobodys
        with self._turn():
            try:
                return self._hasher.verify(hashed or nobodys, normalise(password)) and bool(hashed)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether the recommendation has changed since this was made."""
        return self._hasher.check_needs_rehash(hashed)

    @cached_property
    def _nobodys(self) -> str:
        """What the password of somebody who does not exist is compared with."""
        return self._hasher.hash("")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_TURN_SECONDS):
            raise Busy
        try:
            yield
        finally:
            self._turns.release()


def normalise(password: str) -> str:
    """The same password from every keyboard (RFC 8265, section 4.2.2: NFC)."""
    return unicodedata.normalize("NFC", password)


def require_good(password: str, *, own: Iterable[str], pointer: str = "/password") -> None:
    """Refuse what would be guessed first: too short, among the commonest, or little more than ``own``, the
    person's names and addresses. Nothing else is asked of it (NIST SP 800-63B-4, section 3.1.1.2).

    Raises InvalidInput.
    """
    password = normalise(password)
    problem = _problem_of(password, own)
    if problem is not None:
        raise InvalidInput(problem, errors=[(pointer, problem)])


def _problem_of(password: str, own: Iterable[str]) -> str | None:
    if len(password) < MIN_LENGTH:
        return text(
            "Choose a longer password: at least %(least)s characters. Several words are easy to keep.",
            least=MIN_LENGTH,
        )
    if len(password.encode(errors="surrogatepass")) > MAX_BYTES:
        return text("Choose a shorter password: at most %(most)s bytes.", most=MAX_BYTES)
    folded = password.casefold()
    if len(set(folded)) < _LEAST_DISTINCT or _is_common(folded):
        return text("Choose another password: this is one of those that are tried first.")
    if _without(folded, own) < _LEAST_OWN:
        return text("Choose a password that is not your own name or address.")
    return None


def _is_common(folded: str) -> bool:
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)  # password2024! is no better than password
    return folded in _commonest() or bare in _commonest()


@cache
def _commonest() -> frozenset[str]:
    lines = files("repo_service.services").joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _without(folded: str, own: Iterable[str]) -> int:
    """How many characters of a password are not a name of its owner's."""
    names = {part for name in own for part in (name, *re.split(r"[\W_]+", name))}
    for name in sorted(map(str.casefold, names), key=len, reverse=True):
        if len(name) >= _SHORTEST_NAME:
            folded = folded.replace(name, "")
    return len(folded)
