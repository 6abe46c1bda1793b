"""Nobody gets more than they may by saying so: in fields that no form has, and members that no body has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from repo_service.api.schemas import Incoming
from repo_service.domain.identity import SCOPES_OF_ROLE, Role, Scope
from repo_service.models import Account, Client, Collection, OneTimeLink, Resource, Token
from tests.contract.support import problem_of, share
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.attacking import Hand, World
from tests.web.person import sign_up
from tests.web.visitor import Visitor

_CLAIMED: Final[dict[str, Any]] = {
    "role": "administrator",
    "is_admin": True,
    "scopes": ["administer", "moderate"],
    "scope": "administer",
    "owner": "stranger",
    "owner_id": "{stranger}",
    "account": "{stranger}",
    "account_id": "{stranger}",
    "created_by": "{teacher}",
    "quota": 10**15,
    "default_quota": False,
    "must_confirm": False,
    "email_confirmed_at": "2026-01-01T00:00:00Z",
    "blocked": False,
    "blocked_at": None,
    "visibility": "public",
    "released": True,
    "released_at": "2026-01-01T00:00:00Z",
    "withdrawn_at": None,
    "hidden_at": None,
    "state": "approved",
    "approval": "approved",
    "is_session": True,
    "client_id": "{client}",
    "grant_id": "{client}",
    "revision": 1,
    "id": "{teacher}",
    "digest": "0" * 64,
    "origin": "https://evil.example/",
}
"""Names of columns and of what other software has: what a member would like to be so."""


@pytest.fixture
def world(service: Service, tmp_path: Path) -> World:
    return World(service, tmp_path)


def _claims(world: World) -> dict[str, Any]:
    """With ids in the places of names."""
    with world.service.services.database.read() as session:
        ids = {f"{{{account.username}}}": str(account.id) for account in session.scalars(select(Account))}
    ids["{client}"] = world.private["client_id"]
    return {name: ids.get(str(value), value) for name, value in _CLAIMED.items()}


def _powers(service: Service) -> dict[str, Any]:
    """Who may do what, and whose everything is."""

    def each(model: Any, *columns: str) -> list[tuple[object, ...]]:
        found = session.scalars(select(model).order_by(model.id))
        return [(row.id, *(getattr(row, column) for column in columns)) for row in found]

    trusted = ("role", "quota", "blocked_at", "must_confirm", "email", "email_confirmed_at")
    with service.services.database.read() as session:
        invitations = select(OneTimeLink.id, OneTimeLink.role).where(OneTimeLink.role.is_not(None))
        return {
            "accounts": each(Account, "username", *trusted),
            "resources": each(Resource, "owner_id", "visibility", "origin"),
            "clients": each(Client, "account_id", "approval", "disabled_at", "scopes"),
            "curators": {row.id: row.owner_id for row in session.scalars(select(Collection))},
            "invitations": [tuple(row) for row in session.execute(invitations)],
            "powerful tokens": sorted(
                str(token.id)
                for token in session.scalars(select(Token))
                if set(token.scopes) & {Scope.ADMINISTER.value, Scope.MODERATE.value}
            ),
        }


def _own(world: World) -> dict[str, str]:
    """Things of the stranger's own, by the names that addresses have for them."""
    stranger = world.api("stranger")

    def made(path: str, **said: Any) -> str:
        return str(json_of(stranger.post(f"/api/v1/{path}", json=said), 201)["id"])

    with world.service.services.database.read() as session:
        account = session.scalars(select(Account.id).where(Account.username == "stranger")).one()
    return {
        "resource_id": share(stranger, b"Mine.")["id"],
        "collection_id": made("collections", title="Mine"),
        "profile_id": made("me/site-profiles", name="Mine", moodle="4.5"),
        "webhook_id": made("webhooks", url="https://localhost/", events=["resource.released"]),
        "token_id": made("me/tokens", name="Mine", scopes=["resources:read"]),
        "client_id": made("me/clients", name="Mine"),
        "upload_id": made("uploads", file_name="x.txt", size=5),
        "account_id": str(account),
    }


_FILLED: Final = {
    "title": "Mine",
    "display_name": "Mine",
    "summary": "x",
    "language": "en",
    "collection": "new",
}
_ENDS: Final = ("sign_out", "delete", "withdraw", "erase", "become_version")
"""In the names of endpoints after which there is nothing of one's own to try more on."""


def test_fields_that_no_form_has(world: World) -> None:
    """Beside what forms of the stranger's own have, so that they are taken."""
    own, claims = _own(world), _claims(world)
    before = _powers(world.service)
    taken = set()
    for rule in world.rules():
        is_form = world.is_page(rule) and "POST" in (rule.methods or ())
        if not is_form or any(word in rule.endpoint for word in _ENDS):
            continue
        answer = Hand(world, "stranger").send(world.address(rule, **own), {**_FILLED, **claims})
        if answer.status_code in (200, 303):
            taken.add(rule.endpoint)
        after = _powers(world.service)
        mine = {key: owner for key, owner in after["curators"].items() if key not in before["curators"]}
        assert set(map(str, mine.values())) <= {own["account_id"]}, rule
        after["curators"] = {key: owner for key, owner in after["curators"].items() if key not in mine}
        assert after == before, rule
    assert taken > {"web.rename", "web.describe", "web.describe_collection", "web.make_collection"}


_TAKEN: Final[dict[str, tuple[dict[str, Any], set[str]]]] = {
    "accounts.issue_token": ({"name": "x", "scopes": ["resources:read"]}, {"scopes"}),
    "accounts.register_client": ({"name": "x"}, set()),
    "collections.add": ({"resource": "00000000-0000-7000-8000-000000000000"}, set()),
    "collections.change_item": ({"note": "x"}, set()),
    "collections.create": ({"title": "x"}, {"visibility"}),
    "collections.describe": ({"title": "x"}, {"visibility"}),
    "compatibility.create": ({"name": "x", "moodle": "4.5"}, set()),
    "compatibility.put": ({"name": "x", "moodle": "4.5"}, set()),
    "reports.report": ({"reason": "other", "words": "x"}, set()),
    "resources.describe": ({"title": "x"}, set()),
    "resources.withdraw": ({"reason": "x"}, set()),
    "uploads.begin": ({"file_name": "x", "size": 1}, set()),
}
"""What members may send, and the names that mean something there."""


def test_members_that_no_body_has(world: World) -> None:
    """One after the other: a body with a member that is not known is refused whole."""
    own, claims = _own(world), _claims(world)
    before = _powers(world.service)
    stranger = world.api("stranger")
    for rule in world.rules():
        methods = (rule.methods or set()) & {"POST", "PUT", "PATCH"}
        if world.is_page(rule) or not rule.rule.startswith("/api/") or rule.endpoint not in _TAKEN:
            continue
        said, own_words = _TAKEN[rule.endpoint]
        for name, value in claims.items():
            if name in own_words:
                continue
            for method in methods:
                address = world.address(rule, **own)
                answer = stranger.open(address, method=method, json={**said, name: value})
                problem_of(answer, "invalid-input")
                assert _powers(world.service) == before, (rule, name)


def test_no_body_of_the_api_takes_what_it_does_not_know() -> None:
    waiting, found = [Incoming], []
    while waiting:
        body = waiting.pop()
        assert body.model_config["extra"] == "forbid", body
        found.append(body)
        waiting += body.__subclasses__()
    assert len(found) > 15


def test_signing_up_as_more_than_a_member(make_service: MakeService) -> None:
    service = make_service(registration="open")
    sign_up(Visitor(service), "eve", **{name: str(value) for name, value in _CLAIMED.items()})
    with service.services.database.read() as session:
        eve = session.scalars(select(Account)).one()
    assert (eve.role, eve.quota, eve.must_confirm, eve.email) == ("member", None, True, None)
    assert (eve.username, eve.email_confirmed_at) == ("eve", None)


def test_a_session_has_no_more_power_than_when_it_began(service: Service) -> None:
    """Whoever is made a moderator signs in anew: no cookie of before, wherever it is, can do more."""
    token = service.token("ada")
    visitor = Visitor(service, token)
    account = next(iter(service.services.accounts.list(OPERATOR, limit=1).items))
    service.services.accounts.change(OPERATOR, account.id, role=Role.MODERATOR)
    visitor.get("/look-after", status=403)
    again = service.services.accounts.issue_token(
        OPERATOR, name="t", scopes=SCOPES_OF_ROLE[Role.MODERATOR], account_id=account.id
    )
    Visitor(service, again.secret).get("/look-after")
    service.services.accounts.change(OPERATOR, account.id, role=Role.MEMBER)
    Visitor(service, again.secret).get("/look-after", status=403)
