"""Throttling: what is allowed, for whom, for how long, and across processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from repo_service.domain.errors import TooManyRequests
from repo_service.models import Throttle
from repo_service.models.base import now
from repo_service.services import throttling
from repo_service.services.throttling import Allowance, Throttling, address_block, in_words
from tests.contract.support import count
from tests.support.service import Service

FEW = Allowance(name="few", burst=3, every=timedelta(minutes=1))
MANY = Allowance(name="many", burst=100, every=timedelta(seconds=1))


class Clock:
    """A present that goes on when the test says so."""

    def __init__(self) -> None:
        self.moment = now()

    def __call__(self) -> datetime:
        return self.moment

    def goes_on(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttling, "now", clock)
    return clock


def _refused(found: Throttling, *claims: tuple[Allowance, str]) -> int:
    with pytest.raises(TooManyRequests) as refusal:
        found.take(*claims)
    return refusal.value.retry_after


def test_a_burst_and_then_one_at_a_time(any_service: Service, clock: Clock) -> None:
    found = any_service.services.throttling
    for _ in range(3):
        found.take((FEW, "ada"))
    assert _refused(found, (FEW, "ada")) == 60
    clock.goes_on(seconds=59)
    assert _refused(found, (FEW, "ada")) == 1
    clock.goes_on(seconds=1)
    found.take((FEW, "ada"))
    assert _refused(found, (FEW, "ada")) == 60
    found.take((FEW, "bea"))


def test_who_keeps_trying_does_not_wait_longer(service: Service, clock: Clock) -> None:
    """So nobody keeps another out for ever by trying in their name."""
    found = service.services.throttling
    for _ in range(3):
        found.take((FEW, "ada"))
    for _ in range(200):
        _refused(found, (FEW, "ada"))
    clock.goes_on(minutes=1)
    found.take((FEW, "ada"))
    clock.goes_on(minutes=3)
    for _ in range(3):
        found.take((FEW, "ada"))


def test_what_is_given_back_does_not_count(any_service: Service) -> None:
    found = any_service.services.throttling
    for _ in range(20):
        found.give_back(found.take((FEW, "ada"), (MANY, "house")))
    for _ in range(3):
        found.take((FEW, "ada"))
    _refused(found, (FEW, "ada"))


def test_all_of_them_or_none(any_service: Service) -> None:
    found = any_service.services.throttling
    for _ in range(3):
        found.take((FEW, "ada"))
    other = Allowance(name="other", burst=1, every=timedelta(hours=1))
    _refused(found, (other, "ada"), (FEW, "ada"))
    found.take((other, "ada"))
    assert _refused(found, (other, "ada"), (FEW, "ada")) > 3000, "the longest wait is told"


def test_many_at_once_get_no_more(any_service: Service) -> None:
    """Each counts before it is known whether it was a good one."""

    def tries(_: int) -> bool:
        try:
            any_service.services.throttling.take((FEW, "ada"), (MANY, "house"))
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tries, range(24))) == 3


def test_it_holds_for_every_process_and_after_a_restart(any_service: Service) -> None:
    database, key = any_service.services.database, any_service.settings.signing_key()
    for _ in range(3):
        Throttling(database, secret_key=key).take((FEW, "ada"))
    _refused(Throttling(database, secret_key=key), (FEW, "ada"))


def test_nobodys_address_stands_in_the_database(service: Service) -> None:
    service.services.throttling.take((FEW, "ada@example.org 203.0.113.9"))
    service.services.throttling.befriend("ada 203.0.113.9", lasts=timedelta(days=1))
    with service.services.database.read() as session:
        kept = str([(row.key, row.full_at) for row in session.query(Throttle)])
    assert "ada" not in kept
    assert "203.0.113.9" not in kept


def test_acquaintances_are_remembered_for_a_while(any_service: Service, clock: Clock) -> None:
    found = any_service.services.throttling
    assert not found.knows("ada")
    found.befriend("ada", lasts=timedelta(days=1))
    found.befriend("ada", lasts=timedelta(days=2))
    clock.goes_on(days=1.5)
    assert found.knows("ada")
    clock.goes_on(days=1)
    assert not found.knows("ada")


def test_what_is_whole_again_is_forgotten(any_service: Service, clock: Clock) -> None:
    found = any_service.services.throttling
    for _ in range(3):
        found.take((FEW, "ada"))
    clock.goes_on(minutes=1)
    found.take((FEW, "bea"))
    clock.goes_on(minutes=2.5)
    assert found.tidy() == 2
    assert count(any_service.services, "throttles") == 0
    found.befriend("ada", lasts=timedelta(days=1))
    assert found.tidy() == 0


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/56"),
        ("2001:db8:1:ff::1", "2001:db8:1::/56"),
        ("2001:db8:1:100::1", "2001:db8:1:100::/56"),
        (None, "elsewhere"),
        ("", "elsewhere"),
        ("unix", "elsewhere"),
        ("fe80::1%eth0", "fe80::/56"),
    ],
)
def test_who_has_one_address_of_a_block_has_all(address: str | None, block: str) -> None:
    assert address_block(address) == block


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (60, "60 seconds"),
        (61, "2 minutes"),
        (3600, "60 minutes"),
        (3601, "2 hours"),
        (7200, "2 hours"),
    ],
)
def test_waits_are_rounded_up(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
