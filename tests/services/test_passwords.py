"""Passwords: which are taken, how they are kept, and that nobody learns from the time it takes."""

from __future__ import annotations

import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from repo_service.domain.errors import Busy, InvalidInput
from repo_service.services import passwords
from repo_service.services.passwords import MAX_BYTES, Passwords, require_good

OWN = ("ada.lovelace", "Ada King Lovelace", "ada@countess.example", "Moodle resources repository")
GOOD = "blue heron over marsh"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "0xKq!7rZ_w",
        "ada likes blue herons",
        "Пароль для озера",
        "湖のほとりの青い鳥の歌",
        "x y z w v u t",
        "è" * 5 + "òàùìb",
    ],
)
def test_taken(password: str) -> None:
    require_good(password, own=OWN)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "longer"),
        ("ninechars", "longer"),
        ("ab" * (MAX_BYTES // 2) + "c", "shorter"),
        ("ä" * (MAX_BYTES // 2) + "c", "shorter"),
        ("aaaaaaaaaaaaaaa", "tried first"),
        ("abababababab", "tried first"),
        ("1234567890", "tried first"),
        ("qwertyuiop", "tried first"),
        ("Password2024!", "tried first"),
        ("!!!PASSWORT!!!", "tried first"),
        ("iloveyou123", "tried first"),
        ("1q2w3e4r5t", "tried first"),
        ("moodle12345", "tried first"),
        ("administrator", "tried first"),
        ("Ada.Lovelace", "your own name"),
        ("lovelace12345", "your own name"),
        ("Ada.Lovelace!1", "your own name"),
        ("ada@countess.example", "your own name"),
        ("adakinglovelace", "your own name"),
    ],
)
def test_refused(password: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        require_good(password, own=OWN)


def test_kept_by_argon2id_as_recommended() -> None:
    kept = Passwords().hash(GOOD)
    assert kept.startswith("$argon2id$")
    assert GOOD not in kept
    found, wanted = extract_parameters(kept), RFC_9106_LOW_MEMORY
    assert (found.time_cost, found.memory_cost, found.parallelism) == (
        wanted.time_cost,
        wanted.memory_cost,
        wanted.parallelism,
    )
    assert kept != Passwords().hash(GOOD), "each has a salt of its own"
    assert Passwords().verify(kept, GOOD)
    assert not Passwords().verify(kept, GOOD + " ")
    assert not Passwords().is_outdated(kept)


def test_the_same_letters_are_the_same_password() -> None:
    found = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    assert found.verify(found.hash("caf\u00e9 au lait"), "cafe\u0301 au lait")


def test_the_same_work_whether_there_is_anybody_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Passwords()
    compared: list[str] = []
    verify = PasswordHasher.verify

    def counting(self: PasswordHasher, hashed: str, password: str) -> bool:
        compared.append(hashed)
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    kept = found.hash(GOOD)
    for hashed in (None, kept, ""):
        assert not found.verify(hashed, "another one")
    assert not found.verify(None, ""), "there is no such password"
    assert not found.verify("", ""), "what nobody's password is compared with lets nobody in"
    assert len(compared) == 5
    assert len({repr(extract_parameters(hashed)) for hashed in compared}) == 1


def test_damaged_hashes_let_nobody_in() -> None:
    for damaged in ("x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"):
        assert not Passwords().verify(damaged, GOOD)


def test_only_two_at_a_time_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB each: who floods us with sign-ins waits in line, and is sent away in the end."""
    monkeypatch.setattr(passwords, "_TURN_SECONDS", 0.05)
    entered, leave = threading.Semaphore(0), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            entered.release()
            leave.wait(10)
            return ""

    found = Passwords(Slow())
    working = [threading.Thread(target=found.hash, args=(GOOD,)) for _ in range(2)]
    for thread in working:
        thread.start()
        assert entered.acquire(timeout=10)
    with pytest.raises(Busy):
        found.hash(GOOD)
    leave.set()
    for thread in working:
        thread.join()
    assert found.hash(GOOD) == ""
