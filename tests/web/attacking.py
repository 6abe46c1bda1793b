"""A service full of what is nobody else's business, and addresses made of its routes to go after that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Select, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.http.pages import Pages
from repo_service.models import Account, ExternalIdentity, Job
from tests.contract.consenting import connect_site, tokens_of
from tests.support.media import picture
from tests.support.private import private_backup
from tests.support.service import OPERATOR, Service, json_of, send_file
from tests.web.visitor import Visitor

NOBODYS = "00000000-0000-7000-8000-000000000000"
"""An id of nothing at all."""

_CONTENT = hashlib.sha1(b"grass, hare, fox\n").hexdigest()
"""By which Moodle names the file that is in the course."""


class World:
    """``teacher`` keeps something of every kind to themselves; ``stranger`` is a member like any other."""

    def __init__(self, service: Service, folder: Path) -> None:
        """A course is written into ``folder``, to be shared."""
        self.service = service
        self._drawn: str | None = None
        self.tokens = {
            "teacher": service.token("teacher"),
            "stranger": service.token("stranger"),
            "moderator": service.token("moderator", Role.MODERATOR),
            "chief": service.token("chief", Role.ADMINISTRATOR),
        }
        teacher, chief = self.api("teacher"), self.api("chief")
        course = private_backup(folder / "secret plans.mbz", users=False, secrets=False)
        self.draft = json_of(send_file(teacher, course, file_name=course.name), 201)
        service.work()
        self.private = {
            "resource_id": self.draft["id"],
            "collection_id": _made(teacher, "collections", title="My plans"),
            "profile_id": _made(teacher, "me/site-profiles", name="Our school", moodle="4.5"),
            "webhook_id": _made(teacher, "webhooks", url="https://localhost/", events=["resource.released"]),
            "token_id": _made(teacher, "me/tokens", name="A script", scopes=["resources:read"]),
            "client_id": _made(teacher, "me/clients", name="A program"),
            "upload_id": _begun(teacher),
            "invitation_id": _made(chief, "invitations", send=False),
            "account_id": self._one(select(Account.id).where(Account.username == "teacher")),
            "job_id": self._one(select(Job.id).limit(1)),
            "connection_id": self._connected(),
        }
        """By the names that addresses have for them."""
        ping = teacher.post(f"/api/v1/webhooks/{self.private['webhook_id']}/ping")
        self.private["delivery_id"] = json_of(ping, 202)["id"]
        items = f"/api/v1/collections/{self.private['collection_id']}/items"
        json_of(teacher.post(items, json={"resource": self.draft["id"], "note": "To be revised"}), 201)
        json_of(self.api(None).get("/ap/service"))  # it makes its keys when it is asked for the first time
        self.site = connect_site(service)
        tokens_of(service, self.site, self.visitor("teacher"))

    def api(self, username: str | None) -> FlaskClient:
        """A program of that person's, or of nobody's."""
        return self.service.client(None if username is None else self.tokens[username])

    def visitor(self, username: str | None) -> Visitor:
        """A browser in which that person is signed in, or nobody."""
        return Visitor(self.service, None if username is None else self.tokens[username])

    def renew(self, username: str) -> None:
        """Give that person another token: what was done may have ended the one before."""
        accounts = self.service.services.accounts
        query = select(Account).where(Account.username == username)
        with self.service.services.database.read() as session:
            account = session.scalars(query).one()
        scopes = SCOPES_OF_ROLE[Role(account.role)]
        issued = accounts.issue_token(OPERATOR, name="test", scopes=scopes, account_id=account.id)
        self.tokens[username] = issued.secret

    def rules(self) -> Iterator[Rule]:
        """Every route there is."""
        yield from self.service.app.url_map.iter_rules()

    def is_page(self, rule: Rule) -> bool:
        """Whether it answers to browsers, with a session."""
        return isinstance(self.service.app.blueprints.get(rule.endpoint.partition(".")[0]), Pages)

    def named(self, rule: Rule) -> dict[str, str]:
        """What is in ``private`` of the arguments that the addresses of ``rule`` have."""
        named = {name: self.private[name] for name in sorted(rule.arguments & self.private.keys())}
        if rule.endpoint.endswith(".thumbnail") and self._drawn is not None:  # a backup has none
            named["resource_id"] = self._drawn
        return named

    def draw(self, folder: Path) -> None:
        """Have the teacher keep a picture, too; it is written into ``folder``."""
        drawing = folder / "secret drawing.png"
        drawing.write_bytes(picture("PNG", size=(300, 200)))
        self._drawn = json_of(send_file(self.api("teacher"), drawing, file_name=drawing.name), 201)["id"]
        self.service.work()

    def address(self, rule: Rule, **instead: object) -> str:
        """Where ``rule`` gives something of the teacher's, or what is named ``instead``.

        Raises KeyError for an argument that nobody has thought of yet: say here, or in ``private``, what of
        the teacher's it could name.
        """
        known = {
            **self.named(rule),
            "number": 1,
            "activity_id": 100,
            "section_id": 21,
            "content": _CONTENT,
            "digest": "0" * 64,
            "name": "licences",
            "file_name": "foodweb.txt" if "content" in rule.arguments else "secret plans.mbz",
            "filename": "x.js",
            "below": "x",
            "size": "small",
            "username": "teacher",
            "of": "resources",
            "id_": self.private["resource_id"],
            "kind": "collections" if "actor_id" in rule.arguments else "create",
            "actor_id": self.private["collection_id"],
            "entry_id": NOBODYS,
            "host": "moodlenet.school.example",
            "moment": "20260301T090500000000Z",
            **instead,
        }
        values: dict[str, Any] = {name: known[name] for name in rule.arguments}
        with self.service.app.test_request_context():
            address: str = self.service.app.url_for(rule.endpoint, **values)
            return address

    def _one(self, query: Select[Any]) -> str:
        with self.service.services.database.read() as session:
            return str(session.scalars(query).one())

    def _connected(self) -> str:
        """A way into the teacher's account from elsewhere."""
        account = select(Account.id).where(Account.username == "teacher")
        with self.service.services.database.write() as session:
            row = ExternalIdentity(
                account_id=session.scalars(account).one(), issuer="https://id.example", subject="1"
            )
            session.add(row)
            session.flush()
            return str(row.id)


class Hand:
    """Somebody who sends what forms of their own pages would send, and whatever else they like."""

    def __init__(self, world: World, username: str | None) -> None:
        self.visitor = world.visitor(username)
        self.api = world.api(username)
        """What a program of theirs would ask."""
        self.csrf = str(self.visitor.get("/sign-in").all("//input[@name='csrf_token']")[0].get("value"))

    def send(
        self, address: str, fields: Mapping[str, Any] | None = None, *, method: str = "POST", **headers: str
    ) -> TestResponse:
        """The answer to a form of this session, or to another request with the token of its forms."""
        told = {**self.visitor.headers, "X-CSRFToken": self.csrf, **headers}
        data = {"csrf_token": self.csrf, **(fields or {})} if method == "POST" else None
        return self.visitor.client.open(address, method=method, headers=told, data=data)


def metadata(**values: str) -> str:
    """As tus sends it (Creation extension)."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def _made(client: FlaskClient, path: str, **said: Any) -> str:
    return str(json_of(client.post(f"/api/v1/{path}", json=said), 201)["id"])


def _begun(client: FlaskClient) -> str:
    """An upload that has got nothing yet."""
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "1000",
        "Upload-Metadata": metadata(filename="secret plans.mbz"),
    }
    answer = client.post("/api/v1/tus", headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"]).rpartition("/")[2]
