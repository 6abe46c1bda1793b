"""A Moodle that registered itself and was allowed to, up to the draft that it shares."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from repo_service.models import AuthorizationCode, RefreshToken, Token
from repo_service.models.base import now
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import problem_of
from tests.moodle_plugin_bridge.moodle import Share
from tests.support.backups import backup
from tests.support.service import Service, json_of
from tests.web.visitor import Visitor


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    return backup(tmp_path / "page_backup.mbz").read_bytes()


def test_what_a_connected_moodle_shares_is_a_draft_of_who_allowed_it(
    service: Service, package: bytes
) -> None:
    """It says from where it came for as long as it is there; the tokens are long gone then."""
    teacher = Visitor(service, service.token("teacher"))
    moodle = connect_site(service)
    access = tokens_of(service, moodle, teacher)["access_token"]
    site = service.client(access)
    made = json_of(Share.of(package, "Ponds", "").send(site), 201)
    problem_of(site.get("/api/v1/me"), "insufficient-scope")
    problem_of(service.client().get(f"/api/v1/resources/{made['id']}"), "not-found")
    finish = f"/resources/{made['id']}/finish"
    came_from = f'Sent by <span dir="auto">{moodle.wwwroot.partition("://")[2]}</span>'
    assert came_from in teacher.get(finish).source
    with service.services.database.write() as session:
        for row in (AuthorizationCode, RefreshToken, Token):
            where = row.grant_id.is_not(None)
            session.execute(update(row).where(where).values(expires_at=now() - timedelta(days=30)))
    assert service.services.grants.sweep() > 0
    assert came_from in teacher.get(finish).source


def test_a_moodle_that_is_disconnected_shares_no_more(service: Service, package: bytes) -> None:
    token = service.token("teacher")
    teacher = Visitor(service, token)
    moodle = connect_site(service)
    site = service.client(tokens_of(service, moodle, teacher)["access_token"])
    json_of(Share.of(package, "Ponds", "").send(site), 201)
    (connected,) = json_of(service.client(token).get("/api/v1/me/sites"))["items"]
    teacher.send("/mine/sites", f"/mine/sites/{connected['client_id']}/disconnect")
    answer = Share.of(package, "Ponds", "").send(site)
    assert problem_of(answer, "unauthorised")["detail"].startswith("You are logged out of the repository.")
