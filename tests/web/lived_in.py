"""A service that has been lived in: people who share courses, collections, a report, a job that failed, sites
that want to be connected, a year of use. What every page is looked at with, and photographed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import select, update
from werkzeug.serving import WSGIRequestHandler, make_server

from repo_service.app import create_app, engine_of, migrate, services_of
from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.domain.network import EntryKind, Standing
from repo_service.domain.resources import JobKind
from repo_service.federation.remote import EntryDescription
from repo_service.http import oidc
from repo_service.models import Account, DownloadCount, NetworkEntry, Resource, Version, WebhookDelivery
from repo_service.models.base import new_id, now
from repo_service.services import network_entries
from repo_service.services.instances import instance_of
from repo_service.settings import Settings
from tests.contract.consenting import connect_site, tokens_of
from tests.support.backups import backup
from tests.support.mail import Mailbox, smtp_server
from tests.support.moodle import Moodle
from tests.support.private import private_backup
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.support.service import OPERATOR, Service, json_of, send_file
from tests.support.services import free_port
from tests.web.person import sign_up
from tests.web.sample_courses import COURSES, WATER, WATER_AGAIN
from tests.web.visitor import Visitor

SITE_NAME: Final = "Open School Library"

NEW_TAKES: Final = 1_000_000
"""Bytes of a file at most, where nobody has been yet."""

IMPATIENT: Final = "203.0.113.9"
"""The address of somebody who has tried too many links."""

REAL: Final = {
    "water": "m456-env-science-en.course.nousers.tgz.mbz",
    "analysis": "m456-analysis-de.course.nousers.zip.mbz",
    "art": "m423iomad-art-history-fr.course.nousers.tgz.mbz",
    "cells": "m423iomad-cell-biology-es.course.nousers.tgz.mbz",
}
"""Files of the corpus of real backups that take the place of those made here, where they are given."""


@dataclass(frozen=True, kw_only=True)
class LivedIn:
    """The service: its address, what there is in it by the names that ``every_page`` uses (ids, and paths of
    links that came by mail), and the API tokens of its people by their user names."""

    service: Service
    url: str
    names: Mapping[str, str]
    tokens: Mapping[str, str]


@contextmanager
def lived_in(folder: Path, corpus: Path | None = None) -> Iterator[LivedIn]:
    """The service, which answers on loopback; its jobs have been done, and those that are left stay as they
    are. ``corpus`` is a folder with the files of ``REAL``."""
    with ExitStack() as stack:
        mailbox = stack.enter_context(smtp_server())
        provider = stack.enter_context(
            running_provider(RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True))
        )
        service, url = stack.enter_context(
            _answering(
                folder / "lived-in",
                registration="open",
                smtp_url=mailbox.url,
                mail_from="library@example.org",
                client_approval="administrator",
                oidc_issuer=provider.issuer,
                oidc_client_id=CLIENT_ID,
                oidc_client_secret=CLIENT_SECRET,
                oidc_name="School account",
                trusted_proxies=1,
                job_attempts=1,
            )
        )
        provider.back = f"{url}{oidc.BACK}"
        making = _Making(service=service, mailbox=mailbox, folder=folder, corpus=corpus)
        making.everything()
        yield LivedIn(service=service, url=url, names=making.names, tokens=making.tokens)


@contextmanager
def brand_new(folder: Path) -> Iterator[LivedIn]:
    """A service that nobody has used yet but its administrator."""
    with _answering(folder / "brand-new", max_upload_size=NEW_TAKES) as (service, url):
        tokens = {"noor": service.token("noor", role=Role.ADMINISTRATOR)}
        yield LivedIn(service=service, url=url, names={}, tokens=tokens)


@contextmanager
def mirror(folder: Path) -> Iterator[LivedIn]:
    """A mirror that has not fetched anything yet."""
    with _answering(folder / "mirror", read_only=True) as (service, url):
        yield LivedIn(service=service, url=url, names={}, tokens={})


class _Quiet(WSGIRequestHandler):
    """The service logs what it answers."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing more."""


@contextmanager
def _answering(folder: Path, **settings: Any) -> Iterator[tuple[Service, str]]:
    """A service and its address, on loopback."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    made = Settings(
        data_dir=folder,
        base_url=url,
        port=port,
        site_name=SITE_NAME,
        queue_url="memory:",
        min_free_space=0,
        **settings,
    )
    app = create_app(made, writes_index=True)
    migrate(app)
    service = Service(app=app, services=services_of(app), settings=made)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service, url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        service.services.close()
        engine_of(app).dispose()


@dataclass(kw_only=True)
class _Making:
    """Fills a service, one thing after the other, and keeps what they are called."""

    service: Service
    mailbox: Mailbox
    folder: Path
    corpus: Path | None
    names: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def everything(self) -> None:
        self.people()
        self.drafts()
        self.courses()
        self.gone()
        self.collections()
        self.reports()
        self.sites()
        self.servers()
        self.webhooks()
        self.letters()
        self.a_year()

    # People

    def people(self) -> None:
        """An administrator, a moderator, two teachers, and somebody who has just come."""
        for username, name, role in (
            ("noor", "Noor Haddad", Role.ADMINISTRATOR),
            ("samir", "Samir Benali", Role.MODERATOR),
            ("maria", "Maria Lehmann", Role.MEMBER),
            ("tomas", "Tomás Herrera", Role.MEMBER),
            ("spam", "Cheap Essays", Role.MEMBER),
        ):
            self.tokens[username] = self.service.token(username, role=role)
            self._name(username, name)
        newcomer = Visitor(self.service)
        assert sign_up(newcomer, "ines", display_name="Inês Duarte").status_code == 303
        self.tokens["ines"] = self._token_for("ines")
        self._name("ines", "Inês Duarte")
        self._change("spam", blocked=True, blocked_reason="Offers essays for money.")

    def _name(self, username: str, name: str) -> None:
        self.names[username] = str(self.service.services.accounts.find(OPERATOR, username).id)
        self._change(username, display_name=name)

    def _change(self, username: str, **fields: Any) -> None:
        self._ask("noor", "PATCH", f"accounts/{self.names[username]}", **fields)

    def _token_for(self, username: str) -> str:
        account = self.service.services.accounts.find(OPERATOR, username)
        return self.service.services.accounts.issue_token(
            OPERATOR, name="Browser", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
        ).secret

    def _as(self, username: str | None) -> FlaskClient:
        return self.service.client(None if username is None else self.tokens[username])

    def _ask(self, username: str | None, method: str, path: str, **body: Any) -> Any:
        """What the API answers somebody who is not refused."""
        answer = self._as(username).open(
            f"/api/v1/{path}", method=method, json=body if method != "GET" else None
        )
        assert answer.status_code < 400, answer.text
        return answer.get_json(silent=True)

    # Resources

    def courses(self) -> None:
        """What everybody can find."""
        for course in COURSES:
            path = course.write(self.folder)
            if course.name != "water" and (real := self._real(course.name)):
                shutil.copyfile(real, path)
            self._share(course.name, course.owner, path, **course.metadata)
        self.service.work()
        again = backup(self.folder / "water-and-life-2.mbz", **{**WATER, "activities": WATER_AGAIN})
        if (real := self._real("water")) is not None:
            shutil.copyfile(real, again)
        note = "A field trip, and a shorter quiz."
        self._new_version("water", again, release=True, change_note=note)
        self._new_version("water", again, release=False, change_note="Typing errors.")
        versions = self._ask(None, "GET", f"resources/{self.names['water']}")["versions"]
        released = sorted((version["number"] for version in versions), reverse=True)
        self.names["new"], self.names["old"] = map(str, released[:2])

    def _real(self, name: str) -> Path | None:
        return self.corpus / REAL[name] if self.corpus is not None and name in REAL else None

    def drafts(self) -> None:
        """On their way: with learners' data, with keys, cleaned, unreadable, and one that is not looked into
        yet."""
        self._share(
            "personal", "maria", private_backup(self.folder / "ecology-2026.mbz"), title="Ecology 2026"
        )
        keys = private_backup(self.folder / "rivers.mbz", users=False)
        self._share("keys", "maria", keys, title="Rivers of the world", languages=["en"])
        self._share("cleaned", "maria", keys, title="Rivers and lakes", licence="CC-BY-4.0", release=True)
        again = private_backup(self.folder / "food-webs.mbz", container="zip")
        self._share("confirm", "maria", again, title="Food webs", licence="CC-BY-4.0")
        broken = _written(self.folder / "broken.mbz", b"PK\x03\x04" + bytes(range(200)) * 20)
        self._share("broken", "maria", broken, title="Chemistry of metals")
        self.service.work()
        self._ask("maria", "POST", f"resources/{self.names['confirm']}/versions/1/clean")
        self.service.work()

    def gone(self) -> None:
        """Withdrawn by its owner, and hidden by a moderator."""
        for name, title in (("withdrawn", "Photosynthesis (old)"), ("hidden", "A scanned textbook")):
            notes = _written(self.folder / f"{name}.txt", title.encode())
            self._share(name, "maria", notes, title=title, licence="CC-BY-4.0", release=True)
        self.service.work()
        reason = "Replaced by a course with better pictures."
        self._ask("maria", "POST", f"resources/{self.names['withdrawn']}/withdraw", reason=reason)
        self._report("hidden", "rights", "These are pages of a textbook that is still sold.")
        self._decide("hidden", "hidden", "The publisher has not allowed this.")

    def _share(self, name: str, owner: str, file: Path, **metadata: Any) -> None:
        made = json_of(send_file(self._as(owner), file, file_name=file.name, **metadata), 201)
        self.names[name] = made["id"]

    def _new_version(self, name: str, file: Path, **metadata: Any) -> None:
        url = f"/api/v1/resources/{self.names[name]}/versions"
        json_of(send_file(self._as("maria"), file, url=url, file_name=file.name, **metadata), 201)
        self.service.work()

    # Collections, reports, sites, letters

    def collections(self) -> None:
        """One that everybody sees, one that is its curator's own."""
        for name, title, summary, visibility, items in (
            (
                "green",
                "Green schools",
                "For a project week about water, energy and food.",
                "public",
                ("water", "cells", "volcano"),
            ),
            ("autumn", "For the autumn term", "", "private", ("romans",)),
        ):
            self.names[name] = self._ask(
                "maria",
                "POST",
                "collections",
                title=title,
                summary=summary,
                visibility=visibility,
                languages=["en"],
            )["id"]
            for item in items:
                given = {"resource": self.names[item], "note": _NOTES.get(item, "")}
                self._ask("maria", "POST", f"collections/{self.names[name]}/items", **given)

    def reports(self) -> None:
        """Two about one resource that wait, one that was dismissed."""
        self._report("romans", "description", "It says lower secondary, but half of it is for a university.")
        self._decide("romans", "dismissed", "The level is right for most of it.")
        self._report("cells", "broken", "The second quiz has no answers that count as right.")
        self._report("cells", "rights", "The picture in section 3 is mine, and nobody asked me.")

    def _report(self, name: str, reason: str, words: str) -> None:
        self._ask(None, "POST", f"resources/{self.names[name]}/reports", reason=reason, words=words)

    def _decide(self, name: str, decision: str, note: str) -> None:
        path = f"resources/{self.names[name]}/reports/decision"
        self._ask("samir", "POST", path, decision=decision, note=note)

    def sites(self) -> None:
        """A school's Moodle that Maria has connected, one that asks her, one that waits for approval; and
        what she has said of her site."""
        for name, host in (
            ("school", "moodle.lindenschule.example"),
            ("other", "lms.college.example"),
            ("waits", "learn.academy.example"),
        ):
            site = connect_site(self.service, Moodle(wwwroot=f"https://{host}", name=host))
            self.names[name] = site.client_id
            if name != "waits":
                self._ask("noor", "PATCH", f"sites/{site.client_id}", state="approved")
            if name == "school":
                tokens_of(self.service, site, Visitor(self.service, self.tokens["maria"]))
            self.names[f"{name}_asks"] = site.authorize()
        profile = {"name": "Lindenschule", "moodle": "4.5.6", "plugins": {"mod_hvp": None}}
        self._ask("maria", "POST", "me/site-profiles", **profile)

    def servers(self) -> None:
        """One that is approved, with entries, one of them hidden; one that is blocked; one that is gone; and
        somebody who is blocked."""
        described = (
            (EntryKind.RESOURCE, "Rivers of Patagonia", "How water shapes a land, in five lessons.", "en"),
            (EntryKind.COLLECTION, "مياه الشرق الأوسط", "دروس عن الأنهار والينابيع", "ar"),
            (EntryKind.COMMUNITY, "Teachers of geography", "We share what worked.", "en"),
            (EntryKind.USER, "Amina Farouk", "", ""),
            (EntryKind.RESOURCE, "Buy followers", "Cheap!", "en"),
        )
        with self.service.services.database.write() as session:
            peer = instance_of(session, "moodlenet.school.example")
            peer.standing, peer.actor = Standing.APPROVED.value, "https://moodlenet.school.example/ap"
            peer.decided_at = peer.looked_at = now()
            gone = instance_of(session, "old.college.example")
            gone.standing, gone.decided_at = Standing.APPROVED.value, now()
            gone.unreachable_at = gone.failing_since = now() - timedelta(days=9)
            instance_of(session, "social.example")
            for number, (kind, name, summary, language) in enumerate(described):
                of = gone if kind is EntryKind.COMMUNITY else peer
                entry = EntryDescription(
                    id=f"https://{of.host}/{number}",
                    kind=kind,
                    url=f"https://{of.host}/{kind.value}/{number}",
                    name=name,
                    summary=summary,
                    by=None,
                    icon=None,
                    licence="CC-BY-4.0" if kind is EntryKind.RESOURCE else None,
                    languages=(language,) if language else (),
                )
                network_entries.put(session, of.id, entry, heard=new_id())
            spam = session.scalars(select(NetworkEntry.id).where(NetworkEntry.name == "Buy followers")).one()
        reason = {"reason": "Sends advertisements to everybody."}
        self._ask("noor", "PUT", "network/instances/spam.example", standing="blocked", **reason)
        actor = "https://social.example/users/mallory"
        self._ask("noor", "POST", "network/blocked-actors", actor=actor, **reason)
        self._ask("samir", "POST", f"network/entries/{spam}/hide", reason="An advertisement.")

    def webhooks(self) -> None:
        """One that took a message and failed to take another, and one that is disabled."""
        for name, host in (("webhook", "hooks"), ("old", "old")):
            url = f"https://localhost/{host}"
            events = ["resource.released", "resource.withdrawn"]
            given = {"url": url, "events": events, "description": "For the staff room's screen"}
            made = self._ask("maria", "POST", "webhooks", **given)
            if name == "webhook":
                self.names[name] = made["id"]
                for _ in range(2):
                    self._ask("maria", "POST", f"webhooks/{made['id']}/ping")
            else:
                self._ask("maria", "PATCH", f"webhooks/{made['id']}", enabled=False)
        with self.service.services.database.write() as session:
            taken, failed = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
            taken.state, taken.attempts, taken.answered = "delivered", 1, 204
            failed.state, failed.attempts, failed.answered = "failed", 10, 500
            failed.reason = "It answers 500."
            for each in (taken, failed):
                each.next_try_at, each.finished_at = None, now()

    def letters(self) -> None:
        """Links that came by mail; one letter was refused, so that a job has failed."""
        self.service.work()
        self.names["confirm_link"] = self.mailbox.link("ines@example.org")
        self._change("tomas", email="tomas@example.org")
        self._change("maria", email="maria.lehmann@lindenschule.example")
        Visitor(self.service).send("/forgotten-password", "/forgotten-password", login="ines")
        self.service.work()
        self.names["reset_link"] = self.mailbox.link("ines@example.org")
        self.mailbox.answers["gone@example.org"] = "550 No such mailbox"
        for email, role in (("gone@example.org", "member"), ("lena@example.org", "moderator")):
            self._ask("noor", "POST", "invitations", email=email, role=role, send=True)
        self.service.work()
        self.names["invitation_link"] = self.mailbox.link("lena@example.org")

    def a_year(self) -> None:
        """As if it had all come little by little; and a course that is being looked into."""
        with self.service.services.database.write() as session:
            models: Sequence[type[Resource] | type[Version] | type[Account]] = (Resource, Version, Account)
            for model in models:
                for age, id_ in enumerate(session.scalars(select(model.id).order_by(model.id)).all()):
                    past = now() - timedelta(days=(age * 37) % 350)
                    session.execute(update(model).where(model.id == id_).values(created_at=past))
            today = now().date()
            for day in range(90):
                amount = 12 + (day * 7) % 23 + (0 if (today - timedelta(days=day)).weekday() > 4 else 30)
                session.add(DownloadCount(day=today - timedelta(days=day), downloads=amount))
        self._share("waiting", "maria", backup(self.folder / "waiting.mbz"), title="Introduction to ecology")
        self.service.work(but=[JobKind.INSPECT])


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


_NOTES: Final = {
    "water": "Begin here: the first two weeks need no laboratory.",
    "volcano": "Print the worksheets in colour.",
}
