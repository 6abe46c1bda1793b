"""A real SMTP server on loopback, and the letters that it took."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.services import free_port

USERNAME, PASSWORD = "repo@example.org", "p/ss:w@rd #1"


@dataclass
class Mailbox:
    """What the server took, and what it says to the next who come (``answers`` by address, then ``DATA``)."""

    port: int
    envelopes: list[Envelope] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The setting for a relay without TLS."""
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    @property
    def letters(self) -> list[EmailMessage]:
        """The letters that came, the oldest first."""
        found = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=modern)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found

    def last(self, to: str) -> str:
        """The text of the newest letter to that address."""
        texts = [letter.get_content() for letter in self.letters if letter["To"] == to]
        assert texts, [str(letter["To"]) for letter in self.letters]
        return str(texts[-1]).replace("\r\n", "\n")

    def link(self, to: str) -> str:
        """The path, with its query, of the link with a secret in the newest letter to that address."""
        found = re.search(r"^http\S+\?link=\S+$", self.last(to), re.MULTILINE)
        assert found is not None, self.last(to)
        return re.sub(r"^https?://[^/]+", "", found[0])

    # What aiosmtpd calls.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.envelopes.append(envelope)
        self.signed_in.append(bool(session.authenticated))
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    good = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


class _Implicit(Controller):
    """TLS from the first byte, which this library does not take for TLS."""

    def factory(self) -> SMTP:
        return SMTP(self.handler, authenticator=_authenticate, auth_require_tls=False)


@contextmanager
def smtp_server(*, tls: str = "none", context: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A server; ``tls`` as in ``SmtpServer``. With TLS it wants the user name and the password."""
    box = Mailbox(port=free_port())
    place: dict[str, Any] = {"hostname": "127.0.0.1", "port": box.port}
    if tls == "implicit":
        controller: Controller = _Implicit(box, ssl_context=context, **place)
    elif tls == "starttls":
        controller = Controller(
            box,
            tls_context=context,
            require_starttls=True,
            authenticator=_authenticate,
            auth_required=True,
            **place,
        )
    else:
        controller = Controller(box, **place)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def certified() -> tuple[trustme.CA, ssl.SSLContext]:
    """A CA that nobody trusts yet, and a server's context with a certificate of it for 127.0.0.1."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return authority, context


def path_of(url: str) -> str:
    """An address without its host."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A relay without TLS, for tests that are about letters and not about how they travel."""
    with smtp_server() as box:
        yield box
