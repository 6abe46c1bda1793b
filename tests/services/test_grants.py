"""Codes and refresh tokens that are traded at once, by several, on either database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import select

from repo_service.domain.errors import NotFound, Unauthorised
from repo_service.domain.identity import AuthMethod, ClientState, GrantType, Identity, Scope
from repo_service.models import Grant
from repo_service.services.clients import ClientMetadata
from repo_service.services.grants import IssuedTokens
from repo_service.services.records import ClientRecord
from tests.support.service import OPERATOR, Service

URI = "https://school.example/back"
T = TypeVar("T")


class Site:
    """A client, and a person who lets it act for them."""

    def __init__(self, service: Service, *, grant_types: frozenset[GrantType] = frozenset(GrantType)) -> None:
        self.services = service.services
        self.person: Identity = self.services.accounts.authenticate(service.token("teacher"))
        wanted = ClientMetadata(redirect_uris=[URI], auth_method=AuthMethod.BASIC, grant_types=grant_types)
        self.client: ClientRecord = self.services.clients.add(OPERATOR, wanted).client

    def code(self) -> str:
        return self.services.grants.authorise(
            self.person,
            self.client,
            scopes=frozenset({Scope.SHARE}),
            redirect_uri=URI,
            named_redirect_uri=URI,
            code_challenge=None,
        )

    def tokens(self) -> IssuedTokens:
        issued = self.services.grants.redeem_code(self.client, self.code())
        assert issued is not None
        return issued

    def works(self, secret: str) -> bool:
        try:
            self.services.accounts.authenticate(secret)
        except Unauthorised:
            return False
        return True


def at_once(count: int, deed: Callable[[], T]) -> list[T]:
    """What ``count`` threads get that do it at the same time."""
    barrier = Barrier(count)

    def run(_: int) -> T:
        barrier.wait()
        return deed()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_refresh_token_that_comes_several_times_at_once(any_service: Service) -> None:
    """Two pages of one Moodle: all get tokens that work, and go on with any of them."""
    site = Site(any_service)
    for _ in range(5):
        refresh = site.tokens().refresh
        assert refresh is not None
        issued = at_once(4, partial(site.services.grants.refresh, site.client, refresh))
        assert all(tokens is not None and site.works(tokens.access) for tokens in issued)
        secrets = {tokens.refresh for tokens in issued if tokens is not None}
        assert len(secrets) == 4
        going_on = secrets.pop()
        assert going_on is not None
        assert site.services.grants.refresh(site.client, going_on) is not None


def test_a_code_that_comes_several_times_at_once(any_service: Service) -> None:
    """It is good for one, and then for none: nobody keeps a token that works."""
    site = Site(any_service)
    for _ in range(5):
        code = site.code()
        issued = at_once(4, partial(site.services.grants.redeem_code, site.client, code))
        (tokens,) = [tokens for tokens in issued if tokens is not None]
        assert not site.works(tokens.access)
        assert tokens.refresh is not None
        assert site.services.grants.refresh(site.client, tokens.refresh) is None


def test_disconnecting_while_a_site_refreshes(any_service: Service) -> None:
    """Whoever comes first, in the end nothing works any more."""
    site = Site(any_service)
    grants = site.services.grants
    for _ in range(5):
        refresh = site.tokens().refresh
        assert refresh is not None
        secret = refresh
        disconnecting = iter([True, False, False])

        def deed() -> IssuedTokens | None:
            if next(disconnecting):  # noqa: B023 - run before the next turn of the loop
                grants.disconnect(site.person, site.client.id)
                return None
            return grants.refresh(site.client, secret)  # noqa: B023 - as above

        issued = at_once(3, deed)
        assert not [tokens for tokens in issued if tokens is not None and site.works(tokens.access)]
        assert grants.refresh(site.client, secret) is None
        assert grants.connected(site.person) == ()


def test_consenting_while_the_site_is_shut_out(any_service: Service) -> None:
    """Nothing that was allowed in that moment works afterwards."""
    site = Site(any_service)
    for _ in range(5):
        site.services.clients.decide(OPERATOR, site.client.id, ClientState.APPROVED)
        first = iter([True, False, False])

        def deed() -> str | None:
            if next(first):  # noqa: B023 - run before the next turn of the loop
                site.services.clients.decide(OPERATOR, site.client.id, ClientState.DECLINED)
                return None
            try:
                return site.code()
            except NotFound:
                return None

        at_once(3, deed)
        with site.services.database.read() as session:
            assert session.scalars(select(Grant.id).where(Grant.revoked_at.is_(None))).all() == []


def test_a_client_that_uses_no_refresh_tokens_gets_none(any_service: Service) -> None:
    site = Site(any_service, grant_types=frozenset({GrantType.CODE}))
    tokens = site.tokens()
    assert tokens.refresh is None
    assert site.works(tokens.access)


@pytest.mark.parametrize("secret", ["", "mrf_", "\ud800", "x" * 10_000, "mrr_nonsense"])
def test_secrets_that_are_none(service: Service, secret: str) -> None:
    site = Site(service)
    assert site.services.grants.refresh(site.client, secret) is None
    assert site.services.grants.redeem_code(site.client, secret) is None
    assert site.services.grants.owner_of(secret) is None
    assert not site.services.clients.knows_secret(site.client, secret)
