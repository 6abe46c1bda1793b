"""Addresses: what is written there is what is read there, and each leads somewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis.strategies import datetimes

from repo_service.federation.addresses import (
    SERVICE,
    ActivityKind,
    ActorKind,
    ActorRef,
    Addresses,
    ObjectKind,
    read_moment,
    written,
)
from tests.support.service import MakeService

_ID = UUID("01a222cf-2325-7ec0-8232-7d0a72855357")
_AT = datetime(2026, 11, 28, 15, 16, 59, 7, UTC)
_ACTORS = (SERVICE, ActorRef(ActorKind.ACCOUNT, _ID), ActorRef(ActorKind.COLLECTION, _ID))


@given(datetimes(min_value=datetime(1970, 1, 1), timezones=None))  # noqa: DTZ001 - it gets its zone below
def test_moments_are_read_as_they_were_written(moment: datetime) -> None:
    here = moment.replace(tzinfo=UTC)
    assert read_moment(written(here)) == here


def test_a_moment_is_written_in_utc() -> None:
    elsewhere = _AT.astimezone(timezone(timedelta(hours=5)))
    assert written(elsewhere) == written(_AT) == "20261128T151659000007Z"


@pytest.mark.parametrize(
    "text", ["", "x", "20261128T151659000007", "20261328T151659000007Z", "20261128T151659000007Z\n", "٢" * 22]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_moment(text)


def test_each_leads_somewhere(make_service: MakeService) -> None:
    """The scheme is written down twice, here and in the routes. Where others POST is no route for reading."""
    service = make_service(base_url="https://resources.example")
    addresses = Addresses(service.settings.base_url)
    known = [
        addresses.home_page,
        addresses.resource_page(_ID),
        addresses.collection_page(_ID),
        addresses.person_page("ada.l_o-v"),
        addresses.file(_ID, 1, "a b/ü.mbz"),
        addresses.collected(_ID, _ID, _AT),
        addresses.object(ObjectKind.RESOURCE, _ID),
    ]
    for ref in _ACTORS:
        known += [addresses.actor(ref), addresses.outbox(ref)]
        known += [addresses.followers(ref), addresses.following(ref)]
    for of in ObjectKind:
        for kind in ActivityKind:
            known += [
                addresses.activity(kind, of, _ID, _AT),
                addresses.announcement(kind, of, _ID, _AT),
            ]
    routes = service.app.url_map.bind("resources.example", url_scheme="https")
    for address in known:
        endpoint, _ = routes.match(address.removeprefix("https://resources.example"), "GET")
        assert endpoint.partition(".")[0] in ("web", "files", "activitypub"), address
